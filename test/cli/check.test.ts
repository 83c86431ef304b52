import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

async function notesOfCheck({
  env = {},
  ...options
}: {
  readonly secretKey?: string;
  readonly env?: Record<string, string>;
} = {}) {
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
  const { code, stdout } = await runCli(['check'], { cwd, env });
  // The notes are what stands below the table, after an empty line.
  return { code, stdout, notes: stdout.trim().split('\n\n').at(-1)?.split('\n') ?? [] };
}

test('check says in one line what the default enterprise project would hide, and once after which stream others can be asked', async () => {
  const { code, notes } = await notesOfCheck();
  expect(code).toBe(0);
  expect(notes.filter((line) => line.includes('would hide'))).toEqual([
    expect.stringMatching(/^Enterprise project 0, the API's default, would hide \d+ rows of \d+ streams: /),
  ]);
  expect(notes.filter((line) => line.includes('the total is that of one of them'))).toEqual([
    expect.stringMatching(
      /^These streams have several lists or time windows; the total is that of one of them: .*hss_image_vulnerabilities/,
    ),
  ]);
  const parents = notes.flatMap((line) => / after the first sync of (\w+)$/.exec(line)?.slice(1) ?? []);
  expect(parents).toEqual([...new Set(parents)]);
  expect(parents).toContain('dbss_audit_instances');
});

test('check names a variable that has no effect, because the configuration file sets its key', async () => {
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/other', SECURITY_SYNC_PAGE_TIMEOUT: '30s' };
  const { code, stdout } = await notesOfCheck({ env });
  expect(code).toBe(0);
  expect(stdout.split('\n').filter((line) => line.includes('is set but not used'))).toEqual([
    'DATABASE_URL is set but not used: the file sets database.url.',
  ]);
});

test('check says once that the secret key of an account is wrong, whatever the number of streams', async () => {
  const { code, notes } = await notesOfCheck({ secretKey: 'not-the-secret-key-of-the-account' });
  expect(code).toBe(1);
  expect(notes.filter((line) => line.includes('Check the access key and the secret key'))).toHaveLength(1);
});
