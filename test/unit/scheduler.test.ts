import { describe, expect, onTestFinished, test } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import { DatabaseError } from '../../src/core/errors.ts';
import { type Attempt, type Clock, type Lane, type LaneQueue, laneKey } from '../../src/core/ports.ts';
import { streams } from '../../src/streams/index.ts';
import { DueLanes, Scheduler } from '../../src/sync/service/scheduler.ts';
import { quietLogger } from '../support/engine.ts';

const MINUTE = 60_000;
const ANSWERED = { refusal: null, wasComplete: true, isRunning: false } as const;
const NOW = Date.UTC(2026, 10, 21, 9, 1, 0);
const scopeOf = (account: string, projectId: string): Scope => ({
  account,
  region: 'cn-north-4',
  projectId,
  enterpriseProjectId: 'all_granted_eps',
});

/** Scheduler and agenda over runs and a queue in memory; by default every stream ticks every five minutes, the last time a minute ago. */
function setUp({
  scopes = [scopeOf('a', 'p1')],
  attempts = [],
  now = NOW,
  upMs = 0,
  schedule = '*/5 * * * *',
}: {
  scopes?: readonly Scope[];
  attempts?: Attempt[];
  now?: number;
  schedule?: string;
  /** How long the service has been running. */
  upMs?: number;
} = {}) {
  let time = now - upMs;
  const sent: (Lane & { priority: number })[] = [];
  const delays: number[] = [];
  const pending = new Set<string>();
  const waits: (() => void)[] = [];
  const faults: Error[] = [];
  /** Of the queue. */
  const outages: Error[] = [];
  const clock: Clock = {
    now: () => time,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        waits.push(resolve);
        signal?.addEventListener('abort', () => reject(new Error('stopped')));
      }),
  };
  const queue: LaneQueue = {
    async start() {},
    async stop() {},
    async pending() {
      return pending;
    },
    async send(lane, { priority, delayMs }) {
      const outage = outages.shift();
      if (outage !== undefined) throw outage;
      if (pending.has(laneKey(lane))) return false;
      pending.add(laneKey(lane));
      sent.push({ ...lane, priority });
      delays.push(delayMs);
      return true;
    },
    async sendAll(lanes) {
      for (const { lane, ...options } of lanes) await queue.send(lane, options);
    },
  };
  const scheduled = streams.map((stream) => ({ stream, schedule }));
  const runs = {
    async lastAttempts() {
      const fault = faults.shift();
      if (fault !== undefined) throw fault;
      return attempts;
    },
  };
  const dueLanes = new DueLanes({ streams: scheduled, scopes, runs, clock });
  time = now;
  const scheduler = new Scheduler({ streams: scheduled, dueLanes, queue, clock, logger: quietLogger, jitterMs: 0 });
  onTestFinished(() => scheduler.stop());
  const end = async (account: string, stream: string, again = false) => {
    for (const { projectId } of scopes) attempts.push({ stream, projectId, ...ANSWERED, ageMs: 0, servedMs: 0 });
    await scheduler.ended({ account, stream }, { again });
    pending.delete(`${account}/${stream}`);
  };
  return { scheduler, dueLanes, outages, sent, delays, pending, waits, faults, end, attempts };
}

const allDone = (ageMs: number, projectId = 'p1'): Attempt[] =>
  streams.map(({ name }) => ({ stream: name, projectId, ...ANSWERED, ageMs, servedMs: ageMs }));

test('a decision that fails because the service has stopped meanwhile is neither reported nor repeated', async () => {
  const { scheduler, end, faults, waits } = setUp({ attempts: allDone(8 * MINUTE) });
  const [stream] = streams;
  faults.push(new Error('Cannot use a pool after calling end on the pool'));
  const ended = end('a', stream?.name ?? '');
  await scheduler.stop();
  await ended;
  expect(waits).toEqual([]);
});

