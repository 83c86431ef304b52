import type { PoolClient } from 'pg';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { ColumnType } from '../../src/core/stream/fields.ts';
import { formerHashOf } from '../../src/core/stream/json.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { type Written, writeRows } from '../../src/postgres/rows/row-writer.ts';
import { qualified, quote, statementsOf } from '../../src/postgres/rows/statements.ts';
import { dbssAuditInstances as instances } from '../../src/streams/dbss/audit-instances.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities as vulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssProtectedClusters as clusters } from '../../src/streams/hss/protected-clusters.ts';
import { hssWeakPasswords as passwords } from '../../src/streams/hss/weak-passwords.ts';
import { streams } from '../../src/streams/index.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

const { pool } = await createTestDatabase();
const client: PoolClient = await pool.connect();
afterAll(() => client.release());

// By the connection that counts what it wrote: Postgres gets the counts of another one when that one is idle.
beforeEach(() => wipe({ pool: client }));

const origin = { projectId: scope.projectId, region: scope.region, params: {}, timeZone: 'UTC' };

async function write(stream: Stream, records: readonly unknown[], refuseOlder = false): Promise<Written> {
  const { rows, rejects } = validate(stream, records, { origin, listingKey: '' });
  expect(rejects).toEqual([]);
  return writeRows({ client, stream, scope }, rows, { refuseOlder });
}

async function ask<R extends object = Record<string, unknown>>(sql: string): Promise<R[]> {
  return (await client.query<R & Record<string, unknown>>(sql)).rows;
}

const event = (id: string, more: object = {}) => ({
  event_id: id,
  handle_status: 'unhandled',
  update_time: 1_700_000_001_000,
  ...more,
});

const vulnerability = { image_type: 'local', type: 'app_vul', handle_status: 'handled', vul_id: 'V' };

/** What Postgres itself counted on a table, in this transaction and before it. */
async function written(table: string) {
  await client.query('select pg_stat_force_next_flush()');
  const [row] = await ask<{ written: number; scans: number }>(
    `select (n_tup_ins + n_tup_upd + n_tup_del)::int as written from pg_stat_user_tables where relid = '${table}'::regclass`,
  );
  return row?.written ?? -1;
}

