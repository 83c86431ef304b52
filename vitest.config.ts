import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.long.test.ts'],
    // Half of the tests wait for a database or a process of their own: three files at a time keep two cores busy.
    maxWorkers: 3,
    // A wait for a condition ends when the condition holds; these limits only say when to give up on a loaded machine.
    testTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    hookTimeout: 180_000,
    retry: 0,
    setupFiles: ['test/support/pinned-clock.ts'],
    globalSetup: ['test/support/global-setup.ts'],
  },
});
