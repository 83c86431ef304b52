import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('check says once that an account may not read a group, and names its lists', async () => {
  const sandbox = await startSandbox({
    hosts: 6,
    clusters: 3,
    events: 30,
    vulnerabilities: 8,
    instances: 1,
    reports: 5,
  });
  onTestFinished(() => sandbox.close());
  const isAboutHosts = (path: string) => /host-management|weak-password|risk-config|password-complexity/.test(path);
  sandbox.faults.add({ kind: 'forbidden', times: Number.POSITIVE_INFINITY, when: ({ path }) => isAboutHosts(path) });
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const { code, stdout } = await runCli(['check'], { cwd });
  expect(code).toBe(1);
  const table = stdout.split('\n').flatMap((line) => /\s(hss_\w+)\s+not allowed/.exec(line)?.slice(1) ?? []);
  expect(table, stdout).toContain('hss_weak_passwords');
  expect(table).toContain('hss_baseline_checks');
  const notes = stdout.split('\n').filter((line) => line.includes('hss_weak_passwords') && line.includes(': '));
  expect(notes, stdout).toHaveLength(1);
  expect(notes[0]).toMatch(/^group baseline: not allowed: .*hss_weak_passwords.* The first says: /);
  expect(notes[0]).toContain('hss_baseline_checks');
});
