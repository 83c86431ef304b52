import type pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { OF_EVERY_KIND, startEngine } from '../support/engine.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { type Answer, verify } from '../support/verify.ts';
import { wipe } from '../support/world.ts';

const NAMES = OF_EVERY_KIND.map(({ name }) => name);

const sum = ({ streams }: Answer, name: 'compared' | 'missing' | 'extra' | 'changed' | 'excused') =>
  streams.reduce((total, one) => total + one[name], 0);

/** The content of every table, and how many rows were ever written to each. */
async function contents(pool: pg.Pool): Promise<unknown> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('hss', 'dbss', 'sync') and table_type = 'BASE TABLE' order by 1`,
  );
  const sums: Record<string, unknown> = {};
  for (const { name } of tables) {
    const { rows } = await pool.query(
      `select count(*)::int as rows, md5(string_agg(t.xmin::text || t.ctid::text || t::text, '' order by t::text)) as sum from ${name} t`,
    );
    sums[name] = rows[0];
  }
  return sums;
}

const events = inTable('hss_cluster_events', 'hss.cluster_events', 'event_id');
const auditReports = inTable('dbss_audit_reports', 'dbss.audit_reports', 'id');
const operations = inTable('hss_image_vulnerability_operations', 'hss.image_vulnerability_operations', 'operation_key');
const vulnerabilities = inTable('hss_image_vulnerabilities', 'hss.image_vulnerabilities', 'vul_id');
const clusterReports = inTable('hss_cluster_security_reports', 'hss.cluster_security_reports', 'report_id');
const clusters = inTable('hss_protected_clusters', 'hss.protected_clusters', 'cluster_id');
const instances = inTable('dbss_audit_instances', 'dbss.audit_instances', 'instance_id');

/** Differences between list and table: what verify must call each, and statements that each affect one row. */
const SEEDS: readonly Seed[] = [
  ...several(11, (n) => events.missing(n)),
  ...several(8, (n) => events.extra(100 + n)),
  ...[
    ["handle_status = 'x'", 'handle_status'],
    ["update_time = update_time + interval '1 ms'", 'update_time'],
    ["update_time = update_time + interval '10 years'", 'update_time'],
    ['create_time = null', 'create_time'],
    ['event_type = event_type + 1', 'event_type'],
    [`event_content_json = event_content_json || '{"n": 1}'`, 'event_content_json'],
    ["event_content = event_content || ' '", 'event_content'],
    [`_extra = '{"n": 1}'`, '_extra'],
    ["resource_info_kind = ''", 'resource_info_kind'],
    ["cluster_id = 'elsewhere'", 'cluster_id'],
  ].map(([set = '', field = ''], index) => events.changed(200 + 10 * index, set, [field])),
  ...several(3, (n) => auditReports.missing(n)),
  ...several(2, (n) => auditReports.extra(20 + n)),
  auditReports.changed(30, 'percentum = 7', ['percentum']),
  auditReports.changed(31, 'finish_time = null, url = null', ['finish_time', 'url']),
  ...several(2, (n) => operations.missing(n)),
  operations.changed(10, "remark = 'x'", ['remark']),
  operations.extra(15, ", handle_time = now() - interval '1 hour'"),
  ...several(2, (n) => vulnerabilities.missing(20 + 3 * n)),
  vulnerabilities.extra(40),
  vulnerabilities.changed(50, 'max_cvss_score = 0.1', ['max_cvss_score']),
  vulnerabilities.changed(60, `cve_list = '[]'`, ['cve_list']),
  clusterReports.missing(1),
  clusterReports.changed(5, "severity = 'None'", ['severity']),
  {
    stream: 'hss_protected_clusters',
    kind: 'missing',
    fields: [],
    sql: [
      'update hss.protected_clusters set _deleted_at = now() where cluster_id = (select max(cluster_id) from hss.protected_clusters)',
    ],
  },
  clusters.changed(3, 'policy_num = 99', ['policy_num']),
  instances.changed(1, "name = 'x'", ['name']),
];

interface Seed {
  readonly stream: string;
  readonly kind: string;
  readonly fields: readonly string[];
  readonly sql: readonly string[];
}

/** Seeds at every second row. */
function several(count: number, seed: (n: number) => Seed): readonly Seed[] {
  return Array.from({ length: count }, (_, index) => seed(2 * index));
}

/** Seeds at row `n` of a table, in the order of its key. */
function inTable(stream: string, table: string, key: string) {
  const nth = (n: number) =>
    `(select ctid from ${table} where ${key} not like 'extra%' order by ${key}, ctid offset ${n} limit 1)`;
  return {
    missing: (n: number): Seed => ({
      stream,
      kind: 'missing',
      fields: [],
      sql: [`delete from ${table} where ctid = ${nth(n)}`],
    }),
    changed: (n: number, set: string, fields: readonly string[]): Seed => ({
      stream,
      kind: 'changed',
      fields,
      sql: [`update ${table} set ${set} where ctid = ${nth(n)}`],
    }),
    extra: (n: number, set = ''): Seed => ({
      stream,
      kind: 'extra',
      fields: [],
      sql: [
        `create temporary table copied on commit drop as select * from ${table} where ctid = ${nth(n)}`,
        `update copied set ${key} = 'extra-${n}'${set}`,
        `insert into ${table} select * from copied`,
      ],
    }),
  };
}

async function plant({ pool }: TestDatabase): Promise<void> {
  const client = await pool.connect();
  try {
    for (const { sql } of SEEDS) {
      await client.query('begin');
      for (const statement of sql) expect((await client.query(statement)).rowCount ?? 1).toBe(1);
      await client.query('commit');
    }
  } finally {
    client.release();
  }
}

const database = await createTestDatabase();

it('finds every one of 50 differences, names them, and changes nothing', async () => {
  expect(SEEDS).toHaveLength(50);
  const { sandbox, runAll } = await startEngine(database, { events: 400, vulnerabilities: 72 });
  const synced = await runAll(OF_EVERY_KIND);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });

  const healthy = await contents(database.pool);
  const before = await verify(cwd, ...NAMES);
  expect(before.answer.streams.flatMap(({ differences }) => differences)).toEqual([]);
  expect(before).toMatchObject({ code: 0, answer: { ok: true } });
  expect(sum(before.answer, 'compared')).toBe(synced.reduce((total, { inserted }) => total + inserted, 0));
  expect(await contents(database.pool)).toEqual(healthy);

  await plant(database);
  const planted = await contents(database.pool);
  const { code, answer } = await verify(cwd, ...NAMES);
  expect(await contents(database.pool)).toEqual(planted);
  expect(code).toBe(1);
  const found = answer.streams.flatMap(({ stream, differences }) => differences.map((one) => ({ stream, ...one })));
  const tell = ({
    stream,
    kind,
    fields,
  }: {
    readonly stream: string;
    readonly kind: string;
    readonly fields?: readonly unknown[];
  }) => `${stream} ${kind} ${(fields ?? []).join(' ')}`;
  expect(found.map((one) => tell({ ...one, fields: one.fields.map(({ field }) => field) })).sort()).toEqual(
    SEEDS.map(tell).sort(),
  );
  expect(found.filter(({ excused }) => excused)).toEqual([]);
  expect(found.find(({ fields }) => fields[0]?.field === 'policy_num')?.fields[0]).toMatchObject({ stored: '99' });

  const { stdout } = await runCli(['verify', ...NAMES], { cwd });
  expect(stdout).toContain('... and 30 more: --json has all of them');
  expect(stdout).toContain('50 differences');
});

it('verify reports that there is nothing to compare, and sends no request, for a table that was never read or was reset', async () => {
  await wipe(database);
  const sandbox = await startSandbox({ clusters: 3, events: 30, vulnerabilities: 4, instances: 1, reports: 2 });
  onTestFinished(() => sandbox.close());
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const said = (...names: string[]) => runCli(['verify', ...names], { cwd });
  const never = await said('hss_protected_clusters');
  expect(never.code).toBe(1);
  expect(never.stdout).toContain(
    'Nothing to compare: no list has been read to its end yet. Run security-sync sync hss_protected_clusters first.',
  );
  expect(sandbox.requests.count()).toBe(0);

  expect((await runCli(['sync', 'hss_protected_clusters'], { cwd })).code).toBe(0);
  const partly = await said('hss_protected_clusters', 'hss_cluster_security_reports');
  expect(partly.code).toBe(1);
  expect(partly.stdout).toContain('The tables that were read equal the API.');
  expect(partly.stdout).toContain(
    'Not compared, because no list has been read to its end yet. Run security-sync sync hss_cluster_security_reports first.',
  );
  expect(partly.stderr).toContain('hss_protected_clusters: 3 rows compared with 1 request');

  await database.pool.query(
    `update hss.protected_clusters set _deleted_at = now() - interval '1 day'
     where cluster_id = (select min(cluster_id) from hss.protected_clusters)`,
  );
  expect((await said('hss_protected_clusters')).stdout).toMatch(
    /^1 difference\.\nA full walk adds the missing rows: security-sync sync hss_protected_clusters --full, then verify again\./m,
  );
  const reset = await runCli(['reset', 'hss_protected_clusters', '--yes'], { cwd });
  expect(reset.stdout).toContain('deleted the certificates and checkpoints of 1 list of project');
  expect((await said('hss_protected_clusters')).stdout).toContain('Nothing to compare');
});

it('a key altered by hand is not excused as a row that went from one list of its stream to another', async () => {
  await wipe(database);
  const { sandbox, run } = await startEngine(database, { vulnerabilities: 30 });
  await run(hssImageVulnerabilities);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  const edited = await database.pool.query(
    `update hss.image_vulnerabilities set handle_status = 'handled' where ctid = (
       select v.ctid from hss.image_vulnerabilities v where handle_status = 'unhandled' and not exists (
         select from hss.image_vulnerabilities o where o.handle_status = 'handled' and o.vul_id = v.vul_id)
       order by vul_id limit 1)`,
  );
  expect(edited.rowCount).toBe(1);
  const { code, answer } = await verify(cwd, 'hss_image_vulnerabilities');
  expect(code).toBe(1);
  expect(answer).toMatchObject({ streams: [{ missing: 1, extra: 1, changed: 0, excused: 0 }] });
});

it('answers wrong names with exit code 2 and a lost database with 3', async () => {
  const { sandbox } = await startEngine(database);
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  expect(await runCli(['verify', 'nonsense'], { cwd })).toMatchObject({ code: 2 });
  expect(await runCli(['verify', '--project', 'nonsense'], { cwd })).toMatchObject({ code: 2 });
  const nowhere = await directoryFor({ sandbox, databaseUrl: 'postgres://nobody@127.0.0.1:1/none' });
  expect(await runCli(['verify'], { cwd: nowhere })).toMatchObject({ code: 3 });
});
