import { setTimeout as wait } from 'node:timers/promises';
import type { Scope } from '../src/core/account.ts';
import { isHot } from '../src/core/due.ts';
import { type Attempt, LANES_AT_ONCE, type Lane, laneKey, type PageSource, type Quota } from '../src/core/ports.ts';
import { fixedListings } from '../src/core/stream/endpoint.ts';
import { inOrder, type Stream } from '../src/core/stream/stream.ts';
import { createPageSource } from '../src/huawei/requests/read-call.ts';
import { DEMO_KEY, DEMO_PROJECT, startSandbox } from '../src/sandbox/server/server.ts';
import { streams } from '../src/streams/index.ts';
import { type Engine, runStream } from '../src/sync/run/run-stream.ts';
import { isFrequent, keptPlaces, nextTick, priorityOf, tickEveryMs } from '../src/sync/service/cron.ts';
import { DueLanes } from '../src/sync/service/scheduler.ts';
import { serveLane } from '../src/sync/service/service.ts';
import { MemoryStore } from '../test/support/memory-store.ts';
import { random } from '../test/support/random.ts';
import { VirtualQuota, VirtualTime } from './support/virtual-time.ts';

/**
 * `node bench/all-groups.ts [hours]`: a day (or some hours) with all groups on a virtual clock, at 5 requests a minute and operation:
 * 1,000 hosts, 20,000 host vulnerabilities, 500 alarms a day. Lanes are due, queued and served as in the service, at
 * most as many at once; the sandbox answers over HTTP, and rows are kept in memory.
 */

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;
const START = Date.UTC(2026, 0, 5);
const SETTLING_MS = HOUR_MS / 6;
const LATENCY_MS = 400;
const PER_MINUTE = 5;
/** Each of about 55 documented lists has about 800 changes a day; five of eight changes of the alarms are new ones. */
const CHANGES_PER_DAY = 44_000;
const LANE_TIME_LIMIT_MS = 15 * 60_000;
const SAMPLE_MS = 5 * 60_000;

const hours = Number(process.argv[2] ?? 24);
const clock = new VirtualTime(START);
const quota = new VirtualQuota(clock, PER_MINUTE);
const store = new MemoryStore(() => clock.now());
const chance = random(1);
const requests = new Map<string, number>();
const { signal } = new AbortController();
let isLoading = true;
let isCounting = false;
const scope: Scope = {
  account: 'bench',
  region: DEMO_PROJECT.region,
  projectId: DEMO_PROJECT.id,
  enterpriseProjectId: 'all_granted_eps',
};
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const sandbox = await startSandbox({ hosts: 1_000, vulnerabilities: 200, now: () => clock.now() });
const unlimited: Quota = { acquire: async () => ({ done: async () => {} }) };
const api = createPageSource({
  accounts: [
    {
      name: scope.account,
      auth: { kind: 'aksk', accessKey: async () => DEMO_KEY.accessKey, secretKey: async () => DEMO_KEY.secretKey },
      endpoints: { hss: sandbox.url, dbss: sandbox.url, iam: sandbox.url, eps: sandbox.url },
      requestsPerMinute: PER_MINUTE,
    },
  ],
  quota: unlimited,
  suspensions: {
    find: async () => null,
    suspend: async (_account, _fingerprint, { reason }) => ({ until: new Date(0), reason, serverNow: null }),
    lift: async () => {},
  },
  // Time stands still during a request, so the pause before a repetition is real.
  clock: { now: () => clock.now(), sleep: async (ms) => void (await wait(ms)) },
  logger,
});

/** Paces requests on the virtual clock, and lets the estate change before each. */
let changedAt = START;
const source: PageSource = {
  isPlentiful: () => false,
  async read(from, call, reading) {
    if (!isLoading) await quota.send(call.operation, LATENCY_MS);
    if (isCounting) requests.set(call.operation, (requests.get(call.operation) ?? 0) + 1);
    const changes = isLoading ? 0 : Math.floor(((clock.now() - changedAt) * CHANGES_PER_DAY) / (24 * HOUR_MS));
    for (const estate of changes > 0 ? sandbox.estates.values() : []) estate.step(changes, 'documented');
    if (changes > 0 || isLoading) changedAt = clock.now();
    return clock.outside(api.read(from, call, reading));
  },
};
const engine: Engine = {
  source,
  store,
  clock,
  logger,
  timeZone: 'UTC',
  reconcileEveryMs: (stream) => stream.reconcileEveryMs,
  content: ({ schedule, targetMs }) => ({
    everyMs: Math.min(15 * 60_000, targetMs),
    tickMs: tickEveryMs(schedule),
    requestsPerMinute: PER_MINUTE / 2,
    scopes: 1,
  }),
};

