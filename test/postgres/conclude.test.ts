import type { ClientBase } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import type { Conclusion, StreamRun, SweepBasis } from '../../src/core/store.ts';
import { type Listing, listing } from '../../src/core/stream/endpoint.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import type { Doubt } from '../../src/core/sweep.ts';
import { withClient } from '../../src/postgres/connection/pool.ts';
import { readStreamStates } from '../../src/postgres/queries/stream-state.ts';
import { RUN_SETTINGS } from '../../src/postgres/run/postgres-run.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { findMissing } from '../../src/postgres/run/sweep.ts';
import { dbssAuditInstances as instances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports as reports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { scope } from '../support/engine.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** What the end of a walk leaves in the database: the certificate, what is in doubt, which rows and rejects are over. */

const { pool } = await createTestDatabase();
const store = createStore(pool, { timeZone: 'UTC' });

let projects = 0;
const newScope = (): Scope => {
  projects += 1;
  return { ...scope, projectId: `project${String(projects).padStart(3, '0')}` };
};

async function opened(stream: Stream, where: Scope): Promise<StreamRun> {
  const run = await store.open(stream, where);
  if (run === 'busy') throw new Error('another process holds the lock');
  onTestFinished(() => run.close());
  return run;
}

/**
 * Postgres need not look at rows that `vacuum` found visible to all. It passes over pages that are in use, and rows whose
 * commit is not on disk yet.
 */
async function makeVisible(table: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    await pool.query('checkpoint');
    // Without index cleanup, pages with a few deleted rows are passed over as well.
    await pool.query(`vacuum (index_cleanup on) ${table}`);
    const { rows } = await pool.query<{ visible: boolean }>(
      'select relallvisible = relpages as visible from pg_class where oid = $1::regclass',
      [table],
    );
    if (rows[0]?.visible === true) return;
  }
  throw new Error(`vacuum did not find all rows of ${table} visible`);
}

interface PutPage {
  readonly stream: Stream;
  readonly where: Scope;
  readonly records: readonly unknown[];
  readonly of?: Listing;
}

async function put(run: StreamRun, { stream, where, records, of = listing() }: PutPage): Promise<void> {
  const origin = { projectId: where.projectId, region: where.region, params: of.params, timeZone: 'UTC' };
  const page = { listing: of, requests: 1, throttled: 0, progress: { offset: 1, total: 1 }, refuseOlder: false };
  await run.page({ ...page, ...validate(stream, records, { origin, listingKey: of.key }) });
}

/** A walk of the list that contained these keys only. */
function walked(
  seen: readonly string[],
  { of = listing(), ...rest }: Partial<Omit<Conclusion, 'sweep'> & SweepBasis> & { readonly of?: Listing } = {},
): Conclusion {
  const basis = {
    moved: false,
    unreadable: 0,
    surplus: 0,
    explained: 'none' as const,
    hasParts: false,
    acceptShrink: false,
    reconcileEveryMs: 3_600_000,
    stored: null,
    ...rest,
  };
  return {
    listing: of,
    certificate: { kind: 'complete', proof: 'order', evidence: NO_EVIDENCE },
    checkpoint: null,
    ...rest,
    sweep: { ...basis, seen: { has: (key) => seen.includes(key) } },
  };
}

/** What vanished is marked at once. */
const believed = { acceptShrink: true };

const INCOMPLETE = { kind: 'incomplete', reason: 'moving', evidence: NO_EVIDENCE } as const;

async function goneOf(stream: Stream, { projectId }: Scope): Promise<readonly string[]> {
  const [table, id] = stream === reports ? ['dbss.audit_reports', 'id'] : ['hss.cluster_events', 'event_id'];
  const { rows } = await pool.query<{ id: string }>(
    `select ${id} as id from ${table} where project_id = $1 and _deleted_at is not null order by 1`,
    [projectId],
  );
  return rows.map(({ id: key }) => key);
}

async function remembered({ projectId }: Scope): Promise<Record<string, unknown> | undefined> {
  const { rows } = await pool.query<Record<string, unknown>>(
    `select certificate, reason, certified_at is not null as dated, certified, missing, hint, progress, enterprise_project_id as under
     from sync.listings where project_id = $1`,
    [projectId],
  );
  return rows[0];
}

