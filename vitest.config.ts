import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.long.test.ts'],
    // Half of the tests wait for a database or a process of their own: three files at a time keep two cores busy.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Tests that kill processes and wait for real time may be late on a loaded machine; a fault fails twice.
    retry: process.env.CI ? 1 : 0,
    globalSetup: ['test/support/global-setup.ts'],
  },
});
