import { describe, expect, onTestFinished, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import { PermissionRefused } from '../../src/core/errors.ts';
import type { RunOutcome, StreamRun } from '../../src/core/store.ts';
import { FIRST_DIALECT, type Listing, listing } from '../../src/core/stream/endpoint.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { readCountedStates } from '../../src/postgres/queries/stream-state.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { dbssAuditInstances as instances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports as reports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities as vulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations as operations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { streams } from '../../src/streams/index.ts';
import { testNow } from '../support/clock.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();
const store = createStore(pool, { timeZone: 'UTC' });

let projects = 0;
const newScope = () => {
  projects += 1;
  return { ...scope, projectId: `project${projects}` };
};

async function opened(stream: Stream, where: typeof scope): Promise<StreamRun> {
  const run = await store.open(stream, where);
  if (run === 'busy') throw new Error('another process holds the lock');
  onTestFinished(() => run.close());
  return run;
}

function pageOf(stream: Stream, where: typeof scope, records: readonly unknown[]) {
  const of = listing();
  const origin = { projectId: where.projectId, region: where.region, params: of.params, timeZone: 'UTC' };
  const { rows, rejects } = validate(stream, records, { origin, listingKey: of.key });
  return {
    listing: of,
    rows,
    rejects,
    requests: 2,
    throttled: 1,
    progress: { offset: 1, total: 1 },
    refuseOlder: false,
  };
}

const SUCCESS: RunOutcome = {
  status: 'succeeded',
  walk: 'full',
  certificate: 'complete',
  certifiedAt: new Date('2026-01-01T00:00:00Z'),
  contentAt: null,
  proof: null,
  reason: null,
  evidence: NO_EVIDENCE,
  error: null,
};

async function one<R extends object>(sql: string, values: readonly unknown[]): Promise<R | undefined> {
  return (await pool.query<R & Record<string, unknown>>(sql, [...values])).rows[0];
}

const countsOf = ({ projectId }: typeof scope) => one('select * from sync.runs where project_id = $1', [projectId]);

describe('a page', () => {
  test('commits rows, rejects, drift, progress and counters together, and adds up', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const records = [
      { event_id: 'a', event_type: 5 },
      { event_id: 'b', event_type: 'x' },
      'text',
      { event_id: 'a', event_type: 5 },
    ];
    const { newDrift } = await run.page(pageOf(events, where, records));
    expect(await countsOf(where)).toMatchObject({
      requests: 2,
      throttled: 1,
      records: 4,
      inserted: 1,
      unchanged: 1,
      rejected: 2,
    });
    expect(newDrift).toContain('beyond range: event_type = 5');
    await run.page(pageOf(events, where, records));
    expect(await run.finish(SUCCESS)).toMatchObject({
      status: 'succeeded',
      certified_at: '2026-01-01T00:00:00.000Z',
      requests: 4,
      throttled: 2,
      records: 8,
      inserted: 1,
      updated: 0,
      unchanged: 3,
      rejected: 4,
      error: null,
    });
    const rejects = await pool.query<{ key: string | null; payload: string; count: number }>(
      'select key, payload, count from sync.rejected_records where project_id = $1 order by payload',
      [where.projectId],
    );
    expect(rejects.rows).toEqual([
      { key: null, payload: '"text"', count: 2 },
      { key: 'b', payload: '{"event_id":"b","event_type":"x"}', count: 2 },
    ]);
    expect(await one('select progress from sync.listings where project_id = $1', [where.projectId])).toEqual({
      progress: { offset: 1, total: 1 },
    });
  });

  test('that cannot be written leaves nothing behind, not even a counter', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await pool.query('alter table sync.rejected_records rename to hidden');
    onTestFinished(async () => void (await pool.query('alter table if exists sync.hidden rename to rejected_records')));
    await expect(run.page(pageOf(events, where, [{ event_id: 'a' }, 'text']))).rejects.toThrow(/rejected_records/);
    await pool.query('alter table sync.hidden rename to rejected_records');
    expect(
      await one('select count(*)::int as n from hss.cluster_events where project_id = $1', [where.projectId]),
    ).toEqual({ n: 0 });
    expect(await one('select requests, records from sync.runs where project_id = $1', [where.projectId])).toEqual({
      requests: 0,
      records: 0,
    });
    await run.countRequests(1, 0);
    expect(await countsOf(where), 'the connection is still good').toMatchObject({ requests: 1, records: 0 });
  });

  test('that fails does not affect other records on its connection, and no page follows', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await pool.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$`,
    );
    await pool.query(
      'create trigger refuse before insert on hss.cluster_events for each statement execute function refuse()',
    );
    onTestFinished(async () => void (await pool.query('drop function if exists refuse cascade')));
    const page = run.page(pageOf(events, where, [{ event_id: 'a' }]));
    const spent = run.countRequests(7, 3);
    await expect(page).rejects.toThrow(/is full/);
    await spent;
    expect(await countsOf(where)).toMatchObject({ requests: 7, throttled: 3, records: 0 });
    await pool.query('drop function refuse cascade');
    await expect(run.page(pageOf(events, where, [{ event_id: 'b' }]))).rejects.toThrow(/is full/);
  });

  test('that is under way when its run closes is committed before the lock goes, and none begins after', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const page = run.page(pageOf(events, where, [{ event_id: 'a' }]));
    const closed = run.close();
    const late = run.page(pageOf(events, where, [{ event_id: 'b' }]));
    const ends: string[] = [];
    const end = (name: string) => () => ends.push(name);
    await Promise.all([page.then(end('page')), late.catch(end('late'))]);
    expect(ends, 'pages end in their order').toEqual(['page', 'late']);
    expect(await page).toMatchObject({ inserted: 1 });
    await expect(late).rejects.toThrow(/the run is closed/);
    await closed;
    expect(
      await one('select count(*)::int as n from hss.cluster_events where project_id = $1', [where.projectId]),
    ).toEqual({ n: 1 });
  });

  test('with a row that Postgres cannot store keeps the others, and says which it was', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const long = Array.from({ length: 4_000 }, (_, n) => ((n * 7_919) % 1_297).toString(36)).join('');
    await run.page(pageOf(events, where, [{ event_id: 'a' }, { event_id: long }, { event_id: 'c' }]));
    expect(await countsOf(where)).toMatchObject({ records: 3, inserted: 2, rejected: 1 });
    expect(await one('select key, issues from sync.rejected_records where project_id = $1', [where.projectId])).toEqual(
      {
        key: long,
        issues: [{ field: '', message: expect.stringMatching(/^Postgres refused it: index row size/) }],
      },
    );
  });
});

describe('a run', () => {
  test('that failed keeps the code and the request id of the API', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await run.countRequests(3, 1);
    const failure = { status: 400, code: 'HSS.0013', apiMessage: 'no', requestId: 'r1' };
    const error = new PermissionRefused('HSS refused permission', failure);
    const report = await run.finish({
      ...SUCCESS,
      status: 'failed',
      certificate: 'incomplete',
      certifiedAt: null,
      reason: 'refused',
      error,
    });
    expect(report).toMatchObject({
      status: 'failed',
      requests: 3,
      throttled: 1,
      error: 'HSS refused permission',
      certified_at: null,
    });
    expect(await one('select error_code, request_id from sync.runs where project_id = $1', [where.projectId])).toEqual({
      error_code: 'HSS.0013',
      request_id: 'r1',
    });
  });

  test('keeps as of when a list is known and how that was proven; a look that shows less than all leaves both', async () => {
    const where = newScope();
    const run = await opened(events, where);
    const certificate = { kind: 'complete', proof: 'quiet', evidence: NO_EVIDENCE } as const;
    await run.conclude({ listing: listing(), certificate, checkpoint: null, sweep: null, tookMs: 60_000 });
    const state = async () => (await run.states()).get('');
    const ageMs = async () => testNow() - ((await state())?.contentAt?.getTime() ?? 0);
    expect(await state()).toMatchObject({ proof: 'quiet' });
    expect(await ageMs()).toBeGreaterThanOrEqual(60_000 - 5);
    await run.recordPoll(listing(), { hint: null, checkpoint: null, contentForMs: null });
    expect(await ageMs()).toBeGreaterThanOrEqual(60_000 - 5);
    await run.recordPoll(listing(), { hint: null, checkpoint: null, contentForMs: 1_000 });
    expect(await ageMs()).toBeLessThan(30_000);
    expect(await state()).toMatchObject({ proof: 'quiet' });
  });

  test('shows in the status with its rows and open rejects', async () => {
    const where = newScope();
    const run = await opened(events, where);
    await run.page(pageOf(events, where, [{ event_id: 'a' }, { event_id: 'b' }, 5]));
    await pool.query("update hss.cluster_events set _deleted_at = now() where project_id = $1 and event_id = 'b'", [
      where.projectId,
    ]);
    const running = (await readCountedStates(pool, streams)).find(({ project_id }) => project_id === where.projectId);
    expect(running).toMatchObject({ status: 'running', rows: 1, rejects: 1, certified_at: null });
    await run.finish(SUCCESS);
    const ended = (await readCountedStates(pool, streams)).find(({ project_id }) => project_id === where.projectId);
    expect(ended).toMatchObject({
      status: 'succeeded',
      certificate: 'complete',
      certified_at: SUCCESS.certifiedAt,
      requests: 2,
    });
  });
});

describe('the lists of a child', () => {
  test('are the distinct parameters of the live rows of its parent', async () => {
    const where = newScope();
    const run = await opened(vulnerabilities, where);
    const record = { type: 'app_vul', image_type: 'local' };
    await run.page(
      pageOf(vulnerabilities, where, [
        { ...record, vul_id: 'V1', handle_status: 'handled' },
        { ...record, vul_id: 'V1', handle_status: 'unhandled' },
        { ...record, vul_id: 'V2', handle_status: 'handled' },
        { ...record, vul_id: "V'3 &", handle_status: 'handled', image_type: 'registry' },
      ]),
    );
    await pool.query("update hss.image_vulnerabilities set _deleted_at = now() where vul_id = 'V2'");
    expect(operations.parent).toBeDefined();
    const lists = operations.parent === undefined ? [] : await store.childListings(operations.parent, where);
    expect(lists.map(({ key }) => key)).toEqual([
      listing({ vul_id: "V'3 &", image_type: 'registry' }).key,
      listing({ vul_id: 'V1', image_type: 'local_image' }).key,
    ]);
    expect(await store.childListings({ stream: instances, params: { instance_id: 'instance_id' } }, where)).toEqual([]);
  });
});

describe('a stream is certified', () => {
  const complete = { kind: 'complete', proof: 'atomic', evidence: NO_EVIDENCE } as const;
  const incomplete = { kind: 'incomplete', reason: 'moving', evidence: NO_EVIDENCE } as const;
  const conclude = (run: StreamRun, of: Listing, certificate: typeof complete | typeof incomplete) =>
    run.conclude({ listing: of, certificate, checkpoint: null, sweep: null });

  test('when every one of its lists is, and no longer when one is not', async () => {
    const where = newScope();
    const run = await opened(vulnerabilities, where);
    expect(await store.certifiedAt(vulnerabilities, where)).toBeNull();
    const lists = vulnerabilities.listings.map((params) => listing(params));
    for (const of of lists) await conclude(run, of, complete);
    expect(await store.certifiedAt(vulnerabilities, where)).toBeInstanceOf(Date);
    expect(await store.certifiedAt(vulnerabilities, newScope()), 'elsewhere nothing is known').toBeNull();
    const [first] = lists;
    if (first !== undefined) await conclude(run, first, incomplete);
    expect(await store.certifiedAt(vulnerabilities, where)).toBeNull();
  });

  test('not while one of its records could not be read: it might be a parent', async () => {
    const where = newScope();
    const run = await opened(instances, where);
    const certificate = { ...complete, evidence: { ...NO_EVIDENCE, rejects: 1 } };
    await run.conclude({ listing: listing(), certificate, checkpoint: null, sweep: null });
    expect(await store.certifiedAt(instances, where)).toBeNull();
  });

  test('without any list, when its parent is, as of the time of the parent', async () => {
    const where = newScope();
    expect(await store.certifiedAt(reports, where)).toBeNull();
    const run = await opened(instances, where);
    await run.conclude({ listing: listing(), certificate: complete, checkpoint: null, sweep: null });
    const parentAt = await store.certifiedAt(instances, where);
    expect(parentAt).toBeInstanceOf(Date);
    expect(await store.certifiedAt(reports, where)).toEqual(parentAt);
  });
});

test('what was learnt about a server is remembered for each project', async () => {
  const where = newScope();
  expect(await store.dialect(instances, where)).toEqual(FIRST_DIALECT);
  const run = await opened(instances, where);
  await run.storeDialect({ generation: 2, spellings: {} });
  const learnt = { generation: 1, spellings: { 'image_type=local_image': 'local' } };
  await run.storeDialect(learnt);
  expect(await store.dialect(instances, where)).toEqual(learnt);
  await pool.query(`update sync.dialects set spellings = '{"image_type=local_image":1}' where project_id = $1`, [
    where.projectId,
  ]);
  expect(await store.dialect(instances, where), 'an index, as earlier versions stored it, is learnt again').toEqual({
    generation: 1,
    spellings: {},
  });
  expect(await store.dialect(instances, newScope())).toEqual(FIRST_DIALECT);
});

describe('the stored state of a list', () => {
  const stateAfter = async (set: string) => {
    const where = newScope();
    const run = await opened(events, where);
    const checkpoint = { total: 1, lastUpdateTime: 5, firstPage: 'f', orders: [], bounded: true } as const;
    const certificate = { kind: 'complete', proof: 'order', evidence: NO_EVIDENCE } as const;
    const hint = { silent: 0, restless: 0, right: 1 };
    await run.conclude({ listing: listing(), certificate, checkpoint, sweep: null, hint });
    await pool.query(`update sync.listings set ${set} where project_id = $1`, [where.projectId]);
    return (await run.states()).get('');
  };

  test('of an earlier version, with fewer members, is read with defaults for them', async () => {
    const state = await stateAfter(`certified = '{"total":7,"orders":[]}', evidence = '{"distinct":7}'`);
    expect(state?.checkpoint).toEqual({ total: 7, lastUpdateTime: null, firstPage: null, orders: [] });
    expect(state?.evidence).toEqual({ ...NO_EVIDENCE, distinct: 7 });
  });

  test('of a later version keeps the members that this one does not know', async () => {
    const state = await stateAfter(
      `certified = certified || '{"later":true}', evidence = evidence || '{"later":true}'`,
    );
    expect(state).toMatchObject({ checkpoint: { total: 1, later: true }, evidence: { later: true } });
  });

  test('that cannot be read is as if nothing were stored, so the list is read in full', async () => {
    const state = await stateAfter(
      `certified = '{"total":"many","orders":[]}', evidence = '[1]', hint = '{"right":"no"}'`,
    );
    expect(state).toMatchObject({ certificate: 'complete', checkpoint: null, evidence: null, hint: null });
  });
});
