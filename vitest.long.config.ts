import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.long.test.ts'],
    testTimeout: 1_800_000,
    expect: { poll: { timeout: 60_000 } },
    hookTimeout: 60_000,
    fileParallelism: false,
    setupFiles: ['test/support/pinned-clock.ts'],
    globalSetup: ['test/support/global-setup.ts'],
  },
});
