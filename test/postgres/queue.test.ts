import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { LaneHandler } from '../../src/core/ports.ts';
import { installQueue, PostgresLaneQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { testNow } from '../support/clock.ts';
import { quietLogger } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool, url } = await createTestDatabase();
const NOW = { priority: 0, delayMs: 0 };

beforeEach(async () => {
  await installQueue(url);
  await pool.query('delete from security_sync_queue.job');
});

async function startQueue(handle: LaneHandler): Promise<PostgresLaneQueue> {
  const queue = new PostgresLaneQueue({ pool, url, logger: quietLogger, configuration: 'test', concurrency: 3 });
  onTestFinished(() => queue.stop());
  await queue.start(handle);
  return queue;
}

test('a lane is queued or active only once, however many replicas send it', async () => {
  const release = Promise.withResolvers<void>();
  const handled: string[] = [];
  const handle: LaneHandler = async ({ stream }) => {
    handled.push(stream);
    await release.promise;
  };
  const [one, other] = [await startQueue(handle), await startQueue(handle)];
  const lane = { account: 'a', stream: 'once' };
  const sent = await Promise.all([one, other, one, other].map((queue) => queue.send(lane, NOW)));
  expect(sent.filter(Boolean)).toHaveLength(1);
  await expect.poll(() => handled).toEqual(['once']);
  expect(await other.send(lane, NOW)).toBe(false);
  expect(await one.pending()).toEqual(new Set(['a/once']));
  release.resolve();
  await expect.poll(() => other.pending()).toEqual(new Set());
  expect(await other.send(lane, NOW)).toBe(true);
});

test('a lane whose handler failed is handed out again', async () => {
  let calls = 0;
  const queue = await startQueue(async () => {
    calls += 1;
    if (calls === 1) throw new Error('the database was away');
  });
  await queue.send({ account: 'a', stream: 'again' }, NOW);
  await expect.poll(() => calls, { interval: 200 }).toBe(2);
  await expect.poll(() => queue.pending()).toEqual(new Set());
});

test('the higher priority goes first, and none before its delay is over', async () => {
  const handled: string[] = [];
  const queue = new PostgresLaneQueue({ pool, url, logger: quietLogger, configuration: 'test', concurrency: 1 });
  onTestFinished(() => queue.stop());
  await queue.start(async ({ stream }) => {
    handled.push(stream);
  });
  await queue.send({ account: 'a', stream: 'late' }, { priority: 100, delayMs: 3_000 });
  await queue.send({ account: 'a', stream: 'low' }, { priority: 1, delayMs: 0 });
  await queue.send({ account: 'a', stream: 'high' }, { priority: 2, delayMs: 0 });
  await expect.poll(() => handled).toEqual(['high', 'low', 'late']);
});

test('a frequent lane has a place while others wait for theirs, and others have one while frequent lanes wait', async () => {
  const release = new Map<string, () => void>();
  const kept = { frequent: 1, others: 1 };
  // A stream may have more lanes at work than there are kept places.
  const sharing = { lanesOfStream: 2, isMetered: () => true };
  const parts = { pool, url, logger: quietLogger, configuration: 'test', concurrency: 3, kept, sharing };
  const queue = new PostgresLaneQueue(parts);
  onTestFinished(() => queue.stop());
  onTestFinished(() => release.forEach((end) => void end()));
  await queue.start(({ stream }) => new Promise<void>((resolve) => void release.set(stream, resolve)));
  const send = (stream: string, isFrequent: boolean) =>
    queue.send({ account: 'a', stream }, { priority: isFrequent ? 1 : 9, delayMs: 0, isFrequent });
  const atWork = () => [...release.keys()].toSorted();

  for (const stream of ['long-1', 'long-2', 'long-3']) await send(stream, false);
  await expect.poll(() => atWork().length).toBe(2);
  await send('minute-1', true);
  await expect.poll(atWork).toContain('minute-1');
  expect(atWork()).toHaveLength(3);

  await send('minute-2', true);
  await send('minute-3', true);
  for (const stream of atWork().filter((one) => one.startsWith('long'))) release.get(stream)?.();
  await expect.poll(() => atWork().filter((one) => one.startsWith('minute'))).toHaveLength(2);
  await expect.poll(() => atWork().filter((one) => one.startsWith('long'))).toHaveLength(3);
  expect(await queue.pending()).toEqual(
    new Set(
      atWork()
        .slice(-3)
        .concat('minute-3')
        .map((one) => `a/${one}`),
    ),
  );
});

test('serves at most as many lanes of one stream as its quota allows, and does not limit other streams', async () => {
  const release = Promise.withResolvers<void>();
  const active = new Set<string>();
  const sharing = { lanesOfStream: 1, isMetered: (account: string) => account !== 'unmetered' };
  const parts = { pool, url, logger: quietLogger, configuration: 'test', concurrency: 4, sharing };
  const queue = new PostgresLaneQueue(parts);
  onTestFinished(() => queue.stop());
  onTestFinished(() => release.resolve());
  const done: string[] = [];
  await queue.start(async ({ account, stream }) => {
    active.add(`${account}/${stream}`);
    await release.promise;
    active.delete(`${account}/${stream}`);
    done.push(`${account}/${stream}`);
  });
  for (const account of ['a', 'b', 'c', 'unmetered']) await queue.send({ account, stream: 'busy' }, NOW);
  await queue.send({ account: 'c', stream: 'other' }, NOW);
  // Which of the three comes first is not decided: they were sent at one time.
  const kinds = () => [...active].map((lane) => lane.replace(/^[abc]\/busy$/, 'metered/busy')).sort();
  await expect.poll(kinds).toEqual(['c/other', 'metered/busy', 'unmetered/busy']);
  release.resolve();
  await expect.poll(() => done.length).toBe(5);
});

