import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import { DatabaseError } from '../../src/core/errors.ts';
import { inOrder } from '../../src/core/plan.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream.ts';
import { createPool } from '../../src/postgres/pool.ts';
import type { Fault } from '../../src/sandbox/server.ts';
import { DEMO_PASSWORD_USER, DEMO_PROJECT } from '../../src/sandbox/server.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';
import { syncOnce } from '../../src/sync/sync-once.ts';
import { scope } from '../support/engine.ts';
import { expectOrder, requestsSaid, tombstones } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { expectTruth } from '../support/truth.ts';
import { killBackends, startWorld, type World, type WorldOptions, wipe } from '../support/world.ts';

const database = await createTestDatabase({ max: 20 });

/** Events over a few pages and a little of everything else. */
const EVENTS = [hssClusterEvents];

const SMALL = { clusters: 4, events: 600, vulnerabilities: 6, instances: 2, reports: 20 } as const;

async function fresh(options: WorldOptions = {}): Promise<World> {
  await wipe(database);
  return startWorld(database, { ...options, sandbox: { ...SMALL, ...options.sandbox } });
}

/** A clean run over the world as it is now leaves the tables as the API has it, and nothing was swept on the way. */
async function expectHealed(world: World, which: readonly Stream[] = streams): Promise<void> {
  world.sandbox.faults.clear();
  const reports: RunReport[] = [];
  for (const stream of inOrder(which)) reports.push(await world.run(stream));
  expect(reports.map(({ status, certificate, reason, error }) => ({ status, certificate, reason, error }))).toEqual(
    reports.map(() => ({ status: 'succeeded', certificate: 'complete', reason: null, error: null })),
  );
  await expectTruth(database.pool, world.sandbox, which);
  await expectOrder(database.pool);
  for (const stream of streams) expect(await tombstones(database.pool, stream), stream.name).toBe(0);
}

/** Strikes at the third page of the events, when two are already committed. */
const MID_WALK: Pick<Fault, 'operation' | 'when'> = {
  operation: 'ListClusterEvents',
  when: ({ query }) => Number(query.offset) > 200,
};

describe('a page is asked for again, and the run ends well, after', () => {
  it.each<[string, Omit<Fault, 'operation' | 'when'>]>([
    ['a reset connection', { kind: 'reset' }],
    ['a reset in the middle of the body', { kind: 'reset-mid-body' }],
    ['truncated JSON', { kind: 'truncated' }],
    ['garbage', { kind: 'reply', body: '\u0000\u0001{{garbage' }],
    ['an empty body', { kind: 'reply', body: '' }],
    ['a page without its list', { kind: 'no-list' }],
    ['a sign-in page', { kind: 'html' }],
    ['an HTML 502', { kind: 'bad-gateway' }],
    ['a 429', { kind: 'throttled' }],
    ['a 429 with Retry-After', { kind: 'throttled', retryAfterSeconds: 90 }],
    ['a 500', { kind: 'server-error' }],
    ['a slow body', { kind: 'slow', delayMs: 150 }],
    ['a late answer', { kind: 'late', delayMs: 150 }],
  ])('%s', async (_name, fault) => {
    const world = await fresh();
    world.sandbox.faults.add({ ...MID_WALK, ...fault, times: 2 });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 600, error: null });
    expect(report.throttled).toBe(fault.kind === 'throttled' ? 2 : 0);
    // What was asked for again counts as well.
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    const good = world.sandbox.requests
      .entries()
      .filter(({ operation, status }) => operation === 'ListClusterEvents' && status === 200);
    if (report.throttled > 0) expect(report.requests).toBe(good.length + 2);
    await expectHealed(world, EVENTS);
  });
});

