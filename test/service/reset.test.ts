import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../src/cli/confirm.ts';
import { createStore } from '../../src/postgres/store.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const { pool } = database;

async function remembered(): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select stream, 'listing' as what from sync.listings union all select stream, 'dialect' from sync.dialects order by 1, 2`,
  );
  return rows;
}

it('forgets the checkpoints of one stream, and only with consent', async () => {
  const { sandbox, run } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  expect(await runCli(['reset', 'dbss_audit_instances'], { cwd })).toMatchObject({ code: 0 });
  await run(dbssAuditInstances);
  await run(hssProtectedClusters);
  const before = await remembered();
  expect(before).toEqual([
    { stream: 'dbss_audit_instances', what: 'dialect' },
    { stream: 'dbss_audit_instances', what: 'listing' },
    { stream: 'hss_protected_clusters', what: 'listing' },
  ]);
  const silent = await runCli(['reset', 'dbss_audit_instances'], { cwd });
  expect(silent).toMatchObject({ code: 2 });
  expect(silent.stderr).toContain('--yes');
  expect(await runCli(['reset', 'nonsense', '--yes'], { cwd })).toMatchObject({ code: 2 });
  expect(await runCli(['reset'], { cwd })).toMatchObject({ code: 2 });
  expect(await runCli(['reset', 'dbss_audit_instances', '--yes', '--project', 'other'], { cwd })).toMatchObject({
    code: 2,
  });
  expect(await remembered()).toEqual(before);

  const done = await runCli(['reset', 'dbss_audit_instances', '--yes', '--project', scope.projectId, '--json'], {
    cwd,
  });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(done.stdout)).toEqual({
    ok: true,
    stream: 'dbss_audit_instances',
    reset: [{ project_id: scope.projectId, listings: 1, dialects: 1 }],
    busy: [],
  });
  expect(await remembered()).toEqual([{ stream: 'hss_protected_clusters', what: 'listing' }]);
  const { rows } = await pool.query('select count(*)::int as rows from dbss.audit_instances where _deleted_at is null');
  expect(rows).toEqual([{ rows: 3 }]);
  expect(await run(dbssAuditInstances)).toMatchObject({ status: 'succeeded', walk: 'full', inserted: 0 });
}, 60_000);

it('refuses while another process runs the stream', async () => {
  const { sandbox, run } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await run(hssProtectedClusters);
  const load = await createStore(pool, { timeZone: 'UTC' }).open(hssProtectedClusters, scope);
  if (load === 'busy') throw new Error('nobody else is there');
  const refused = await runCli(['reset', 'hss_protected_clusters', '--yes', '--json'], { cwd });
  expect(refused).toMatchObject({ code: 1 });
  expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, reset: [], busy: [scope.projectId] });
  expect(await remembered()).toContainEqual({ stream: 'hss_protected_clusters', what: 'listing' });
  await load.close();
  expect(await runCli(['reset', 'hss_protected_clusters', '--yes'], { cwd })).toMatchObject({ code: 0 });
  expect(await remembered()).not.toContainEqual({ stream: 'hss_protected_clusters', what: 'listing' });
}, 60_000);

it.each([
  ['y\n', 'yes'],
  ['YES\n', 'yes'],
  ['\n', 'no'],
  ['nonsense\n', 'no'],
  ['', 'no'],
])('takes the answer %j for %s', async (typed, meaning) => {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = new PassThrough();
  const answer = confirm('Forget?', new AbortController().signal, { input, output });
  input.end(typed);
  expect(await answer).toBe(meaning);
  expect(String(output.read())).toContain('Forget? [y/N]');
});

it('asks nobody where there is no terminal, and takes a signal for no', async () => {
  const input = new PassThrough();
  expect(await confirm('Forget?', new AbortController().signal, { input, output: new PassThrough() })).toBe(
    'no terminal',
  );
  const stop = new AbortController();
  const terminal = { input: Object.assign(new PassThrough(), { isTTY: true }), output: new PassThrough() };
  const answer = confirm('Forget?', stop.signal, terminal);
  stop.abort();
  expect(await answer).toBe('no');
});
