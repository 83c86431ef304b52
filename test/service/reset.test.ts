import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../src/cli/database.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();
const { pool } = database;

async function remembered(): Promise<readonly { readonly stream: string; readonly what: string }[]> {
  const { rows } = await pool.query<{ stream: string; what: string }>(
    `select stream, 'listing' as what from sync.listings union all select stream, 'dialect' from sync.dialects order by 1, 2`,
  );
  return rows;
}

it('deletes the checkpoints of one stream, and only with consent', async () => {
  const { sandbox, run } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  expect(await runCli(['reset', 'dbss_audit_instances'], { cwd })).toMatchObject({ code: 0 });
  await run(dbssAuditInstances);
  await run(hssProtectedClusters);
  const before = await remembered();
  expect(before).toEqual([
    { stream: 'dbss_audit_instances', what: 'dialect' },
    { stream: 'dbss_audit_instances', what: 'listing' },
    { stream: 'hss_protected_clusters', what: 'dialect' },
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
  expect(await remembered()).toEqual(before.filter(({ stream }) => stream === 'hss_protected_clusters'));
  const { rows } = await pool.query('select count(*)::int as rows from dbss.audit_instances where _deleted_at is null');
  expect(rows).toEqual([{ rows: 3 }]);
  expect(await run(dbssAuditInstances)).toMatchObject({ status: 'succeeded', walk: 'full', inserted: 0 });
});

/** Tables with rows of projects, whatever they are called. */
async function projectTables(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', c.table_schema, c.table_name) as name
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.column_name = 'project_id' and t.table_type = 'BASE TABLE' and c.table_schema in ('hss', 'dbss', 'sync') order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function countsOf(projectId: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const table of await projectTables()) {
    const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from ${table} where project_id = $1`, [
      projectId,
    ]);
    if (rows[0]?.n) counts[table] = rows[0].n;
  }
  return counts;
}

/** All that is stored of the scope once more under another id, which leaves out no table. */
async function copyProject(projectId: string): Promise<void> {
  await pool.query(`insert into dbss.audit_instances_history
    select (jsonb_populate_record(null::dbss.audit_instances_history, to_jsonb(t)
      || jsonb_build_object('_valid_from', t._first_seen_at - interval '1 day', '_valid_to', now()))).* from dbss.audit_instances t`);
  await pool.query(
    `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, issues, payload, first_seen_at, last_seen_at)
     values ($1, 'hss_protected_clusters', 'f', 'default', 'cn-north-4', '', '{}', '[]', '{}', now(), now())`,
    [scope.projectId],
  );
  for (const table of await projectTables()) {
    const id = table === 'sync.runs' ? `|| jsonb_build_object('id', t.id + 1000000)` : '';
    await pool.query(
      `insert into ${table} overriding system value
       select (jsonb_populate_record(t, jsonb_build_object('project_id', $1::text) ${id})).* from ${table} t where project_id = $2`,
      [projectId, scope.projectId],
    );
  }
}

it('removes a project with all its rows, and only with consent; status names those that are not configured', async () => {
  const { sandbox, run } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await run(dbssAuditInstances);
  await run(hssProtectedClusters);
  expect((await runCli(['status'], { cwd })).stdout).not.toContain('Not configured');
  await copyProject('mistyped');
  const kept = await countsOf(scope.projectId);
  expect(Object.keys(kept)).toEqual([
    'dbss.audit_instances',
    'dbss.audit_instances_history',
    'hss.protected_clusters',
    'sync.dialects',
    'sync.listings',
    'sync.rejected_records',
    'sync.runs',
  ]);
  expect(await countsOf('mistyped')).toEqual(kept);
  const status = await runCli(['status'], { cwd });
  expect(status.stdout).toMatch(/^Not configured: mistyped\. .*\n {2}security-sync reset --project ID$/m);

  const silent = await runCli(['reset', '--project', 'mistyped'], { cwd });
  expect(silent).toMatchObject({ code: 2 });
  expect(silent.stderr).toContain('--yes');
  expect(await runCli(['reset', '', '--project', 'mistyped', '--yes'], { cwd })).toMatchObject({ code: 2 });
  expect(await runCli(['reset', '--yes'], { cwd })).toMatchObject({ code: 2 });
  const unknown = await runCli(['reset', '--project', 'other', '--yes'], { cwd });
  expect(unknown).toMatchObject({ code: 2 });
  expect(unknown.stderr).toContain(`projects with stored data: ${scope.projectId}, mistyped`);

  const held = await createStore(pool, { timeZone: 'UTC' }).open(hssProtectedClusters, {
    ...scope,
    projectId: 'mistyped',
  });
  if (held === 'busy') throw new Error('another process holds the lock');
  const before = await countsOf('mistyped');
  const refused = await runCli(['reset', '--project', 'mistyped', '--yes', '--json'], { cwd });
  expect(refused).toMatchObject({ code: 1 });
  expect(JSON.parse(refused.stdout)).toEqual({
    ok: false,
    project: 'mistyped',
    removed: [],
    busy: ['hss_protected_clusters'],
  });
  expect(await countsOf('mistyped')).toEqual(before);
  await held.close();

  const done = await runCli(['reset', '--project', 'mistyped', '--yes', '--json'], { cwd });
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(done.stdout).removed).toContainEqual(
    expect.objectContaining({
      stream: 'dbss_audit_instances',
      rows: kept['dbss.audit_instances'],
      versions: kept['dbss.audit_instances_history'],
      rejects: 0,
    }),
  );
  expect(await countsOf('mistyped')).toEqual({});
  expect(await countsOf(scope.projectId)).toEqual(kept);
  const { rows } = await pool.query('select distinct project_id from bi.stream_freshness');
  expect(rows).toEqual([{ project_id: scope.projectId }]);
});

it('refuses while another process runs the stream', async () => {
  const { sandbox, run } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  await run(hssProtectedClusters);
  const held = await createStore(pool, { timeZone: 'UTC' }).open(hssProtectedClusters, scope);
  if (held === 'busy') throw new Error('another process holds the lock');
  const refused = await runCli(['reset', 'hss_protected_clusters', '--yes', '--json'], { cwd });
  expect(refused).toMatchObject({ code: 1 });
  expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, reset: [], busy: [scope.projectId] });
  expect(await remembered()).toContainEqual({ stream: 'hss_protected_clusters', what: 'listing' });
  await held.close();
  expect(await runCli(['reset', 'hss_protected_clusters', '--yes'], { cwd })).toMatchObject({ code: 0 });
  expect(await remembered()).not.toContainEqual({ stream: 'hss_protected_clusters', what: 'listing' });
});

it.each([
  ['y\n', 'yes'],
  ['YES\n', 'yes'],
  ['\n', 'no'],
  ['nonsense\n', 'no'],
  ['', 'no'],
])('reads the answer %j as %s', async (typed, meaning) => {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = new PassThrough();
  const answer = confirm('Forget?', new AbortController().signal, { input, output });
  input.end(typed);
  expect(await answer).toBe(meaning);
  expect(String(output.read())).toContain('Forget? [y/N]');
});

it('does not ask without a terminal, and treats a signal as no', async () => {
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