describe('a run fails, keeps its pages and sweeps nothing, when a page never comes because of', () => {
  it.each<[string, Omit<Fault, 'operation' | 'when'>, RegExp]>([
    ['resets', { kind: 'reset' }, /gave no answer/],
    ['truncated JSON', { kind: 'truncated' }, /no usable answer/],
    ['garbage', { kind: 'reply', body: 'garbage' }, /no usable answer/],
    ['an HTML 502', { kind: 'bad-gateway' }, /502/],
    ['throttling', { kind: 'throttled' }, /429/],
    ['a 500', { kind: 'server-error' }, /500/],
    ['a body that never ends', { kind: 'slow', delayMs: 60_000 }, /no complete answer/],
  ])('%s', async (_name, fault, message) => {
    const world = await fresh({ pageBudgetMs: fault.kind === 'slow' ? 300 : 20_000 });
    world.sandbox.faults.add({ ...MID_WALK, ...fault, times: Number.POSITIVE_INFINITY });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'interrupted', deleted: 0 });
    expect(report.error).toMatch(message);
    expect(report.inserted).toBe(395);
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    const { rows } = await database.pool.query<{ certificate: string | null }>('select certificate from sync.listings');
    expect(rows).toEqual([{ certificate: null }]);
    await expectHealed(world, EVENTS);
  });

  it('a 500 for a minute, and the run after that minute is well', async () => {
    const world = await fresh();
    world.sandbox.faults.add({ kind: 'server-error', forMs: 60_000 });
    const failed = await world.runAll();
    expect(failed.map(({ status }) => status)).toContain('failed');
    for (const report of failed) expect(report).toMatchObject({ certified_at: null, deleted: 0, inserted: 0 });
    world.clock.advance(60_000);
    await expectHealed(world);
  });

  it('throttling that the shared budget has to wait out', async () => {
    const world = await fresh({ account: { requestsPerMinute: 300 }, sandbox: { quota: 3, retryAfter: true } });
    const before = world.clock.now();
    const report = await world.run(hssClusterEvents);
    // The server allows three a minute, we were told three hundred: it is learnt from what the throttle says.
    expect(report).toMatchObject({ status: 'succeeded', inserted: 600 });
    expect(report.throttled).toBeGreaterThan(0);
    expect(world.clock.now() - before).toBeGreaterThan(60_000);
    await expectHealed(world, EVENTS);
  });
});

describe('what was complete before stays as it was when a later run fails', () => {
  it('in the tables, in the certificates and in the tombstones', async () => {
    const world = await fresh();
    await world.runAll();
    const certified = await certificates();
    world.sandbox.estate.step(40);
    world.sandbox.faults.add({ kind: 'reset', times: Number.POSITIVE_INFINITY });
    for (const report of await world.runAll()) expect(report.status).not.toBe('succeeded');
    expect(await certificates()).toEqual(certified);
    await expectHealed(world);
  });
});

async function certificates(): Promise<readonly unknown[]> {
  const { rows } = await database.pool.query(
    'select stream, listing, certificate, certified_at, certified from sync.listings order by stream, listing',
  );
  return rows;
}

describe('with permission refused for one of two projects', () => {
  const other = { id: '0123456789abcdef0123456789abcdef', region: DEMO_PROJECT.region };
  const refused: Scope = { ...scope, projectId: other.id };
  const signal = new AbortController().signal;

  it('the other completes and nothing is swept', async () => {
    const world = await fresh({ sandbox: { projects: [DEMO_PROJECT, other], events: 300 } });
    const sync = () => syncOnce(world.engine, streams, [scope, refused], { signal });
    expect((await sync()).every(({ status }) => status === 'succeeded')).toBe(true);
    for (const estate of world.sandbox.estates.values()) estate.step(20, 'event');

    world.sandbox.faults.add({ kind: 'forbidden', projectId: other.id, times: Number.POSITIVE_INFINITY });
    const reports = await sync();
    for (const report of reports) {
      const isRefused = report.project_id === other.id;
      expect(report.status === 'succeeded', `${report.stream} in ${report.project_id}: ${report.status}`).toBe(
        !isRefused,
      );
      if (isRefused) expect(report).toMatchObject({ certificate: 'incomplete', deleted: 0, inserted: 0 });
    }
    await expectTruth(database.pool, world.sandbox);
    for (const stream of streams) expect(await tombstones(database.pool, stream, other.id), stream.name).toBe(0);

    world.sandbox.faults.clear();
    expect((await sync()).every(({ status }) => status === 'succeeded')).toBe(true);
    await expectTruth(database.pool, world.sandbox, streams, other.id);
    await expectOrder(database.pool);
  });
});

