import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HELP, helpText } from '../../src/cli/help.ts';
import { DEMO_PROJECT, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { type CliResult, directoryFor, runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** What each command answers and how it ends: exit code, exactly one document on stdout with `--json`, one clear line. */

const database = await createTestDatabase();
const SMALL: SandboxOptions = { hosts: 6, clusters: 3, events: 30, vulnerabilities: 8, instances: 1, reports: 5 };

async function sandboxWith(options: SandboxOptions = {}) {
  const sandbox = await startSandbox({ ...SMALL, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Everything on stdout as one JSON document; fails when there is more, less or something else. */
function documentOf({ stdout }: Pick<CliResult, 'stdout'>) {
  return JSON.parse(stdout);
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

describe('--json writes exactly one document, whatever the command', () => {
  test('migrate, sync, status and check, with exit code 0 on a healthy estate', async () => {
    const sandbox = await sandboxWith();
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const results = new Map<string, CliResult>();
    for (const args of [['migrate'], ['sync'], ['status'], ['check'], ['check', '--discover']]) {
      results.set(args.join(' '), await runCli([...args, '--json'], { cwd }));
    }
    expect([...results].map(([name, { code }]) => [name, code])).toEqual([...results.keys()].map((name) => [name, 0]));
    const document = (name: string) => documentOf(results.get(name) ?? { stdout: '' });
    expect(document('migrate')).toEqual({ ok: true, before: 'current', after: 'current' });
    expect(document('sync').runs).toHaveLength(READ_BY_DEFAULT.length);
    expect(document('status').streams).toHaveLength(READ_BY_DEFAULT.length);
    expect(document('status').streams[0]).toMatchObject({ status: 'succeeded', certificate: 'complete', rejects: 0 });
    expect(document('check').accounts).toEqual([{ account: expect.any(String), sign_in: 'aksk' }]);
    expect(document('check').findings.map(({ access }: { access: string }) => access)).toEqual(
      READ_BY_DEFAULT.map(() => expect.stringMatching(/^(ok|empty)$/)),
    );
    expect(document('check --discover')).toMatchObject({ ok: true, problems: [] });
    expect(document('check --discover').accounts[0].projects[0]).toMatchObject({
      id: '84b5266c14ae489fa6549827f032dc62',
      region: 'cn-north-4',
    });
  });

  test('streams needs neither configuration nor database', async () => {
    const cwd = await temporaryDirectory();
    const { code, stdout, stderr } = await runCli(['--json', 'streams'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(documentOf({ stdout }).streams).toHaveLength(streams.length);
  });

  test('sandbox says where it listens, and ends cleanly at SIGTERM', async () => {
    const running = startCli(['sandbox', '--json', '--port', '0', '--events', '5'], {
      cwd: await temporaryDirectory(),
    });
    await running.until(/\n}\n/);
    running.child.kill('SIGTERM');
    const { code, stdout } = await running.result;
    expect(code).toBe(0);
    expect(documentOf({ stdout })).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
  });

  test('--version says which version this is', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    const result = await runCli(['--version'], { cwd: await temporaryDirectory() });
    expect(result).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('a failure is also a JSON document, in addition to its line on stderr', async () => {
    const cwd = await temporaryDirectory();
    for (const args of [
      ['sync', '--json'],
      ['--json', 'check'],
      ['sync', 'no_such_stream', '--json', '--nope'],
    ]) {
      const { code, stdout, stderr } = await runCli(args, { cwd });
      expect(code, args.join(' ')).toBe(2);
      expect(documentOf({ stdout }), args.join(' ')).toMatchObject({ ok: false, error: expect.any(String) });
      expect(stderr).not.toBe('');
    }
  });
});

describe('a usage error ends with 2 and a hint', () => {
  test.each([
    [['nope'], /unknown command 'nope'/],
    [['sync', '--nope'], /unknown option '--nope'/],
    [['status', 'extra'], /too many arguments/],
    [['sandbox', '--port', 'http'], /--port must be a whole number/],
    [['sandbox', '--port', '99999'], /--port must be at most 65535/],
    [['demo', '--port', 'http'], /--port must be a whole number/],
    [['sync', '--config', 'nowhere.yaml'], /nowhere\.yaml/],
  ])('%j', async (args, says) => {
    const { code, stderr, stdout } = await runCli(args, { cwd: await temporaryDirectory() });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('a port in use is reported with the option that changes it', async () => {
    const { port } = await sandboxWith();
    const args = ['sandbox', '--port', String(port), '--events', '5'];
    expect(await runCli(args, { cwd: await temporaryDirectory() })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `security-sync: port ${port} of 127.0.0.1 is taken by another program: choose others with --port (0: any free one) and --host\n`,
    });
  });

  test('an unknown stream is reported with the command that lists all, an unknown project with the configured ones', async () => {
    const sandbox = await sandboxWith();
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const stream = await runCli(['sync', 'hss_events'], { cwd });
    expect(stream).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/unknown stream: hss_events.*; security-sync streams lists all/),
    });
    const project = await runCli(['sync', '--project', 'x'], { cwd });
    expect(project).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('project "x" is not configured (configured: 84b5266c14ae489fa6549827f032dc62'),
    });
    expect(sandbox.requests.count()).toBe(0);
  });

  test('every problem of a configuration is in one message, without the value of any secret', async () => {
    const cwd = await temporaryDirectory();
    await mkdir(join(cwd, 'conf'));
    const yaml = `accounts:
  - name: prod
    auth: { kind: aksk, accessKey: VERYSECRETKEY, secretKey: "\${NOT_SET_ANYWHERE}" }
    projects: [{ id: 84b5266c14ae489fa6549827f032dc62, region: cn-nort-4 }]
    colour: red
streams:
  hss_cluster_events: { schedule: "every minute" }
`;
    await writeFile(join(cwd, 'conf', 'bad.yaml'), yaml);
    const { code, stderr, stdout } = await runCli(['sync', '--config', 'conf/bad.yaml'], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^security-sync: 4 problems in the configuration from .*bad\.yaml:/);
    expect(stderr).toContain('accounts[0].auth.secretKey: NOT_SET_ANYWHERE is not set');
    expect(stderr).toMatch(/accounts\[0\]\.projects\[0\]\.region: unknown region "cn-nort-4".*cn-north-4/);
    expect(stderr).toMatch(/accounts\[0\]: unknown key "colour"/);
    expect(stderr).toMatch(/streams\.hss_cluster_events\.schedule: not a cron expression/);
    expect(stderr).not.toContain('VERYSECRETKEY');
  });
});

test('help and version questions are answered with 0', async () => {
  const { code, stdout } = await runCli(['--help'], { cwd: await temporaryDirectory() });
  expect(code).toBe(0);
  for (const name of ['run', 'sync', 'check', 'status', 'migrate', 'streams', 'sandbox', 'demo'])
    expect(stdout).toContain(name);
});

describe('a wrong key', () => {
  test('costs one request although all streams start, is reported clearly, and ends with 1', async () => {
    const sandbox = await sandboxWith();
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url, secretKey: 'wrong-secret-key-of-mine' });
    const result = await runCli(['sync', '--json'], { cwd });
    expect(result.code).toBe(1);
    expect(sandbox.requests.count()).toBe(1);
    const { ok, runs } = documentOf(result);
    expect(ok).toBe(false);
    expect(runs).toHaveLength(READ_BY_DEFAULT.length);
    expect(runs.reduce((sum: number, run: { requests: number }) => sum + run.requests, 0)).toBe(1);
    for (const run of runs) {
      expect(run).toMatchObject({ status: 'failed', reason: 'refused', error: expect.stringMatching(/APIGW?\.0301/) });
      expect(run.error).toContain(sandbox.requests.entries()[0]?.requestId);
    }
    expect(`${result.stdout}${result.stderr}`).not.toContain('wrong-secret-key-of-mine');
    const clear = linesOf(result.stderr).filter((line) => line.includes('refused the credentials'));
    expect(clear.length, result.stderr).toBe(1);

    // The account stays suspended: a second attempt would bring the key nearer to being locked.
    const again = await runCli(['sync', '--json'], { cwd });
    expect(again.code).toBe(1);
    expect(sandbox.requests.count()).toBe(1);
    const check = await runCli(['check', '--json'], { cwd });
    expect(check.code).toBe(1);
    expect(documentOf(check).findings[0]).toMatchObject({ access: 'refused' });
    expect(sandbox.requests.count()).toBe(1);
    await database.pool.query('truncate sync.suspended_credentials');
  });
});

describe('the database', () => {
  test('that is unreachable ends with 3 and one line', async () => {
    const sandbox = await sandboxWith();
    for (const [databaseUrl, says] of [
      ['postgres://u:secretpassword@127.0.0.1:1/x', /no Postgres answers at 127\.0\.0\.1:1/],
      [database.url.replace(/[^/]+$/, 'no_such_database'), /there is no database "no_such_database"/],
    ] as const) {
      const cwd = await directoryFor({ sandbox, databaseUrl });
      const { code, stdout, stderr } = await runCli(['sync'], { cwd });
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(linesOf(stderr)).toEqual([expect.stringMatching(says)]);
      expect(stderr).not.toContain('secretpassword');
    }
    expect(sandbox.requests.count()).toBe(0);
  });

  test('without write permission ends with 3 and names the missing right', async () => {
    const sandbox = await sandboxWith();
    const role = `reader_${process.pid}`;
    const { pool } = database;
    await pool.query(`create role ${role} login password 'pw'; grant usage on schema hss, dbss, sync to ${role};
      grant select on all tables in schema hss, dbss, sync to ${role}`);
    onTestFinished(async () => {
      await pool.query(`drop owned by ${role}; drop role ${role}`);
    });
    const url = new URL(database.url);
    url.username = role;
    url.password = 'pw';
    const cwd = await directoryFor({ sandbox, databaseUrl: url.href });
    const reading = await runCli(['sync'], { cwd });
    expect(reading.code).toBe(3);
    expect(linesOf(reading.stderr)).toEqual([
      expect.stringMatching(new RegExp(`user "${role}" lacks a privilege: permission denied`)),
    ]);

    // All of the service's own tables, but none of the data.
    await pool.query(`grant all on all tables in schema sync to ${role}; grant all on all sequences in schema sync to ${role};
      grant create on database ${database.name} to ${role}`);
    await pool.query('truncate hss.protected_clusters');
    const bookkeeping = await runCli(['sync', '--json', 'hss_protected_clusters'], { cwd });
    expect(`${bookkeeping.stdout}${bookkeeping.stderr}`).toMatch(
      /lacks a privilege: permission denied for (table|schema)/,
    );
    expect(bookkeeping.code).toBe(3);
  });
});

test.each([['status'], ['verify'], ['replay'], ['reset', 'hss_cluster_events', '--yes']])(
  'security-sync %s makes no database where there is none, and says what to do',
  async (...args) => {
    const sandbox = await sandboxWith();
    const cwd = await directoryFor({ sandbox });
    const { code, stdout, stderr } = await runCli(args, { cwd });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(linesOf(stderr)).toEqual([
      `security-sync: there is no database: DATABASE_URL is not set, and there is none in ${join(cwd, '.data', 'postgres')}. Set DATABASE_URL, or change to the directory that has it; security-sync migrate creates a new one here`,
    ]);
    expect(await readdir(cwd)).toEqual(['security-sync.yaml']);
  },
);

describe('help', () => {
  test.each([
    'run',
    'sync',
    'check',
    'status',
    'plan',
    'verify',
    'replay',
    'reset',
    'migrate',
    'roles',
    'streams',
    'sandbox',
    'demo',
  ])('for %s has an example, exit codes and where to read on', (name) => {
    const help = HELP[name];
    expect(helpText(help ?? { examples: [], exit: {}, read: '' })).toMatch(
      new RegExp(
        `^\\nExamples:\\n  security-sync ${name}[\\s\\S]*Exit codes:\\n  0  [\\s\\S]*  3  database[\\s\\S]*Read on: \\S+\\.md`,
      ),
    );
  });

  test.each([
    [['help', 'nope'], /^error: unknown command 'nope'\n/],
    [['help', 'synk'], /^error: unknown command 'synk', did you mean sync\?/],
    [['sync', '--fulll'], /did you mean --full.*\n\(security-sync sync --help shows its options\)/is],
  ])('%j is answered in a line', async (args, says) => {
    const { code, stderr, stdout } = await runCli(args, { cwd: await temporaryDirectory() });
    expect(stderr).toMatch(says);
    expect(linesOf(stderr).length).toBeLessThan(4);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('of a command is the same for help and --help', async () => {
    const cwd = await temporaryDirectory();
    const [help, flag] = await Promise.all([runCli(['help', 'sync'], { cwd }), runCli(['sync', '--help'], { cwd })]);
    expect([help.code, flag.code]).toEqual([0, 0]);
    expect(help.stdout).toBe(flag.stdout);
    expect(help.stdout).toContain('security-sync sync hss_cluster_events --full');
  });
});

test('an answer shows control characters of stored texts as escapes, so that they do not reach the terminal', async () => {
  const sandbox = await sandboxWith();
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await runCli(['migrate'], { cwd });
  await database.pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, certificate, reason, started_at, beat_at, finished_at, owner, error)
     values ('hss_hosts', 'default', $1, $2, 'failed', 'incomplete', 'interrupted', now(), now(), now(), 'a', $3)`,
    [DEMO_PROJECT.region, DEMO_PROJECT.id, 'refused \u001b[2J\u009b31m'],
  );
  const text = await runCli(['status'], { cwd });
  const json = await runCli(['status', '--json'], { cwd });
  expect(text.stdout).toContain('refused \\u001b[2J\\u009b31m');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys.
  expect(`${text.stdout}${json.stdout}`).not.toMatch(/[\u001b\u009b]/);
  expect(json.stdout).toContain('refused \\u001b[2J\\u009b31m');
});

test('a mistyped stream is reported together with the problems of the configuration', async () => {
  const { code, stderr } = await runCli(['sync', 'hss_cluster_event'], { cwd: await temporaryDirectory() });
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^security-sync: unknown stream: hss_cluster_event, did you mean hss_cluster_events\?\n4 problems in the configuration from the environment/,
  );
  expect(stderr).toMatch(/docs\/configuration\.md.*security-sync demo/s);
});

test('check sends one request to a host that does not answer, and names the project in each line', async () => {
  const sandbox = await sandboxWith();
  const projects = ['0f3c1e7a9b2d4c5e8f6a7b8c9d0e1f2a', '84b5266c14ae489fa6549827f032dc62'];
  const away = { ...sandbox, url: 'http://127.0.0.1:9' };
  const cwd = await directoryFor({ sandbox: away, databaseUrl: database.url, projects });
  const { code, stdout } = await runCli(['check'], { cwd });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^Account [\w.-]+ signs in by aksk\.$/m);
  const notes = linesOf(stdout).filter((line) => line.includes('ECONNREFUSED'));
  expect(notes, stdout).toHaveLength(2);
  expect(stdout).not.toContain('not requested');
  expect(notes[0]).toMatch(/^hss_protected_clusters, project 0f3c1e7a9b2d4c5e8f6a7b8c9d0e1f2a: /);
});