describe('rows', () => {
  test('that are new are inserted, the same again costs no write, and one that differs is updated', async () => {
    const page = ['a', 'b', 'c'].map((id) => event(id));
    expect(await write(events, page)).toMatchObject({ inserted: 3, updated: 0, unchanged: 0, significant: 3 });
    const before = await written('hss.cluster_events');
    expect(await write(events, page)).toMatchObject({ inserted: 0, updated: 0, unchanged: 3, significant: 0 });
    expect(await written('hss.cluster_events')).toBe(before);
    expect(await write(events, [...page.slice(0, 2), event('c', { handle_status: 'handled' })])).toMatchObject({
      inserted: 0,
      updated: 1,
      unchanged: 2,
      significant: 1,
    });
    expect(await ask('select event_id, handle_status from hss.cluster_events order by 1')).toEqual([
      { event_id: 'a', handle_status: 'unhandled' },
      { event_id: 'b', handle_status: 'unhandled' },
      { event_id: 'c', handle_status: 'handled' },
    ]);
  });

  test('that an earlier version stored under a fingerprint of its own are not written again', async () => {
    const record = { ...vulnerability, cve_list: [{ cve_score: 7, cve_id: 'CVE-1' }, { cve_id: 'CVE-2' }] };
    await write(vulnerabilities, [record]);
    const [row] = validate(vulnerabilities, [record], { origin, listingKey: '' }).rows;
    const former = row === undefined ? '' : formerHashOf(row.row, row.extra);
    expect(former).not.toBe(row?.hash);
    await ask(`update hss.image_vulnerabilities set _hash = decode('${former}', 'hex')`);
    const before = await written('hss.image_vulnerabilities');
    expect(await write(vulnerabilities, [record])).toMatchObject({ unchanged: 1, updated: 0 });
    expect(await written('hss.image_vulnerabilities')).toBe(before);
    const changed = { ...record, cve_list: [{ cve_score: 8, cve_id: 'CVE-1' }, { cve_id: 'CVE-2' }] };
    expect(await write(vulnerabilities, [changed])).toMatchObject({ unchanged: 0, updated: 1, significant: 1 });
  });

  test('of an empty page are not written', async () => {
    expect(await write(events, [])).toMatchObject({ inserted: 0, unchanged: 0 });
  });

  test('with the same key twice in a page are written once, as last shown', async () => {
    const result = await write(events, [event('a'), event('b'), event('a', { handle_status: 'handled' })]);
    expect(result).toMatchObject({ inserted: 2, updated: 0 });
    expect(result.inserted + result.updated + result.unchanged, 'every record is accounted for').toBe(3);
    expect(await ask("select handle_status from hss.cluster_events where event_id = 'a'")).toEqual([
      { handle_status: 'handled' },
    ]);
    expect(await ask('select * from hss.cluster_events_history')).toEqual([]);
  });

  test('of another project with the same id are other rows', async () => {
    await write(events, [event('a')]);
    const { rows } = validate(events, [event('a', { handle_status: 'handled' })], {
      origin: { ...origin, projectId: 'other' },
      listingKey: '',
    });
    await writeRows({ client, stream: events, scope: { ...scope, projectId: 'other' } }, rows, { refuseOlder: false });
    expect(await ask('select count(*)::int as n from hss.cluster_events')).toEqual([{ n: 2 }]);
  });

  test('keep every type: 64-bit integers, fractions, instants, JSON, and text that Postgres could not hold', async () => {
    const record = {
      image_type: 'local',
      type: 'app_vul',
      handle_status: 'handled',
      vul_id: "V'\u0000",
      image_num: 9_223_372_036_854_775_807n,
      max_cvss_score: 7.4,
      cve_list: [{ cve_id: 'CVE-1', cvss: 7.4, big: 9_007_199_254_740_993n }],
      label_list: '\ud800 half',
      scan_time: 1_755_505_273_836,
      unknown: { 'k"': '\u0000' },
    };
    await write(vulnerabilities, [record]);
    const [row] = await ask(
      `select vul_id, image_num::text, max_cvss_score, cve_list::text, label_list, scan_time, _extra, account, region, project_id, image_type
       from hss.image_vulnerabilities`,
    );
    expect(row).toEqual({
      vul_id: "V'\ufffd",
      image_num: '9223372036854775807',
      max_cvss_score: 7.4,
      cve_list: '[{"big": 9007199254740993, "cvss": 7.4, "cve_id": "CVE-1"}]',
      label_list: '\ufffd half',
      scan_time: new Date('2025-08-18T08:21:13.836Z'),
      _extra: { unknown: { 'k"': '\ufffd' } },
      account: 'default',
      region: 'cn-north-4',
      project_id: scope.projectId,
      image_type: 'local_image',
    });
    expect(await write(vulnerabilities, [record])).toMatchObject({ unchanged: 1, updated: 0 });
  });

  test('that lost a field lose its value', async () => {
    await write(events, [event('a', { policy_name: 'p', odd: 1 })]);
    await write(events, [event('a')]);
    expect(await ask('select policy_name, _extra from hss.cluster_events')).toEqual([
      { policy_name: null, _extra: null },
    ]);
  });
});

describe('times of a row', () => {
  test('say when it was first seen and last changed, and the first never moves', async () => {
    await write(events, [event('a')]);
    const [first] = await ask<{ seen: Date; changed: Date }>(
      'select _first_seen_at as seen, _changed_at as changed from hss.cluster_events',
    );
    expect(first?.changed).toEqual(first?.seen);
    await write(events, [event('a', { handle_status: 'handled' })]);
    const [second] = await ask<{ seen: Date; changed: Date }>(
      'select _first_seen_at as seen, _changed_at as changed from hss.cluster_events',
    );
    expect(second?.seen).toEqual(first?.seen);
    expect(second?.changed.getTime()).toBeGreaterThan(first?.changed.getTime() ?? 0);
  });

  test('that was gone and is listed again: it is live, with its first sight and a new change', async () => {
    await write(events, [event('a'), event('b')]);
    await client.query("update hss.cluster_events set _deleted_at = now() where event_id = 'a'");
    expect(await write(events, [event('a'), event('b')])).toMatchObject({
      inserted: 0,
      updated: 1,
      unchanged: 1,
      significant: 1,
    });
    const [row] = await ask<{ live: boolean; kept: boolean }>(
      "select _deleted_at is null as live, _first_seen_at < _changed_at as kept from hss.cluster_events where event_id = 'a'",
    );
    expect(row).toEqual({ live: true, kept: true });
    expect(await ask('select * from hss.cluster_events_history'), 'its old version was closed when it went').toEqual(
      [],
    );
  });
});