describe('a token that expires in the middle of a walk', () => {
  const { name, password, domain } = DEMO_PASSWORD_USER;
  const byPassword = {
    auth: { kind: 'password', user: async () => name, password: async () => password, domain: async () => domain },
  } as const;

  it('is renewed, and the walk goes on', async () => {
    const world = await fresh({ account: { auth: { ...byPassword.auth, user: name, domain } } });
    world.sandbox.override('ListClusterEvents', ({ query, call }) => {
      if (Number(query.offset) > 200 && call < 6) world.sandbox.revokeTokens();
      return undefined;
    });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', inserted: 600 });
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    expect(world.sandbox.requests.count('KeystoneCreateUserTokenByPassword')).toBeGreaterThan(1);
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world);
  });

  it('by its lifetime is renewed as well', async () => {
    const world = await fresh({
      account: { auth: { ...byPassword.auth, user: name, domain } },
      sandbox: { tokenLifetimeMs: 90_000 },
    });
    world.sandbox.override('ListClusterEvents', () => {
      world.clock.advance(60_000);
      return undefined;
    });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', inserted: 600 });
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world);
  });
});

describe('with Postgres', () => {
  it('restarted in the middle of a walk the run ends with a database error, and the next one completes', async () => {
    const world = await fresh();
    let kills = 0;
    const struck = onOffset(world, 585, () => {
      kills += 1;
      return killBackends(database.url);
    });
    await expect(world.run(hssClusterEvents)).rejects.toThrow(DatabaseError);
    await struck();
    expect(kills).toBe(1);
    const next = await world.run(hssClusterEvents);
    expect(next).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    const { rows } = await database.pool.query<{ status: string }>('select status from sync.runs order by id');
    expect(rows).toEqual([{ status: 'abandoned' }, { status: 'succeeded' }]);
    await expectHealed(world);
  });

  it('away for a while every run fails, and the first one after it completes', async () => {
    await wipe(database);
    const { hostname, port } = new URL(inject('postgres').serverUrl);
    const proxy = await startProxy(hostname, Number(port));
    const through = new URL(database.url);
    through.hostname = '127.0.0.1';
    through.port = String(proxy.port);
    const pool = createPool(through.href, { max: 10, applicationName: 'test-proxied' });
    onTestFinished(() => pool.end());
    const world = await startWorld(database, { pool, sandbox: SMALL });
    const struck = onOffset(world, 585, () => proxy.cut());
    await expect(world.run(hssClusterEvents)).rejects.toThrow(DatabaseError);
    await struck();
    await expect(world.run(hssClusterEvents)).rejects.toThrow(/no Postgres answers/);
    await expect(world.run(dbssAuditReports)).rejects.toThrow(DatabaseError);
    await proxy.restore();
    await expectHealed(world);
  });

  it.each<[string, string, number]>([
    ['a page', 'before insert on hss.cluster_events', 1],
    ['what a walk proved', 'before update of certificate on sync.listings', 0],
    ['the ledger', 'before update of requests on sync.runs', 1],
  ])(
    'out of disk space for %s the run fails with the reason, whole pages stay, and the next one completes',
    async (_name, when, room) => {
      const world = await fresh();
      await world.run(hssClusterEvents);
      // More than the writer takes at once, so that the second time finds no room.
      world.sandbox.estate.step(2_000, 'event');
      const before = world.sandbox.requests.count('ListClusterEvents');
      await fillDisk(when, room);
      const run = world
        .run(hssClusterEvents, { full: true })
        .finally(() => database.pool.query('drop function disk_full cascade'));
      await expect(run).rejects.toThrow(/the disk of Postgres at .* is full/);
      const { rows } = await database.pool.query<{ requests: number }>(
        'select * from sync.runs order by id desc limit 1',
      );
      const [report] = rows;
      expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'interrupted' });
      if (when.includes('certificate')) {
        expect(report?.requests).toBe(world.sandbox.requests.count('ListClusterEvents') - before);
      }
      await expectHealed(world);
    },
  );
});