describe('who is due', () => {
  test('is the lane that was last tried before the last tick', async () => {
    const { dueLanes } = setUp({ attempts: allDone(MINUTE / 2) });
    expect(await dueLanes.due()).toEqual([]);
    const { dueLanes: later } = setUp({ attempts: allDone(8 * MINUTE), upMs: 60 * MINUTE });
    expect((await later.due()).map(({ stream }) => stream).sort()).toEqual(streams.map(({ name }) => name).sort());
  });

  test('is not the lane that a replica with a faster clock has already tried for the same tick', async () => {
    const { dueLanes } = setUp({ attempts: allDone(MINUTE + 20_000) });
    expect(await dueLanes.due()).toEqual([]);
  });

  test.each([
    { schedule: '0 6,7 * * *', last: [11, 20, 7, 0], now: [11, 21, 6, 0] },
    { schedule: '*/5 8-18 * * 1-5', last: [11, 20, 18, 55], now: [11, 23, 8, 0] },
  ])(
    'is no child before its parent at the first tick after a night or weekend: $schedule',
    async ({ schedule, last, now }) => {
      const at = ([month = 1, day, hour, minute]: number[]) => Date.UTC(2026, month - 1, day, hour, minute, 1);
      const ageMs = at(now) - at(last);
      const { dueLanes } = setUp({ attempts: allDone(ageMs), now: at(now), schedule, upMs: 90 * 24 * 60 * MINUTE });
      const due = new Set((await dueLanes.due()).map(({ stream }) => stream));
      expect(due).toContain('hss_protected_clusters');
      for (const { name, parent } of streams) if (parent !== undefined) expect(due).not.toContain(name);
    },
  );

  test('is ordered by staleness, for lanes and scopes, with those never read first', async () => {
    const scopes = [scopeOf('a', 'p1'), scopeOf('a', 'p2'), scopeOf('a', 'p3'), scopeOf('b', 'p4')];
    const ages = new Map([
      ['p1', 10],
      ['p2', 30],
      ['p4', 20],
    ]);
    const attempts = [...ages].map(([projectId, minutes]) => ({
      stream: 'hss_protected_clusters',
      projectId,
      ...ANSWERED,
      ageMs: minutes * MINUTE,
      servedMs: minutes * MINUTE,
    }));
    const { dueLanes } = setUp({ scopes, attempts });
    const lanes = (await dueLanes.due()).filter(({ stream }) => stream === 'hss_protected_clusters');
    expect(lanes.map(({ account }) => account)).toEqual(['a', 'b']);
    expect(lanes[0]?.scopes.map(({ projectId }) => projectId)).toEqual(['p3', 'p2', 'p1']);
  });
});

describe('a list that depends on another one', () => {
  const scopes = [scopeOf('a', 'p1'), scopeOf('a', 'p2')];
  const events = 'hss_cluster_events';
  const clusters = 'hss_protected_clusters';
  const attempt = (stream: string, projectId: string, minutes: number): Attempt => ({
    stream,
    projectId,
    ...ANSWERED,
    ageMs: minutes * MINUTE,
    servedMs: minutes * MINUTE,
  });
  const readyAfter = async (attempts: Attempt[], upMs = 0) => {
    const lanes = await setUp({ scopes, attempts, upMs }).dueLanes.due({ account: 'a', streams: [events] });
    return lanes.flatMap((lane) => lane.scopes.map(({ projectId }) => projectId));
  };

  test('is read in the projects in which that one was read, while it is still read in others', async () => {
    expect(await readyAfter([])).toEqual([]);
    expect(await readyAfter([attempt(clusters, 'p2', 0)])).toEqual(['p2']);
    const interrupted = { ...attempt(clusters, 'p1', 1), ageMs: null };
    expect(await readyAfter([interrupted])).toEqual(['p1']);
    expect(await readyAfter([{ ...interrupted, isRunning: true }])).toEqual([]);
  });

  test('waits for that one until the next tick at most, and until that one was read if it never was', async () => {
    const both = [attempt(clusters, 'p1', 9), attempt(events, 'p1', 9)];
    expect(await readyAfter([...both, attempt(events, 'p2', 9)])).toEqual([]);
    expect(await readyAfter([...both, attempt(events, 'p2', 9)], 60 * MINUTE)).toEqual(['p1']);
    const short = [attempt(clusters, 'p1', 4), attempt(events, 'p1', 4)];
    expect(await readyAfter(short, 60 * MINUTE)).toEqual([]);
  });

  test('takes turns with that one, if the quota is so short that both are always due', async () => {
    expect(await readyAfter([attempt(clusters, 'p1', 30), attempt(events, 'p1', 50)])).toEqual(['p1']);
    expect(await readyAfter([attempt(clusters, 'p1', 50), attempt(events, 'p1', 30)])).toEqual([]);
  });
});

