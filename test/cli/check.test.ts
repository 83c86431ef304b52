import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

async function notesOfCheck(options: { readonly secretKey?: string } = {}) {
  const sandbox = await startSandbox({
    hosts: 6,
    clusters: 3,
    events: 30,
    vulnerabilities: 8,
    instances: 1,
    reports: 5,
  });
  onTestFinished(() => sandbox.close());
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url, ...options });
  const { code, stdout } = await runCli(['check'], { cwd });
  // The notes are what stands below the table, after an empty line.
  return { code, notes: stdout.trim().split('\n\n').at(-1)?.split('\n') ?? [] };
}

test('check says in one line what the default enterprise project would hide, and once after which stream others can be asked', async () => {
  const { code, notes } = await notesOfCheck();
  expect(code).toBe(0);
  expect(notes.filter((line) => line.includes('would hide'))).toEqual([
    expect.stringMatching(/^Enterprise project 0, the API's default, would hide \d+ rows of \d+ streams: /),
  ]);
  const parents = notes.flatMap((line) => / after the first sync of (\w+)$/.exec(line)?.slice(1) ?? []);
  expect(parents).toEqual([...new Set(parents)]);
  expect(parents).toContain('dbss_audit_instances');
});

test('check says once that the secret key of an account is wrong, whatever the number of streams', async () => {
  const { code, notes } = await notesOfCheck({ secretKey: 'not-the-secret-key-of-the-account' });
  expect(code).toBe(1);
  expect(notes.filter((line) => line.includes('Check the access key and the secret key'))).toHaveLength(1);
});
