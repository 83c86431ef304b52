import type { PoolClient } from 'pg';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { compareRows } from '../../src/core/verify.ts';
import { forget } from '../../src/postgres/maintenance/reset.ts';
import { createTableReader } from '../../src/postgres/queries/table-reader.ts';
import { writeRows } from '../../src/postgres/rows/row-writer.ts';
import { sweepRows } from '../../src/postgres/run/sweep.ts';
import { hssHostVulnerabilities as findings } from '../../src/streams/hss/host-vulnerabilities.ts';
import { hssVulnerabilities } from '../../src/streams/hss/vulnerabilities.ts';
import { hssWeakPasswords as weak } from '../../src/streams/hss/weak-passwords.ts';
import { verifyStream } from '../../src/sync/verify/verify-stream.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld, wipe } from '../support/world.ts';

/** Lists inside rows as tables of their own: the CVEs of a finding, the accounts of a host. */

const database = await createTestDatabase();
const { pool } = database;
const client: PoolClient = await pool.connect();
afterAll(() => client.release());
beforeEach(() => wipe(database));

const origin = { projectId: scope.projectId, region: scope.region, params: {}, timeZone: 'UTC' };
const tables = createTableReader(pool);

function rowsOf(stream: Stream, records: readonly unknown[]) {
  const { rows, rejects } = validate(stream, records, { origin, listingKey: '' });
  expect(rejects).toEqual([]);
  return rows;
}

const write = (stream: Stream, ...records: readonly unknown[]) =>
  writeRows({ client, stream, scope }, rowsOf(stream, records), { refuseOlder: false });

const finding = (cve_list: unknown, more: object = {}) => ({
  type: 'linux_vul',
  host_id: 'h1',
  vul_id: 'v1',
  scan_time: 1_700_000_000_000,
  cve_list,
  ...more,
});

const cve = (number: number, cvss: unknown = 5) => ({ cve_id: `CVE-2026-${number}`, cvss });

const ask = async (sql: string) => (await client.query<Record<string, unknown>>(sql)).rows;

/** Host, CVE, score, and whether it is gone. */
const cves = async () =>
  (
    await ask(
      'select host_id, cve_id, cvss, _deleted_at is not null as gone from hss.host_vulnerability_cves order by 1, 2',
    )
  ).map((row) => [row.host_id, row.cve_id, row.cvss, row.gone ? 'gone' : 'there']);

/** How many rows of a table Postgres has written so far. */
async function writtenTo(table: string): Promise<unknown> {
  await client.query('select pg_stat_force_next_flush()');
  const [row] = await ask(
    `select (n_tup_ins + n_tup_upd + n_tup_del)::int as written from pg_stat_user_tables where relid = '${table}'::regclass`,
  );
  return row?.written;
}

const stray = async (stream: Stream) => await tables.strayMembers(stream, scope);

test('the CVEs of a new finding are rows, first seen when the finding was', async () => {
  await write(findings, finding([cve(1, 9.8), cve(2)]), finding([cve(1)], { host_id: 'h2' }));
  expect(await cves()).toEqual([
    ['h1', 'CVE-2026-1', 9.8, 'there'],
    ['h1', 'CVE-2026-2', 5, 'there'],
    ['h2', 'CVE-2026-1', 5, 'there'],
  ]);
  expect(
    await ask(
      `select count(*)::int as n from hss.host_vulnerability_cves c join hss.host_vulnerabilities f using (project_id, type, host_id, vul_id)
       where c._first_seen_at = f._first_seen_at and c._changed_at = f._changed_at`,
    ),
  ).toEqual([{ n: 3 }]);
  expect(await stray(findings)).toEqual([]);
});

test('a finding that did not change, or changed elsewhere, writes none of its CVEs', async () => {
  await write(findings, finding([cve(1), cve(2)]));
  const before = await writtenTo('hss.host_vulnerability_cves');
  expect(await write(findings, finding([cve(1), cve(2)]))).toMatchObject({ unchanged: 1 });
  expect(await write(findings, finding([cve(2), cve(1)], { status: 'vul_status_fixed' }))).toMatchObject({
    significant: 1,
  });
  expect(await write(findings, finding([cve(1), cve(2)], { scan_time: 1_700_000_009_000 }))).toMatchObject({
    updated: 1,
  });
  expect(await writtenTo('hss.host_vulnerability_cves')).toBe(before);
});