describe('history', () => {
  const versions = () =>
    ask<{ handle_status: string; gap: number; positive: boolean }>(
      `select h.handle_status, h._valid_from < h._valid_to as positive,
         h._valid_to = coalesce((select min(n._valid_from) from hss.cluster_events_history n where n.event_id = h.event_id and n._valid_from > h._valid_from),
           (select _changed_at from hss.cluster_events e where e.event_id = h.event_id)) as seamless
       from hss.cluster_events_history h order by h._valid_from`,
    );

  test('gets nothing from a first load, and one closed version from each change, without a gap', async () => {
    for (const handle_status of ['unhandled', 'handled', 'unhandled'])
      await write(events, [event('a', { handle_status })]);
    await write(events, [event('a')]);
    expect(await versions()).toEqual([
      { handle_status: 'unhandled', positive: true, seamless: true },
      { handle_status: 'handled', positive: true, seamless: true },
    ]);
  });

  test('gets nothing from fields that change on their own, nor from unknown ones, but both are stored', async () => {
    const record = { ...vulnerability, scan_time: 1_700_000_001_000 };
    await write(vulnerabilities, [record]);
    const [before] = await ask<{ changed: Date }>('select _changed_at as changed from hss.image_vulnerabilities');
    expect(await write(vulnerabilities, [{ ...record, scan_time: 1_700_000_002_000, odd: 1 }])).toMatchObject({
      updated: 1,
      significant: 0,
    });
    expect(await ask('select scan_time, _extra, _changed_at as changed from hss.image_vulnerabilities')).toEqual([
      { scan_time: new Date(1_700_000_002_000), _extra: { odd: 1 }, changed: before?.changed },
    ]);
    expect(await ask('select * from hss.image_vulnerabilities_history')).toEqual([]);
    const instance = { id: 'i', name: 'a', remainDays: '3' };
    await write(instances, [instance]);
    expect(await write(instances, [{ ...instance, remainDays: '2' }])).toMatchObject({ updated: 1, significant: 0 });
  });

  test('gets nothing from a list in another order, at any depth, beside a field that changes on its own', async () => {
    const list = [{ id: 1, tags: ['x', { of: ['y', 'z'] }] }, { id: 2 }];
    const other = [{ id: 2 }, { tags: [{ of: ['z', 'y'] }, 'x'], id: 1 }];
    const record = { ...vulnerability, cve_list: list };
    await write(vulnerabilities, [record]);
    const listed = (cve_list: unknown, scan_time: number) =>
      write(vulnerabilities, [{ ...record, cve_list, scan_time }]);
    expect(await listed(other, 1_700_000_001_000)).toMatchObject({ updated: 1, significant: 0 });
    expect(await listed([], 1_700_000_002_000)).toMatchObject({ updated: 1, significant: 1 });
    expect(await listed(null, 1_700_000_003_000)).toMatchObject({ updated: 1, significant: 1 });
    const weak = { host_id: 'h', user_name: 'u' };
    await write(passwords, [
      {
        host_id: 'h',
        weak_pwd_accounts: [
          { ...weak, duration: 1 },
          { ...weak, user_name: 'v' },
        ],
      },
    ]);
    const later = {
      host_id: 'h',
      host_name: null,
      weak_pwd_accounts: [
        { user_name: 'v', host_id: 'h' },
        { ...weak, duration: 2 },
      ],
      odd: 1,
    };
    expect(await write(passwords, [later])).toMatchObject({ updated: 1, significant: 0 });
  });

  test('is not kept where a stream does not want it', async () => {
    await write(clusters, [{ cluster_id: 'c', policy_num: 1 }]);
    expect(await write(clusters, [{ cluster_id: 'c', policy_num: 2 }])).toMatchObject({ updated: 1, significant: 1 });
    expect(statementsOf(clusters).write).not.toContain('history');
  });
});