/** Entries that have been read of the indexes of the table of events. */
async function entriesRead(client: ClientBase): Promise<number> {
  await client.query('select pg_stat_force_next_flush()');
  const { rows } = await client.query<{ n: number }>(
    "select sum(idx_tup_read)::int as n from pg_stat_user_indexes where relid = 'hss.cluster_events'::regclass",
  );
  return rows[0]?.n ?? 0;
}

const list = (instance: string) => listing({ instance_id: instance });
const ids = (...names: readonly string[]) => names.map((id) => ({ id }));
const eventsOf = (...names: readonly string[]) => names.map((event_id) => ({ event_id }));

describe('in a first load, a row that the page before has stored', () => {
  const stored = (where: Scope) =>
    pool.query('select handle_status, _deleted_at is not null as gone from hss.cluster_events where project_id = $1', [
      where.projectId,
    ]);
  const unhandled = { event_id: 'a', handle_status: 'unhandled', update_time: 1_700_000_000_000 };

  test('is unchanged on the next page, and restored if it was marked as gone between the two', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const page = { stream: events, where, records: [unhandled] };
    await put(run, page);
    await put(run, page);
    await run.conclude(walked([], believed));
    expect((await pool.query('select inserted, unchanged from sync.runs order by id desc limit 1')).rows).toEqual([
      { inserted: 1, unchanged: 1 },
    ]);
    expect((await stored(where)).rows).toEqual([{ handle_status: 'unhandled', gone: true }]);
    await put(run, page);
    expect((await stored(where)).rows).toEqual([{ handle_status: 'unhandled', gone: false }]);
  });

  test('is written again when it changes, and when it changes back', async () => {
    const where = newScope();
    const run = await opened(events, where);
    for (const handle_status of ['unhandled', 'handled', 'unhandled', 'unhandled']) {
      await put(run, { stream: events, where, records: [{ ...unhandled, handle_status }] });
      expect((await stored(where)).rows).toEqual([{ handle_status, gone: false }]);
    }
  });
});