test('if the CVEs of a finding changed, only the different ones are written, at the time of its new version', async () => {
  await write(findings, finding([cve(1), cve(2), cve(3)]));
  const before = await writtenTo('hss.host_vulnerability_cves');
  await write(findings, finding([cve(1), cve(2, 7), cve(4)]));
  expect(await cves()).toEqual([
    ['h1', 'CVE-2026-1', 5, 'there'],
    ['h1', 'CVE-2026-2', 7, 'there'],
    ['h1', 'CVE-2026-3', 5, 'gone'],
    ['h1', 'CVE-2026-4', 5, 'there'],
  ]);
  expect(await writtenTo('hss.host_vulnerability_cves')).toBe(Number(before) + 3);
  expect(
    await ask(
      `select cve_id from hss.host_vulnerability_cves c cross join hss.host_vulnerabilities f
       where f._changed_at in (c._changed_at, c._deleted_at) order by 1`,
    ),
  ).toEqual([{ cve_id: 'CVE-2026-2' }, { cve_id: 'CVE-2026-3' }, { cve_id: 'CVE-2026-4' }]);
  await write(findings, finding([cve(3)]));
  expect((await cves()).filter(([, , , state]) => state === 'there')).toEqual([['h1', 'CVE-2026-3', 5, 'there']]);
  expect(await stray(findings)).toEqual([]);
});

test('valid CVEs of a list with other elements are stored, and its finding is not a reject', async () => {
  await write(
    findings,
    finding([
      cve(1, '7.5'),
      cve(2, 'n/a'),
      cve(3, '9'.repeat(400)),
      { cveId: 'CVE-2026-4', cvss: 3 },
      cve(5, 1),
      cve(5, 2),
      { cve_id: 'x'.repeat(30_000) },
      { cve_id: '' },
      { cvss: 3 },
      'CVE-2026-6',
      [cve(7)],
      null,
    ]),
    finding({ cve_id: 'CVE-2026-8' }, { host_id: 'h2' }),
    finding(null, { host_id: 'h3' }),
    finding('text', { host_id: 'h4' }),
  );
  expect(await cves()).toEqual([
    ['h1', 'CVE-2026-1', 7.5, 'there'],
    ['h1', 'CVE-2026-2', null, 'there'],
    ['h1', 'CVE-2026-3', null, 'there'],
    ['h1', 'CVE-2026-4', 3, 'there'],
    ['h1', 'CVE-2026-5', 1, 'there'],
  ]);
  expect(await stray(findings)).toEqual([]);
});

test('the CVEs of a swept finding are marked as gone with it, and come back with it', async () => {
  await write(findings, finding([cve(1)]), finding([cve(1)], { host_id: 'h2' }));
  const key = ['linux_vul', 'h1', 'v1'];
  expect(await sweepRows({ client, stream: findings, scope }, [{ key, enterpriseProjectId: null }])).toBe(1);
  expect(await cves()).toEqual([
    ['h1', 'CVE-2026-1', 5, 'gone'],
    ['h2', 'CVE-2026-1', 5, 'there'],
  ]);
  expect(
    await ask('select from hss.host_vulnerability_cves c join hss.host_vulnerabilities f using (_deleted_at, host_id)'),
  ).toHaveLength(1);
  await write(findings, finding([cve(1)]));
  expect((await cves()).map(([, , , state]) => state)).toEqual(['there', 'there']);
});

test.each([
  'delete from hss.host_vulnerabilities',
  'truncate hss.host_vulnerabilities',
  'truncate hss.host_vulnerabilities, hss.host_vulnerability_cves',
])('CVEs go with their findings after "%s"', async (sql) => {
  await write(findings, finding([cve(1)]));
  await client.query(sql);
  expect(await cves()).toEqual([]);
});

test('a transaction that is rolled back leaves neither a finding nor its CVEs', async () => {
  await client.query('begin');
  await write(findings, finding([cve(1)]));
  expect(await cves()).toHaveLength(1);
  await client.query('rollback');
  expect(await cves()).toEqual([]);
});