/** What the run log would say: starts of the last runs. */
const attempts = new Map<string, { startedAt: number; completedAt: number | null }>();
const lastAttempts = async (): Promise<readonly Attempt[]> =>
  [...attempts].map(([stream, { startedAt, completedAt }]) => ({
    stream,
    projectId: scope.projectId,
    ageMs: completedAt === null ? null : clock.now() - completedAt,
    servedMs: clock.now() - startedAt,
    refusal: null,
    wasComplete: true,
    isRunning: false,
  }));
const scheduled = streams.map((stream) => ({ stream, schedule: stream.schedule }));
const dueLanes = new DueLanes({ streams: scheduled, scopes: [scope], runs: { lastAttempts }, clock });

interface Waiting {
  readonly lane: Lane;
  readonly priority: number;
  readonly isFrequent: boolean;
  readonly queuedAt: number;
}

const rhythms = new Map(
  scheduled.map(({ stream, schedule }) => [
    stream.name,
    { everyMs: tickEveryMs(schedule), isFrequent: isFrequent(schedule) },
  ]),
);
const kept = keptPlaces(
  scheduled.map(({ schedule }) => schedule),
  LANES_AT_ONCE,
);

/** The queue of the service in memory: each lane is queued or running once, and the places are divided as there. */
class Places {
  readonly #queued = new Map<string, Waiting>();
  readonly #running = new Set<string>();
  readonly #free = {
    frequent: kept.frequent,
    others: kept.others,
    any: LANES_AT_ONCE - kept.frequent - kept.others,
  };
  /** How long frequent and other lanes waited for a place, in ms. */
  readonly waits = { frequent: [] as number[], others: [] as number[] };
  most = 0;

  send(lane: Lane, servedAtMs: number): void {
    const key = laneKey(lane);
    if (this.#queued.has(key) || this.#running.has(key)) return;
    const { everyMs, isFrequent } = rhythms.get(lane.stream) ?? { everyMs: 0, isFrequent: false };
    this.#queued.set(key, { lane, isFrequent, queuedAt: clock.now(), priority: priorityOf({ servedAtMs, everyMs }) });
    this.#fill();
  }

  #fill(): void {
    for (const kind of ['frequent', 'others', 'any'] as const) {
      while (this.#free[kind] > 0) {
        const [first] = [...this.#queued.values()]
          .filter(({ isFrequent }) => kind === 'any' || isFrequent === (kind === 'frequent'))
          .sort((a, b) => Number(b.isFrequent) - Number(a.isFrequent) || b.priority - a.priority);
        if (first === undefined) break;
        const key = laneKey(first.lane);
        this.#queued.delete(key);
        this.#running.add(key);
        this.#free[kind] -= 1;
        this.most = Math.max(this.most, this.#running.size);
        this.waits[first.isFrequent ? 'frequent' : 'others'].push(clock.now() - first.queuedAt);
        void this.#serve(first.lane, key).finally(() => {
          this.#free[kind] += 1;
          this.#fill();
        });
      }
    }
  }

  async #serve(lane: Lane, key: string): Promise<void> {
    const startedAt = clock.now();
    const { completedAt = null } = attempts.get(lane.stream) ?? {};
    attempts.set(lane.stream, { startedAt, completedAt });
    const parts = { engine, dueLanes, timeLimitMs: LANE_TIME_LIMIT_MS, onReport: () => {} };
    const outcome = await serveLane(
      {
        ...parts,
        onReport: ({ reason }) => {
          if (reason !== 'interrupted') attempts.set(lane.stream, { startedAt, completedAt: startedAt });
        },
      },
      lane,
      signal,
    );
    this.#running.delete(key);
    await enqueue(dueLanes.dependants(lane.stream));
    if (outcome === 'more') this.send(lane, clock.now());
  }
}

const places = new Places();

async function enqueue(names: readonly string[]): Promise<void> {
  const due = names.length === 0 ? [] : await dueLanes.due({ streams: names });
  for (const lane of due) places.send({ account: lane.account, stream: lane.stream }, clock.now() - lane.servedMs);
}