describe('rows that a certified walk did not contain', () => {
  test('are marked once, with their last version, in the list and the project of the walk', async () => {
    const [where, elsewhere] = [newScope(), newScope()];
    for (const own of [elsewhere, where]) {
      const run = await opened(reports, own);
      await put(run, { stream: reports, where: own, records: ids('a1', 'a2', 'a3'), of: list('A') });
      await put(run, { stream: reports, where: own, records: ids('b1', 'b2'), of: list('B') });
      if (own === elsewhere) continue;
      await pool.query(`update dbss.audit_reports set _first_seen_at = _first_seen_at - interval '1 day'`);
      await run.conclude(walked(['A\u0001a1', 'A\u0001a2'], { ...believed, of: list('A') }));
      await run.conclude(walked(['A\u0001a1'], { ...believed, of: list('A') }));
      const report = await run.finish({
        status: 'succeeded',
        walk: 'full',
        certificate: 'complete',
        certifiedAt: null,
        contentAt: null,
        proof: null,
        reason: null,
        evidence: NO_EVIDENCE,
        error: null,
      });
      expect(report.deleted).toBe(2);
    }
    expect([await goneOf(reports, where), await goneOf(reports, elsewhere)]).toEqual([['a2', 'a3'], []]);
    const { rows } = await pool.query(
      `select h.id from dbss.audit_reports_history h join dbss.audit_reports t using (project_id, instance_id, id)
       where h._valid_to = t._deleted_at and h._valid_from = t._changed_at and t._deleted_at > t._changed_at order by 1`,
    );
    expect(rows).toEqual(ids('a2', 'a3'));
  });

  test('count as gone later than they changed, whatever the clock says', async () => {
    const where = newScope();
    const run = await opened(reports, where);
    await put(run, { stream: reports, where, records: ids('a1', 'a2'), of: list('A') });
    await pool.query(`update dbss.audit_reports set _changed_at = now() + interval '1 day' where project_id = $1`, [
      where.projectId,
    ]);
    await run.conclude(walked(['A\u0001a1'], { ...believed, of: list('A') }));
    const { rows } = await pool.query(
      `select _deleted_at > _changed_at as later from dbss.audit_reports where project_id = $1 and id = 'a2'`,
      [where.projectId],
    );
    expect(rows).toEqual([{ later: true }]);
  });

  test('stay after a walk that proved nothing, or nothing about absence', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await put(run, { stream: events, where, records: eventsOf('e1', 'e2') });
    await run.conclude(walked(['e1'], { certificate: INCOMPLETE }));
    await run.conclude({ ...walked(['e1']), sweep: null });
    expect(await goneOf(events, where)).toEqual([]);
  });

  test('are marked in batches of ten thousand, all of them', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await pool.query(
      `insert into hss.cluster_events (project_id, region, account, event_id, _hash, _first_seen_at, _changed_at)
       select $1, 'r', 'a', 'e' || n, '', now(), now() from generate_series(1, 10002) n`,
      [where.projectId],
    );
    await run.conclude(walked(['e10002'], believed));
    expect(await goneOf(events, where)).toHaveLength(10_001);
    // The tests after this one let time pass for every row there is.
    for (const table of ['hss.cluster_events', 'hss.cluster_events_history']) {
      await pool.query(`delete from ${table} where project_id = $1`, [where.projectId]);
    }
  });

  test('are not searched for if the number of live rows equals that of the walk, else they are', async () => {
    const where = newScope();
    const run = await opened(reports, where);
    await put(run, { stream: reports, where, records: ids('a1', 'a2', 'a3'), of: list('A') });
    await put(run, { stream: reports, where, records: ids('b1'), of: list('B') });
    // Three are live, so the keys seen need not be compared.
    await run.conclude(walked([], { ...believed, of: list('A'), stored: 3 }));
    expect([await goneOf(reports, where), (await remembered(where))?.missing]).toEqual([[], null]);
    await run.conclude(walked(['A\u0001a1', 'A\u0001a2'], { ...believed, of: list('A'), stored: 2 }));
    expect(await goneOf(reports, where)).toEqual(['a3']);
    await run.conclude(walked(['A\u0001a1', 'A\u0001a2'], { ...believed, of: list('A'), stored: 2 }));
    expect(await goneOf(reports, where)).toEqual(['a3']);
  });

  test('are looked for as well where a row of the walk has gone to another part meanwhile', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const [one, other] = [listing({ cluster_id: 'c1' }), listing({ cluster_id: 'c2' })];
    await put(run, { stream: events, where, records: eventsOf('vanished'), of: one });
    await put(run, { stream: events, where, records: eventsOf('a', 'b'), of: one });
    await put(run, { stream: events, where, records: eventsOf('b'), of: other });
    // As many as the walk left there are live, but one of them is not one of these.
    await run.conclude(walked(['a', 'b'], { ...believed, of: one, stored: 2 }));
    expect(await goneOf(events, where)).toEqual(['vanished']);
  });

  test('of a part are looked for among its own rows, also where the planner knows nothing of the table', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await pool.query('alter table hss.cluster_events set (autovacuum_enabled = false)');
    const parts = Array.from({ length: 20 }, (_, index) => listing({ cluster_id: `c${index}` }));
    for (const of of parts) {
      await put(run, {
        stream: events,
        where,
        records: eventsOf(...Array.from({ length: 100 }, (_, index) => `${of.key} ${index}`)),
        of,
      });
    }
    await run.close();
    for (const stored of [100, null]) {
      const read = await withClient(pool, async (client) => {
        const before = await entriesRead(client);
        await client.query('begin');
        for (const [name, value] of Object.entries(RUN_SETTINGS)) await client.query(`set local ${name} = ${value}`);
        const seen = { has: () => true };
        await findMissing({ client, stream: events, scope: where }, listing({ cluster_id: 'c7' }), { seen, stored });
        await client.query('rollback');
        return (await entriesRead(client)) - before;
      });
      expect(read).toBe(100);
    }
  });

  test('are counted without reading a row, if the list is as long as the walk', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const records = Array.from({ length: 300 }, (_, index) => ({ event_id: `e${index}`, update_time: 1_700_000_000 }));
    await put(run, { stream: events, where, records });
    await run.close();
    await makeVisible('hss.cluster_events');
    const read = await withClient(pool, async (client) => {
      await client.query('begin');
      for (const [name, value] of Object.entries(RUN_SETTINGS)) await client.query(`set local ${name} = ${value}`);
      const seen = { has: () => true };
      await findMissing({ client, stream: events, scope: where }, listing(), { seen, stored: 300 });
      const { rows } = await client.query<{ rows: number }>(
        "select (idx_tup_fetch + seq_tup_read)::int as rows from pg_stat_xact_user_tables where relid = 'hss.cluster_events'::regclass",
      );
      await client.query('rollback');
      return rows[0]?.rows;
    });
    expect(read).toBe(0);
  });
});

