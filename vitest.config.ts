import { defineConfig } from 'vitest/config';

const LONG = 'test/**/*.long.test.ts';

export default defineConfig({
  test: {
    // Half of the service tests wait for a database or a process: three files at a time keep two cores busy, and leave
    // tests of short times the time they need.
    maxWorkers: 3,
    // A wait for a condition ends when the condition holds; these limits only say when to give up on a loaded machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    retry: 0,
    // No file keeps anything in a module, and importing the sources again for each file takes longer than many of them run.
    isolate: false,
    setupFiles: ['test/support/pinned-clock.ts'],
    projects: [
      {
        extends: true,
        test: {
          // No database, no process, no server, no thousands of seeds: what one runs while editing.
          name: 'unit',
          include: ['test/{unit,types}/**/*.test.ts', 'test/*.test.ts'],
          exclude: [LONG],
        },
      },
      {
        extends: true,
        test: {
          name: 'property',
          include: ['test/property/**/*.test.ts'],
          exclude: [LONG],
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/{contract,postgres,service,cli}/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