// Starts with everything certified; lists that rarely change were read at random times of the week before.
for (const stream of inOrder(streams)) {
  // Five lists of each host take 17 hours: their first load is under way all day.
  if (stream.name === 'hss_vulnerabilities_of_hosts') continue;
  const { certificate, reason } = await runStream(engine, { stream, scope }, { signal });
  if (certificate !== 'complete') throw new Error(`${stream.name}: ${reason}`);
  const lists = await listsOf(stream);
  for (const [key, memory] of store.remembered(stream, scope)) {
    const list = lists.get(key);
    const isCold = list !== undefined && !isHot(list, memory.state);
    const at = new Date(START - Math.floor(chance() * (isCold ? WEEK_MS : HOUR_MS)));
    memory.state = { ...memory.state, certifiedAt: at, contentAt: at, walkedAt: at };
  }
  attempts.set(stream.name, { startedAt: START, completedAt: START });
}
isLoading = false;

async function listsOf(stream: Stream) {
  const lists = stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
  return new Map(lists.map((one) => [one.key, one]));
}

const alarms = { added: [] as number[], handled: [] as number[] };
const settled = START + SETTLING_MS;
store.onWrite = (stream, { row }) => {
  if (stream.name !== 'hss_alarms') return;
  const age = (column: string) => (row[column] instanceof Date ? row[column].getTime() : 0);
  const [occurred, handled] = [age('occur_time'), age('handle_time')];
  if (handled >= settled) alarms.handled.push(clock.now() - handled);
  else if (occurred >= settled) alarms.added.push(clock.now() - occurred);
};
const looks = new Map<string, number[]>(streams.map(({ name }) => [name, []]));
const contents = new Map<string, number[]>(streams.map(({ name }) => [name, []]));
const failures: unknown[] = [];

async function followTicks({ stream, schedule }: (typeof scheduled)[number]): Promise<void> {
  for (;;) {
    await clock.sleep(
      (nextTick(schedule, new Date(clock.now()))?.getTime() ?? 0) - clock.now() + Math.floor(chance() * 3_000),
    );
    await enqueue([stream.name]);
  }
}

async function sample(): Promise<void> {
  for (;;) {
    await clock.sleep(Math.floor(SAMPLE_MS * (0.5 + chance())));
    if (clock.now() < settled) continue;
    for (const stream of streams) {
      const lists = await listsOf(stream);
      for (const [key, { state }] of store.remembered(stream, scope)) {
        const list = lists.get(key);
        if (list === undefined || !isHot(list, state)) continue;
        looks.get(stream.name)?.push(clock.now() - (state.walkedAt?.getTime() ?? 0));
        contents.get(stream.name)?.push(clock.now() - (state.contentAt?.getTime() ?? 0));
      }
    }
  }
}

for (const work of [sample(), ...scheduled.map(followTicks)]) work.catch((error: unknown) => failures.push(error));
await clock.runUntil(settled);
isCounting = true;
const cpu = process.cpuUsage();
for (let hour = 1; hour <= hours; hour += 1) {
  await clock.runUntil(settled + hour * HOUR_MS);
  console.error(`hour ${hour}: ${[...requests.values()].reduce((a, b) => a + b, 0)} requests`);
}
const used = process.cpuUsage(cpu);
if (failures.length > 0) throw failures[0];

const p95 = (values: readonly number[] | undefined = []) =>
  Math.round(([...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? 0) / 6_000) / 10;
console.table(
  streams.map((stream) => ({
    stream: stream.name,
    'requests/h': Math.round((requests.get(`${stream.endpoint.method} ${stream.endpoint.paths[0]}`) ?? 0) / hours),
    'look p95 (min)': p95(looks.get(stream.name)),
    'content p95 (min)': p95(contents.get(stream.name)),
    'target (min)': stream.targetMs / 60_000,
  })),
);
console.log({
  'new alarms': alarms.added.length,
  'age p95 (min)': p95(alarms.added),
  'handled alarms': alarms.handled.length,
  'their age p95 (min)': p95(alarms.handled),
  'most requests of one operation in a minute': quota.most,
  'most lanes at once': places.most,
  'wait of frequent lanes for a place, p95 (min)': p95(places.waits.frequent),
  'of others': p95(places.waits.others),
  'CPU, s (with sandbox and simulation)': Math.round((used.user + used.system) / 1e6),
  requests: [...requests.values()].reduce((a, b) => a + b, 0),
});
await api.close();
await sandbox.close();
process.exit(0);