describe('what is in doubt', () => {
  const HOUR = 3_600_000;
  const doubtsOf = async ({ projectId }: Scope) => {
    const { rows } = await pool.query<{ listing: string; missing: Doubt[] | null }>(
      'select listing, missing from sync.listings where project_id = $1 order by 1',
      [projectId],
    );
    return rows.map(({ listing: key, missing }) => [
      key,
      missing?.map(({ walks, keys }) => [walks, keys.toSorted()]) ?? null,
    ]);
  };

  test('is remembered for its own list, until enough walks of it agree', async () => {
    const where = newScope();
    const run = await opened(reports, where);
    const walkOf = (name: string) => run.conclude(walked([`${name}\u0001y`], { of: list(name) }));
    for (const name of ['A', 'B']) {
      await put(run, { stream: reports, where, records: ids('x', 'y'), of: list(name) });
      await walkOf(name);
    }
    await letPass(pool, HOUR);
    await walkOf('B');
    await run.conclude({ ...walked([], { of: list('B') }), sweep: null });
    await run.conclude(walked([], { of: list('B'), certificate: INCOMPLETE }));
    expect(await doubtsOf(where)).toEqual([
      [list('A').key, [[1, ['A\u0001x']]]],
      [list('B').key, [[2, ['B\u0001x']]]],
    ]);
    await letPass(pool, HOUR);
    expect(await walkOf('B')).toMatchObject({ kind: 'complete' });
    expect(await goneOf(reports, where)).toEqual(['x']);
    expect(await doubtsOf(where)).toEqual([
      [list('A').key, [[1, ['A\u0001x']]]],
      [list('B').key, null],
    ]);
  });

  test('in another project or another stream says nothing', async () => {
    const [other, where] = [newScope(), newScope()];
    for (let walk = 0; walk < 2; walk += 1) {
      for (const [stream, own] of [[instances, where] as const, [events, other] as const]) {
        const run = await opened(stream, own);
        await put(run, { stream, where: own, records: stream === instances ? ids('x', 'y') : eventsOf('x', 'y') });
        await run.conclude(walked(['y']));
        await run.close();
      }
      await letPass(pool, HOUR);
    }
    const run = await opened(events, where);
    await put(run, { stream: events, where, records: eventsOf('x', 'y') });
    await run.conclude(walked(['y']));
    expect(await goneOf(events, where)).toEqual([]);
  });

  test('is said by the certificate, by its list and by the status, as long as it is in doubt', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await put(run, {
      stream: events,
      where,
      records: eventsOf(...Array.from({ length: 30 }, (_, index) => `e${index}`)),
    });
    const rest = Array.from({ length: 28 }, (_, index) => `e${index}`);
    const unconfirmed = async () => {
      const { rows } = await pool.query(
        `select certificate, (evidence->>'unconfirmed')::int as n, (evidence->>'confirmFrom')::float8 > extract(epoch from now()) * 1000 as waits
         from sync.listings where project_id = $1`,
        [where.projectId],
      );
      const status = await readStreamStates(pool, [events]);
      return [rows[0], status.find(({ project_id }) => project_id === where.projectId)?.unconfirmed];
    };
    for (let walk = 0; walk < 2; walk += 1) {
      expect(await run.conclude(walked(rest))).toMatchObject({ kind: 'complete', evidence: { unconfirmed: 2 } });
      expect(await unconfirmed()).toEqual([{ certificate: 'complete', n: 2, waits: true }, 2]);
      await letPass(pool, HOUR);
    }
    expect((await run.conclude(walked(rest))).evidence.unconfirmed).toBeUndefined();
    expect(await unconfirmed()).toEqual([{ certificate: 'complete', n: null, waits: null }, 0]);
    expect(await goneOf(events, where)).toEqual(['e28', 'e29']);
  });

  test('is a suspicious shrink until three walks agree, a third of a reconcile period apart', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const many = Array.from({ length: 12 }, (_, index) => `e${index}`);
    await put(run, { stream: events, where, records: eventsOf(...many) });
    await run.conclude(walked(many));
    const checkpoint = { total: 1, lastUpdateTime: null, firstPage: null, orders: [] };
    const before = await pool.query('select certified_at from sync.listings where project_id = $1', [where.projectId]);
    for (let walk = 0; walk < 4; walk += 1) {
      expect(await run.conclude(walked(['e0'], { checkpoint }))).toMatchObject({
        kind: 'incomplete',
        reason: 'suspicious-shrink',
        evidence: { unconfirmed: 11 },
      });
    }
    // What is listed was read, so looks may start from there; nothing is certified.
    expect(await remembered(where)).toMatchObject({
      certificate: 'incomplete',
      reason: 'suspicious-shrink',
      certified: checkpoint,
    });
    const after = await pool.query('select certified_at from sync.listings where project_id = $1', [where.projectId]);
    expect(after.rows).toEqual(before.rows);
    await letPass(pool, HOUR / 3);
    expect(await run.conclude(walked(['e0']))).toMatchObject({ kind: 'incomplete' });
    expect(await goneOf(events, where)).toEqual([]);
    await letPass(pool, HOUR / 3);
    expect(await run.conclude(walked(['e0']))).toMatchObject({ kind: 'complete' });
    expect(await goneOf(events, where)).toHaveLength(11);
    expect(await remembered(where)).toMatchObject({ certificate: 'complete', reason: null, missing: null });
  });

  test('is an enterprise project that is gone as a whole, not one that lost a row', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const inProject = (id: string, enterprise: string) => ({ event_id: id, enterprise_project_id: enterprise });
    const main = Array.from({ length: 198 }, (_, index) => `m${index}`);
    await put(run, {
      stream: events,
      where,
      records: [...main.map((id) => inProject(id, 'b')), inProject('a1', 'a'), inProject('a2', 'a')],
    });
    await run.conclude(walked([...main, 'a1']));
    expect(await goneOf(events, where)).toEqual(['a2']);
    expect(await run.conclude(walked(main))).toMatchObject({ reason: 'suspicious-shrink' });
  });

  test('is over for the list as a whole once it is read in parts, which have doubts of their own', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await put(run, { stream: events, where, records: eventsOf('e1', 'e2') });
    await run.conclude(walked(['e1']));
    const certificate = { kind: 'complete', proof: 'split', evidence: { ...NO_EVIDENCE, parts: 2 } } as const;
    await run.conclude({ listing: listing(), certificate, checkpoint: null, sweep: null });
    expect(await doubtsOf(where)).toEqual([['', null]]);
  });

  test('is kept from an earlier version, which wrote down the keys alone', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await put(run, { stream: events, where, records: eventsOf('e1', 'e2') });
    await run.conclude(walked(['e1']));
    await pool.query(`update sync.listings set missing = '["e2"]' where project_id = $1`, [where.projectId]);
    await run.conclude(walked(['e1']));
    expect(await doubtsOf(where)).toEqual([['', [[2, ['e2']]]]]);
  });
});