test('a lane has the priority of the time at which it was last served, even if it was queued before another one', async () => {
  const scopes = [scopeOf('a', 'p1'), scopeOf('b', 'p2'), scopeOf('c', 'p3')];
  const attempts = [...allDone(60 * MINUTE), ...allDone(20 * MINUTE, 'p2')];
  const priorities = async (now: number) => {
    const later = attempts.map((one) => ({ ...one, ageMs: (one.ageMs ?? 0) + now, servedMs: one.servedMs + now }));
    const { scheduler, sent } = setUp({ scopes, attempts: later, now: NOW + now });
    await scheduler.start();
    return new Map(
      sent.filter(({ stream }) => stream === 'hss_protected_clusters').map((one) => [one.account, one.priority]),
    );
  };
  const [early, late] = [await priorities(0), await priorities(45 * MINUTE)];
  expect(late).toEqual(early);
  const [never = 0, first = 0, second = 0] = ['c', 'a', 'b'].map((account) => early.get(account));
  expect(never).toBeGreaterThan(first);
  expect(first).toBeGreaterThan(second);
});

test('if no lane has been served yet, the first lane of each stream goes before the second lane of any stream', async () => {
  const { scheduler, sent } = setUp({ scopes: [scopeOf('a', 'p1'), scopeOf('b', 'p2'), scopeOf('c', 'p3')] });
  await scheduler.start();
  const byPriority = Map.groupBy(sent, ({ priority }) => priority);
  const ranks = [...byPriority]
    .sort(([one], [other]) => other - one)
    .map(([, lanes]) => lanes.map(({ stream }) => stream));
  expect(ranks).toHaveLength(3);
  for (const rank of ranks) expect(new Set(rank).size).toBe(rank.length);
});