test('a list changed by hand is restored with its members, and members changed by hand are found by verify and restored by reset', async () => {
  const world = await startWorld(database, { sandbox: { hosts: 4 } });
  await world.run(hssVulnerabilities);
  const verify = async () =>
    await verifyStream(
      world.engine,
      { stream: hssVulnerabilities, scope },
      { tables, lists: [], parentProven: true, children: [], signal: new AbortController().signal, keep: 10 },
    );
  expect(await verify()).toMatchObject({ ok: true, changed: 0 });
  await pool.query(`update hss.vulnerabilities set cve_list = '[{"cve_id": "CVE-1"}]'`);
  expect(await ask('select distinct cve_id from hss.vulnerability_cves where _deleted_at is null')).toHaveLength(1);
  await world.run(hssVulnerabilities);
  expect(await verify()).toMatchObject({ ok: true, changed: 0 });

  const one = '(select ctid from hss.vulnerability_cves where _deleted_at is null limit 1)';
  const { rows: lost } = await pool.query(
    `delete from hss.vulnerability_cves where ctid = ${one} returning type, handle_status, vul_id, cve_id`,
  );
  const { cve_id, ...key } = lost[0] ?? expect.unreachable();
  const found = await verify();
  expect(found).toMatchObject({ ok: false, changed: 1, differences: [{ kind: 'changed', key, excused: false }] });
  expect(found.differences[0]?.fields).toMatchObject([{ field: 'vulnerability_cves', stored: null }]);
  expect(found.differences[0]?.fields[0]?.listed).toContain(cve_id);
  await forget(pool, hssVulnerabilities, scope.projectId);
  await world.run(hssVulnerabilities);
  expect(await verify()).toMatchObject({ ok: true, changed: 0 });
});

test('which hosts have a CVE is one line of SQL', async () => {
  await write(
    findings,
    finding([cve(1, 9.8), cve(2)], { host_name: 'web' }),
    finding([cve(1, 9.8)], { host_name: 'web', type: 'urgent_vul' }),
    finding([cve(1, 9.8)], { host_id: 'h2', host_name: 'db', status: 'vul_status_fixed' }),
  );
  expect(
    await ask("select host_name, type, cvss_score, is_open from bi.host_cves where cve_id = 'CVE-2026-1' order by 1"),
  ).toEqual([
    { host_name: 'db', type: 'linux_vul', cvss_score: 9.8, is_open: false },
    { host_name: 'web', type: 'linux_vul', cvss_score: 9.8, is_open: true },
  ]);
});

describe('days that a weak password was in use', () => {
  const host = (duration: number, more: object = {}) => ({
    host_id: 'h1',
    update_time: 1_700_000_000_000,
    weak_pwd_accounts: [
      { user_name: 'root', service_type: 'system', duration, suggestion: 'change it' },
      { user_name: 'root', service_type: 'mysql', duration: duration + 7, suggestion: 'change it' },
    ],
    ...more,
  });
  const accounts = async () =>
    await ask('select service_type, duration::int, suggestion from hss.weak_password_accounts order by 1');

  test('do not cause a write, whatever their number', async () => {
    await write(weak, host(1));
    const before = await writtenTo('hss.weak_passwords');
    expect(await write(weak, host(2))).toMatchObject({ unchanged: 1, updated: 0 });
    expect(await writtenTo('hss.weak_passwords')).toBe(before);
    expect(await accounts()).toMatchObject([{ duration: 8 }, { duration: 1 }]);
  });

  test('are stored again by the next scan, without another version of the row', async () => {
    await write(weak, host(1));
    expect(await write(weak, host(3, { update_time: 1_700_000_100_000 }))).toMatchObject({
      updated: 1,
      significant: 0,
    });
    expect(await accounts()).toEqual([
      { service_type: 'mysql', duration: 10, suggestion: 'change it' },
      { service_type: 'system', duration: 3, suggestion: 'change it' },
    ]);
    expect(await ask('select from hss.weak_passwords_history')).toEqual([]);
    expect(await ask('select from hss.weak_password_accounts where _changed_at > _first_seen_at')).toEqual([]);
  });

  test('keep no other change of the account from being a version', async () => {
    await write(weak, host(1));
    const [account] = host(2).weak_pwd_accounts;
    expect(await write(weak, { ...host(2), weak_pwd_accounts: [account] })).toMatchObject({
      updated: 1,
      significant: 1,
    });
    expect(await ask('select from hss.weak_passwords_history')).toHaveLength(1);
    expect(await ask('select service_type from hss.weak_password_accounts where _deleted_at is null')).toEqual([
      { service_type: 'system' },
    ]);
    expect(await ask('select service_type from hss.weak_password_accounts where _changed_at > _first_seen_at')).toEqual(
      [],
    );
  });

  test('are shown by verify, and not counted', async () => {
    await write(weak, host(1));
    const stored = await tables.rowsLike(weak, scope, rowsOf(weak, [host(2)]));
    const [listed] = rowsOf(weak, [host(2)]);
    const row = stored.get('h1') ?? expect.unreachable();
    const found = compareRows(weak, row, listed ?? expect.unreachable());
    expect(found).toMatchObject([{ field: 'weak_pwd_accounts', volatile: true }]);
  });
});