describe('what is remembered of a list', () => {
  const checkpoint = { total: 2, lastUpdateTime: 7, firstPage: 'p', orders: [] };
  const hint = { silent: 1, restless: 0, right: 0 };

  test('is its last proof and what was learnt, which a walk without any leaves alone', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await run.conclude(walked([], { certificate: INCOMPLETE, checkpoint }));
    expect(await remembered(where)).toMatchObject({ certificate: 'incomplete', dated: false, certified: null });
    await put(run, { stream: events, where, records: eventsOf('e1') });
    await run.conclude({ ...walked(['e1'], { checkpoint }), hint });
    const certified = { ...checkpoint, enterpriseProjectId: scope.enterpriseProjectId };
    expect(await remembered(where)).toMatchObject({ certificate: 'complete', dated: true, certified, hint });
    expect(await remembered(where)).toMatchObject({ progress: null });
    await run.conclude(walked(['e1']));
    await run.conclude(walked(['e1'], { certificate: INCOMPLETE, checkpoint: { ...checkpoint, total: 9 } }));
    expect(await remembered(where)).toMatchObject({ certificate: 'incomplete', reason: 'moving', dated: true });
    expect(await remembered(where)).toMatchObject({ certified, hint });
  });
});

describe('rejects that a walk did not meet again', () => {
  const narrow = { ...scope, enterpriseProjectId: '0' };

  /** A reject of an earlier run in the list, two rows beside it, and a walk of a later run; answers whether it is over, and what is gone. */
  async function isOver(
    conclusion: Conclusion,
    { before = scope, now = scope, forget = false, of = conclusion.listing }: Partial<Before> = {},
  ) {
    const { projectId } = newScope();
    const earlier = await opened(reports, { ...before, projectId });
    await put(earlier, { stream: reports, where: { ...before, projectId }, records: ['text', ...ids('a1', 'a2')], of });
    await earlier.close();
    if (forget) await pool.query('delete from sync.listings where project_id = $1', [projectId]);
    const run = await opened(reports, { ...now, projectId });
    await run.conclude(conclusion);
    const { rows } = await pool.query<{ over: boolean; under: string }>(
      `select r.replayed_at is not null as over, l.enterprise_project_id as under
       from sync.rejected_records r join sync.listings l using (project_id) where project_id = $1 and l.listing = $2`,
      [projectId, conclusion.listing.key],
    );
    return [rows[0]?.over, rows[0]?.under, await goneOf(reports, { ...now, projectId })];
  }

  interface Before {
    readonly before: Scope;
    readonly now: Scope;
    readonly forget: boolean;
    readonly of: Listing;
  }

  const of = list('A');
  const all = walked(['A\u0001a1', 'A\u0001a2'], { of });
  const less = walked(['A\u0001a1'], { of });
  const parts = { kind: 'complete', proof: 'order', evidence: { ...NO_EVIDENCE, parts: 2 } } as const;
  const wide = scope.enterpriseProjectId;

  test.each<[string, [Conclusion, Partial<Before>], [boolean, string, ...string[]]]>([
    ['after a complete one', [all, {}], [true, wide]],
    ['not after one that proved nothing', [{ ...all, certificate: INCOMPLETE }, {}], [false, wide]],
    ['not those of another list', [all, { of: list('B') }], [false, wide]],
    ['but where the list was read in parts', [{ ...all, certificate: parts }, { of: list('B') }], [true, wide]],
    ['not after one under a narrower setting that misses rows', [less, { now: narrow }], [false, wide]],
    ['nor after an incomplete one under it', [{ ...all, certificate: INCOMPLETE }, { now: narrow }], [false, wide]],
    ['after one under it that misses none', [all, { now: narrow }], [true, '0']],
    [
      'after one that is to be believed',
      [walked(['A\u0001a1'], { of, acceptShrink: true }), { now: narrow }],
      [true, '0', 'a2'],
    ],
    ['after the first one of a list', [less, { now: narrow, forget: true }], [true, '0']],
    ['after one under the widest setting', [less, { before: narrow }], [true, wide]],
  ])('are over: %s', async (_name, [conclusion, how], [over, under, ...gone]) => {
    expect(await isOver(conclusion, how)).toEqual([over, under, gone]);
  });
});

test('what was missing from a part is in doubt no longer once the whole list was proven, and stays so while the whole is doubted', async () => {
  const where = newScope();
  const run = await opened(events, where);
  const names = Array.from({ length: 30 }, (_, index) => `e${String(index).padStart(2, '0')}`);
  const records = names.map((event_id) => ({ event_id, cluster_id: 'c1' }));
  await put(run, { stream: events, where, records });
  const of = listing({ cluster_id: 'c1' });
  const doubts = async () => {
    const { rows } = await pool.query<{ n: number | null }>(
      'select jsonb_array_length(missing) as n from sync.listings where project_id = $1 and listing = $2',
      [where.projectId, of.key],
    );
    return rows[0]?.n ?? 0;
  };
  const half = names.slice(15);
  await run.conclude(walked(half, { of }));
  expect(await doubts()).toBe(1);
  await run.conclude(walked(half, { hasParts: true }));
  expect(await doubts()).toBe(1);
  await run.conclude(walked(names));
  expect(await doubts()).toBe(0);
});