test('a stream whose requests are used up has no place, not even a free one, and has one as soon as it may send again', async () => {
  const handled: string[] = [];
  let openAt = Number.POSITIVE_INFINITY;
  const waits = () => new Map([['used up', openAt - performance.now()] as const].filter(([, ms]) => ms > 0));
  const sharing = { lanesOfStream: 1, isMetered: () => true, waits };
  const parts = { pool, url, logger: quietLogger, configuration: 'test', concurrency: 3, sharing };
  const queue = new PostgresLaneQueue(parts);
  onTestFinished(() => queue.stop());
  await queue.start(async ({ stream }) => {
    handled.push(stream);
  });
  await queue.send({ account: 'a', stream: 'used up' }, { priority: 9, delayMs: 0 });
  for (const account of ['a', 'b']) await queue.send({ account, stream: 'open' }, NOW);
  await expect.poll(() => handled).toEqual(['open', 'open']);
  await expect.poll(() => queue.pending()).toEqual(new Set(['a/used up']));
  openAt = performance.now();
  await expect.poll(() => handled).toEqual(['open', 'open', 'used up']);
});

test("processes behind different addresses wait neither for each other nor for each other's requests", async () => {
  const release = Promise.withResolvers<void>();
  const active = new Set<string>();
  const start = async (name: string, waits: ReadonlyMap<string, number>) => {
    const sharing = { lanesOfStream: 1, isMetered: () => true, waits: () => waits };
    const queue = new PostgresLaneQueue({
      pool,
      url,
      logger: quietLogger,
      configuration: 'test',
      concurrency: 3,
      sharing,
    });
    onTestFinished(() => queue.stop());
    await queue.start(async ({ stream }) => {
      active.add(`${name} ${stream}`);
      await release.promise;
    });
    return queue;
  };
  const queue = await start('nat-1', new Map([['used up at nat-1', 600_000]]));
  await start('nat-2', new Map());
  onTestFinished(() => release.resolve());
  await queue.send({ account: 'a', stream: 'used up at nat-1' }, { priority: 9, delayMs: 0 });
  for (const account of ['a', 'b']) await queue.send({ account, stream: 'open' }, NOW);
  await expect.poll(() => [...active].toSorted()).toEqual(['nat-1 open', 'nat-2 open', 'nat-2 used up at nat-1']);
});

test('a process that is handed a lane again because its heartbeat was late gives up the first attempt and keeps the second', async () => {
  const signals: AbortSignal[] = [];
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const queue = await startQueue(async (_, signal) => {
    signals.push(signal);
    await (signals.length === 1 ? first : second).promise;
  });
  onTestFinished(() => second.resolve());
  await queue.send({ account: 'a', stream: 'late' }, NOW);
  await expect.poll(() => signals.length).toBe(1);
  // What pg-boss does with a job without heartbeat.
  await pool.query(
    "update security_sync_queue.job set state = 'retry', retry_count = retry_count + 1, start_after = created_on",
  );
  await expect.poll(() => signals.length).toBe(2);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  first.resolve();
  // A stop returns only claims that it knows.
  const stopped = queue.stop();
  second.resolve();
  await stopped;
  const { rows } = await pool.query<{ state: string }>('select state from security_sync_queue.job');
  expect(rows).toEqual([{ state: 'completed' }]);
});

test('a stop takes no further lane and waits for the active one, which returns to the queue if it was interrupted', async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  let ended = false;
  const queue = await startQueue(async () => {
    started.resolve();
    await release.promise;
    ended = true;
    throw new Error('cut short');
  });
  await queue.send({ account: 'a', stream: 'stopped' }, NOW);
  await started.promise;
  const stopping = queue.stop();
  await sleep(300);
  expect(ended).toBe(false);
  release.resolve();
  await stopping;
  expect(ended).toBe(true);
  const again: string[] = [];
  await startQueue(async ({ stream }) => {
    again.push(stream);
  });
  await expect.poll(() => again, { interval: 200 }).toEqual(['stopped']);
});

test('a database that is away is a clear error, and the start may be tried again', async () => {
  const queue = new PostgresLaneQueue({
    pool,
    url: 'postgres://u:hidden@127.0.0.1:1/x',
    logger: quietLogger,
    configuration: 'test',
    concurrency: 1,
  });
  await expect(queue.start(async () => {})).rejects.toThrow('no Postgres answers at 127.0.0.1:1');
  await expect(queue.start(async () => {})).rejects.not.toThrow('hidden');
  await queue.stop();
});

test('a process whose clock is an hour ahead keeps no lane from being worked on', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: testNow() + 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  const handled: string[] = [];
  const queue = await startQueue(async ({ stream }) => {
    handled.push(stream);
  });
  await queue.send({ account: 'a', stream: 'ahead' }, { priority: 0, delayMs: 500 });
  await expect.poll(() => handled, { timeout: 10_000 }).toEqual(['ahead']);
});
