import { once } from 'node:events';
import { join } from 'node:path';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import type { Lane, RunLog } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import { createPageSource } from '../../src/huawei/requests/read-call.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { createQuota, createSuspensions } from '../../src/postgres/coordination/quota.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import { DueLanes } from '../../src/sync/service/scheduler.ts';
import { CHILD_CLOCK, testNow } from '../support/clock.ts';
import { accountOn, OF_EVERY_KIND, quietLogger, scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { SandboxTask } from '../support/sandbox-worker.ts';
import { virtualClock } from '../support/world.ts';

const database = await createTestDatabase();

const MINUTE_MS = 60_000;
/** The first load, the first reconciliations, and what V8 compiles on the way. */
const WARM_UP_MINUTES = 2 * 60;
const CHANGES_A_MINUTE = 3;
const MEASURED_MINUTES = 8 * 60;
const EVERY_MINUTES = 30;
/** Of a heap of 36 MB, over some 900 runs: less than 2 KB for each. It wavers by 0.7 MB. */
const MAY_GROW_MB = 1.5;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** What survives collections, in MB. */
async function heap(): Promise<number> {
  for (let round = 0; round < 4; round += 1) {
    collect();
    await new Promise((done) => setTimeout(done, 50));
  }
  const { used_heap_size: used, external_memory: external } = getHeapStatistics();
  return (used + external) / 1e6;
}

test(`the heap does not grow over ${MEASURED_MINUTES / 60} hours of polls at the real schedules`, async () => {
  const aheadMs = new Float64Array(new SharedArrayBuffer(8));
  const clock = virtualClock();
  // Full minutes, as ticks fall on them; and days ahead, so that what the database stamped with its own clock shows.
  clock.set(2 * 86_400_000 - (testNow() % MINUTE_MS));
  aheadMs[0] = clock.now() - testNow();
  const task: SandboxTask = {
    aheadMs,
    options: { clusters: 12, events: 2_000, vulnerabilities: 40, instances: 3, reports: 200 },
  };
  const worker = new Worker(join(import.meta.dirname, '../support/sandbox-worker.ts'), {
    workerData: task,
    execArgv: [...CHILD_CLOCK.args],
    env: { ...process.env, ...CHILD_CLOCK.env() },
  });
  onTestFinished(async () => void (await worker.terminate()));
  const [url]: string[] = await once(worker, 'message');
  const change = async (changes: number) => {
    worker.postMessage(changes);
    await once(worker, 'message');
  };

  const { pool } = database;
  const metrics = createMetrics();
  const source = createPageSource({
    accounts: [accountOn({ url: url ?? '' }, { requestsPerMinute: 60 })],
    quota: createQuota(pool, clock, { now: clock.now }),
    suspensions: createSuspensions(pool, clock.now),
    clock,
    logger: quietLogger,
  });
  onTestFinished(() => source.close());
  const engine: Engine = {
    source,
    store: createStore(pool, { timeZone: 'UTC' }),
    clock,
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => stream.reconcileEveryMs,
  };
  // The runs in the database are stamped by its own clock, which is not ahead.
  const tried = new Map<string, number>();
  const runs: RunLog = {
    async lastAttempts() {
      return [...tried].map(([stream, at]) => {
        const ageMs = clock.now() - at;
        return {
          stream,
          projectId: scope.projectId,
          ageMs,
          servedMs: ageMs,
          refusal: null,
          wasComplete: false,
          isRunning: false,
        };
      });
    },
  };
  const agenda = new DueLanes({
    streams: OF_EVERY_KIND.map((stream) => ({ stream, schedule: stream.schedule })),
    scopes: [scope],
    runs,
    clock,
  });
  const walks = new Map<string, number>();
  let unproven = 0;
  const onReport = (report: RunReport) => {
    metrics.onReport(report);
    expect(report.status, report.error ?? '').not.toBe('failed');
    if (report.certificate !== 'complete') unproven += 1;
    const walk = report.walk ?? 'none';
    walks.set(walk, (walks.get(walk) ?? 0) + 1);
  };

  const streamOf = (lane: Lane) => agenda.stream(lane.stream) ?? expect.unreachable();
  const { signal } = new AbortController();
  const readings: { readonly minute: number; readonly heapMb: number; readonly runs: number }[] = [];
  let count = 0;
  const began = clock.now();
  for (let minute = 0; minute <= WARM_UP_MINUTES + MEASURED_MINUTES; minute += 1) {
    clock.advance(Math.max(0, began + minute * MINUTE_MS - clock.now()));
    aheadMs[0] = clock.now() - testNow();
    await change(CHANGES_A_MINUTE);
    for (const lane of await agenda.due()) {
      tried.set(lane.stream, clock.now());
      for (const one of lane.scopes)
        onReport(await runStream(engine, { stream: streamOf(lane), scope: one }, { signal }));
      await pool.query(
        `update sync.listings set certified_at = certified_at + $1 * interval '1 ms', walked_at = walked_at + $1 * interval '1 ms'
         where stream = $2 and walked_at <= now()`,
        [clock.now() - testNow(), lane.stream],
      );
      count += 1;
    }
    if (minute >= WARM_UP_MINUTES && minute % EVERY_MINUTES === 0) {
      await metrics.registry.metrics();
      readings.push({ minute, heapMb: await heap(), runs: count });
    }
  }
  console.table(readings.map(({ heapMb, ...rest }) => ({ ...rest, heapMb: heapMb.toFixed(2) })));
  const half = Math.ceil(readings.length / 2);
  const least = (some: typeof readings) => Math.min(...some.map(({ heapMb }) => heapMb));
  const grown = least(readings.slice(half)) - least(readings.slice(0, half));
  console.log(
    `${count} runs (${JSON.stringify(Object.fromEntries(walks))}); ${unproven} unproven; the heap grew by ${grown.toFixed(2)} MB`,
  );
  expect(walks.get('probe')).toBeGreaterThan(0);
  expect(walks.get('head')).toBeGreaterThan(0);
  expect(walks.get('full')).toBeGreaterThan(0);
  expect(grown).toBeLessThan(MAY_GROW_MB);
  expect((readings.at(-1)?.heapMb ?? 0) - (readings[0]?.heapMb ?? 0)).toBeLessThan(2 * MAY_GROW_MB);
});