describe('a stream whose lists were all refused', () => {
  const HOUR = 60 * MINUTE;
  const refused = (stream: string, minutes: number, wasComplete = false): Attempt => ({
    stream,
    projectId: 'p1',
    ageMs: minutes * MINUTE,
    servedMs: minutes * MINUTE,
    refusal: 'no permission',
    wasComplete,
    isRunning: false,
  });
  const others = (ageMs: number) => allDone(ageMs).filter(({ stream }) => stream !== 'hss_cluster_events');
  const dueAfter = async (attempts: Attempt[]) =>
    (await setUp({ attempts, upMs: HOUR }).dueLanes.due()).map(({ stream }) => stream);

  test('is requested again after a day, and does not delay the ticks of other streams', async () => {
    const due = await dueAfter([...others(10 * MINUTE), refused('hss_cluster_events', 10)]);
    expect(due).toHaveLength(streams.length - 1);
    expect(due).not.toContain('hss_cluster_events');
    expect(await dueAfter([...others(0), refused('hss_cluster_events', 23 * 60)])).toEqual([]);
    expect(await dueAfter([...others(0), refused('hss_cluster_events', 24 * 60)])).toEqual(['hss_cluster_events']);
  });

  test('is requested again after an hour if it was complete before', async () => {
    expect(await dueAfter([...others(0), refused('hss_cluster_events', 55, true)])).toEqual([]);
    expect(await dueAfter([...others(0), refused('hss_cluster_events', 60, true)])).toEqual(['hss_cluster_events']);
  });

  test('pauses its child, which has no list to read, and starts it once the stream itself was read', async () => {
    const done = allDone(10 * MINUTE).filter(({ stream }) => stream !== 'dbss_audit_instances');
    const due = await dueAfter([...done, refused('dbss_audit_instances', 10)]);
    expect(due).not.toContain('dbss_audit_instances');
    expect(due).not.toContain('dbss_audit_reports');
    expect(await dueAfter(allDone(10 * MINUTE))).toContain('dbss_audit_reports');
  });

  test('is paused in its own project only', async () => {
    const scopes = [scopeOf('a', 'p1'), scopeOf('a', 'p2')];
    const here = allDone(HOUR).filter(({ stream }) => stream !== 'hss_cluster_events');
    const attempts = [...here, refused('hss_cluster_events', 60), ...allDone(HOUR, 'p2')];
    const lanes = await setUp({ scopes, attempts, upMs: HOUR }).dueLanes.due();
    const events = lanes.find(({ stream }) => stream === 'hss_cluster_events');
    expect(events?.scopes.map(({ projectId }) => projectId)).toEqual(['p2']);
  });
});

describe('a start', () => {
  test('after days queues each lane once, parents before children', async () => {
    const { scheduler, sent, end } = setUp({ attempts: allDone(3 * 24 * 60 * MINUTE) });
    await scheduler.start();
    const roots = streams
      .filter(({ parent, split }) => parent === undefined && split === undefined)
      .map(({ name }) => name);
    expect(sent.map(({ stream }) => stream).sort()).toEqual([...roots].sort());
    for (const name of roots) await end('a', name);
    for (const { name } of streams.filter(({ name }) => !roots.includes(name))) await end('a', name);
    expect(sent.map(({ stream }) => stream).sort()).toEqual(streams.map(({ name }) => name).sort());
  });

  test('without work queues nothing', async () => {
    const { scheduler, sent } = setUp({ attempts: allDone(0) });
    await scheduler.start();
    expect(sent).toEqual([]);
  });

  test('without a database retries until there is one', async () => {
    const { scheduler, sent, waits, faults } = setUp();
    faults.push(new DatabaseError('away'), new DatabaseError('still away'));
    await scheduler.start();
    expect(sent).toEqual([]);
    waits.shift()?.();
    await expect.poll(() => waits.length).toBe(1);
    waits.shift()?.();
    await expect.poll(() => sent.length).toBeGreaterThan(0);
  });
});

test('a list that depends on another one is queued when that one was read in a project, not only at the end of its lane', async () => {
  const scopes = [scopeOf('a', 'p1'), scopeOf('a', 'p2'), scopeOf('b', 'p3')];
  const read = { stream: 'dbss_audit_instances', projectId: 'p1', ...ANSWERED, ageMs: 0, servedMs: 0 };
  const { scheduler, sent } = setUp({ scopes, attempts: [read] });
  await scheduler.hasRead({ account: 'a', stream: 'dbss_audit_instances' });
  const children = streams.filter(({ parent }) => parent?.stream.name === 'dbss_audit_instances');
  expect(sent.map(({ account, stream }) => `${account} ${stream}`)).toEqual(children.map(({ name }) => `a ${name}`));
});