/** Does something while the API is being asked for a page; the answer waits for it. */
function onOffset(world: World, offset: number, act: () => Promise<void>): () => Promise<void> {
  let acted: Promise<void> | null = null;
  world.sandbox.faults.add({
    kind: 'late',
    delayMs: 200,
    operation: 'ListClusterEvents',
    when: ({ query }) => {
      if (Number(query.offset) < offset) return false;
      acted = act();
      return true;
    },
  });
  return async () => {
    await acted;
  };
}

/** After so many statements the table refuses what a full disk refuses. */
async function fillDisk(when: string, room: number): Promise<void> {
  await database.pool.query('create sequence if not exists disk_used');
  await database.pool.query('alter sequence disk_used restart');
  await database.pool.query(
    `create function disk_full() returns trigger language plpgsql as $$ begin
       if nextval('disk_used') > ${room} then raise exception 'could not extend file: No space left on device' using errcode = '53100'; end if;
       return null;
     end $$`,
  );
  await database.pool.query(`create trigger disk_full ${when} for each statement execute function disk_full()`);
}

describe('a clock that jumps', () => {
  const MINUTE = 60_000;
  const DAY = 86_400_000;

  it.each([
    ['forward by a day', DAY],
    ['back by a day', -DAY],
    ['forward by ten minutes', 10 * MINUTE],
    ['back by ten minutes', -10 * MINUTE],
  ])('%s in the middle of a walk changes nothing', async (_name, jump) => {
    const world = await fresh();
    world.sandbox.override('ListClusterEvents', ({ query }) => {
      if (Number(query.offset) > 200) world.clock.set(jump);
      return undefined;
    });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', inserted: 600 });
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world, EVENTS);
    world.sandbox.estate.step(10, 'event');
    await expectHealed(world, EVENTS);
    world.clock.set(0);
    await expectHealed(world, EVENTS);
  });

  it('away from the time of the server suspends the account, and nothing is lost once it is right again', async () => {
    const world = await fresh({ sandboxClock: 'real' });
    await world.runAll();
    world.sandbox.estate.step(30, 'event');
    world.clock.set(2 * 3_600_000);
    const [refused] = await world.runAll();
    expect(refused).toMatchObject({ status: 'failed', reason: 'refused', deleted: 0 });
    expect(refused?.error).toMatch(/clock/i);
    // Only the first call goes out: an access key locks after five refusals.
    const { length } = world.sandbox.requests.entries().filter(({ status }) => status === 401);
    expect(length).toBe(1);
    world.clock.set(0);
    await database.pool.query(`update sync.suspended_credentials set until = now()`);
    await expectHealed(world);
  });
});

it('says how many requests there were, whatever went wrong in between', async () => {
  const world = await fresh();
  world.sandbox.faults.add({ ...MID_WALK, kind: 'reset', times: 3 });
  world.sandbox.faults.add({ operation: 'ListGeneralImageVuls', kind: 'server-error', times: 4 });
  world.sandbox.faults.add({ operation: 'ListAuditReports', kind: 'forbidden' });
  await world.runAll();
  expect(await requestsSaid(database.pool)).toBe(world.sandbox.requests.count());
  world.sandbox.estate.step(2_000, 'event');
  const stop = new AbortController();
  const stopped = await world.run(hssClusterEvents, {
    full: true,
    signal: stop.signal,
    onPage: ({ offset }) => {
      if (offset > 0) stop.abort(new Error('stopping'));
    },
  });
  expect(stopped).toMatchObject({ status: 'incomplete', reason: 'interrupted', error: null });
  // A request that was under way when everything stopped may be in nobody's books.
  const uncounted = world.sandbox.requests.count() - (await requestsSaid(database.pool));
  expect([0, 1]).toContain(uncounted);
});