describe('older content', () => {
  test('is refused only when asked to, and only when both times are known', async () => {
    await write(events, [event('a', { update_time: 1_700_000_002_000, policy_name: 'new' })]);
    const older = event('a', { update_time: 1_700_000_001_000, policy_name: 'old' });
    expect(await write(events, [older], true)).toMatchObject({ updated: 0, stale: 1, unchanged: 0 });
    expect(await ask('select policy_name from hss.cluster_events')).toEqual([{ policy_name: 'new' }]);
    const undated = event('a', { update_time: 0, policy_name: 'undated' });
    expect(await write(events, [undated], true)).toMatchObject({ updated: 1, stale: 0 });
    expect(await write(events, [older], true), 'the stored time is unknown now').toMatchObject({
      updated: 1,
      stale: 0,
    });
    expect(await write(events, [event('a', { update_time: 1_700_000_000_500 })])).toMatchObject({
      updated: 1,
      stale: 0,
    });
  });

  test('is taken where the stored time is one to come: a wrong clock had dated the row ahead', async () => {
    await write(events, [event('ahead', { update_time: Date.UTC(2999, 0, 1), policy_name: 'ahead' })]);
    const right = event('ahead', { update_time: Date.UTC(2026, 0, 1), policy_name: 'right' });
    expect(await write(events, [right], true)).toMatchObject({ updated: 1, stale: 0 });
  });

  test('with the same time is not older content', async () => {
    await write(events, [event('a')]);
    expect(await write(events, [event('a', { policy_name: 'p' })], true)).toMatchObject({ updated: 1, stale: 0 });
  });
});

/** A value that a key column of the type can hold, as a record may write it. */
function keyValue(name: string, type: ColumnType | undefined): string {
  if (type === 'bigint' || type === 'timestamptz') return '1767225600000';
  return type === 'boolean' ? 'true' : `k-${name}`;
}

test.each(streams)('$name: the fewest fields that make a row are written, found again and updated', async (stream) => {
  const params = Object.fromEntries(stream.key.map((name) => [name, keyValue(name, stream.fields[name]?.type)]));
  const texts = Object.entries(stream.fields).filter(([name, { type, volatile, derive }]) => {
    return type === 'text' && !volatile && derive === undefined && !stream.key.includes(name);
  });
  const [[column = '', field] = []] = texts;
  const record = (value: string) =>
    field?.inside === undefined ? { [column]: value } : { [field.inside]: { [field.wire ?? column]: value } };
  const rows = (value: string) =>
    validate(stream, [{ ...params, ...record(value) }], { origin: { ...origin, params }, listingKey: '' }).rows;
  const save = (value: string) => writeRows({ client, stream, scope }, rows(value), { refuseOlder: true });
  const one = stream.fields[column]?.derive === undefined && stream.key.every((name) => !stream.fields[name]?.derive);
  expect(await save('1')).toMatchObject({ inserted: 1, updated: 0, unchanged: 0 });
  expect(await save('1')).toMatchObject({ inserted: 0, updated: 0, unchanged: 1 });
  if (one) expect(await save('2')).toMatchObject({ inserted: 0, updated: 1, unchanged: 0, significant: 1 });
  expect(await ask(`select ${quote(column)} as value from ${qualified(stream.table)}`)).toContainEqual({
    value: one ? '2' : '1',
  });
});

describe('new rows that Postgres refuses', () => {
  test.each([
    ['before it takes any', 1, 10],
    ['while a lot of them is on its way', 600, 20_000],
  ])('%s are an error, and the connection goes on', async (_when, count, length) => {
    await client.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$`,
    );
    await client.query('create trigger refuse before insert on hss.cluster_events execute function refuse()');
    const page = Array.from({ length: count }, (_, n) => event(`e${n}`, { event_name: 'x'.repeat(length) }));
    try {
      await expect(write(events, page)).rejects.toMatchObject({ code: '53100' });
    } finally {
      await client.query('drop function refuse cascade');
    }
    expect(await write(events, page.slice(0, 3))).toMatchObject({ inserted: Math.min(count, 3) });
  });
});