describe('the end of a lane', () => {
  test('starts a child even while the parent has more to do', async () => {
    const attempts = allDone(10 * MINUTE).map((one) =>
      one.stream === 'dbss_audit_instances' ? { ...one, servedMs: MINUTE / 2 } : one,
    );
    const { scheduler, sent } = setUp({ attempts });
    await scheduler.ended({ account: 'a', stream: 'dbss_audit_instances' }, { again: true });
    const children = streams.filter(({ parent }) => parent?.stream.name === 'dbss_audit_instances');
    expect(children.length).toBeGreaterThan(0);
    expect(sent.map(({ stream }) => stream)).toEqual(children.map(({ name }) => name));
  });

  test('starts no child that is not due, and none of another account', async () => {
    const attempts = [...allDone(10 * MINUTE, 'p2'), ...allDone(0)];
    const { scheduler, sent } = setUp({ scopes: [scopeOf('a', 'p1'), scopeOf('b', 'p2')], attempts });
    await scheduler.ended({ account: 'a', stream: 'dbss_audit_instances' }, { again: false });
    expect(sent).toEqual([]);
  });

  test('that still has work queues it again with the priority of what has waited longest', async () => {
    const scopes = [scopeOf('a', 'p1'), scopeOf('a', 'p2'), scopeOf('b', 'p3')];
    const attempts = [...allDone(0), ...allDone(40 * MINUTE, 'p2'), ...allDone(30 * MINUTE, 'p3')];
    const { scheduler, sent, waits, pending } = setUp({ scopes, attempts });
    const lane = { account: 'a', stream: 'hss_protected_clusters' };
    pending.add(laneKey(lane));
    await scheduler.ended(lane, { again: false });
    expect(sent).toEqual([]);
    pending.clear();
    waits.shift()?.();
    await expect.poll(() => sent).toMatchObject([lane]);
    await scheduler.start();
    const other = sent.find(({ account, stream }) => account === 'b' && stream === lane.stream);
    expect(sent[0]?.priority).toBeGreaterThan(other?.priority ?? Number.POSITIVE_INFINITY);
  });

  test('whose account has no requests left queues it for the time when it has, behind whichever address', async () => {
    const { scheduler, delays, waits } = setUp({ attempts: allDone(40 * MINUTE) });
    await scheduler.ended({ account: 'a', stream: 'hss_protected_clusters' }, { again: false, delayMs: 48_000 });
    waits.shift()?.();
    await expect.poll(() => delays).toEqual([48_000]);
  });

  test('queues a lane again whose handler returns a minute later, and while the database was away', async () => {
    const { scheduler, outages, sent, waits, pending } = setUp({ attempts: allDone(0) });
    const lane = { account: 'a', stream: 'hss_protected_clusters' };
    pending.add(laneKey(lane));
    await scheduler.ended(lane, { again: true });
    const attempt = async () => {
      await expect.poll(() => waits.length).toBe(1);
      waits.shift()?.();
    };
    outages.push(new DatabaseError('no Postgres answers'));
    // One, two, four and so on seconds.
    for (let attempts = 0; attempts < 6; attempts += 1) await attempt();
    expect(sent).toEqual([]);
    pending.clear();
    await attempt();
    await expect.poll(() => sent).toMatchObject([lane]);
  });

  test('that reached its time limit queues it again behind the others', async () => {
    const { scheduler, sent, waits, pending } = setUp({ attempts: allDone(0) });
    pending.add('a/hss_protected_clusters');
    await scheduler.ended({ account: 'a', stream: 'hss_protected_clusters' }, { again: true });
    await expect.poll(() => waits.length).toBe(1);
    waits.shift()?.();
    await expect.poll(() => waits.length).toBe(1);
    expect(sent).toEqual([]);
    pending.clear();
    waits.shift()?.();
    await expect.poll(() => sent).toMatchObject([{ account: 'a', stream: 'hss_protected_clusters' }]);
    const waiting = setUp({ attempts: allDone(6 * MINUTE) });
    await waiting.scheduler.start();
    const lowest = Math.min(...waiting.sent.map(({ priority }) => priority));
    expect(sent[0]?.priority).toBeLessThan(lowest);
    expect(sent[0]?.priority).toBeGreaterThan(0);
  });
});
