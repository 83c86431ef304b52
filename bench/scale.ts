import type { Scope } from '../src/core/account.ts';
import { type Attempt, LANES_AT_ONCE, type Lane, laneKey, type PageSource } from '../src/core/ports.ts';
import type { StreamRun } from '../src/core/store.ts';
import type { Stream } from '../src/core/stream/stream.ts';
import type { Engine } from '../src/sync/run/run-stream.ts';
import { nextTick, priorityOf, tickEveryMs } from '../src/sync/service/cron.ts';
import { type DueFilter, type DueLane, DueLanes } from '../src/sync/service/scheduler.ts';
import { SHORT_WAIT_MS, serveLane } from '../src/sync/service/service.ts';
import { MemoryStore } from '../test/support/memory-store.ts';
import { random } from '../test/support/random.ts';
import { type Manner, PLAIN, SimulatedApi } from '../test/support/simulated-api.ts';
import { newEvent, newReport, newVulnerability } from '../test/support/simulated-changes.ts';
import { Estate, KINDS, REAL } from '../test/support/simulated-estate.ts';
import { SOUND } from '../test/support/simulated-faults.ts';
import { VirtualQuota, VirtualTime } from './support/virtual-time.ts';

/**
 * `node bench/scale.ts [projects] [addresses] [hours]`: the first hours of a service for many projects (default 1,000
 * projects behind one address, 6 hours) on a virtual clock, at 5 requests a minute for each operation and address. Every
 * project has its own account. Each address has a replica with the places of the service, and all replicas share one
 * configuration and one queue, as on one database with a different `egress` each; lanes are due, queued and served as
 * there, by the same functions. Every project has the same small lists, which do not change.
 */

const [projects = 1_000, addresses = 1, hours = 6] = process.argv.slice(2).map(Number);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 0, 5);
const LATENCY_MS = 400;
const PER_MINUTE = 5;
const WINDOW_MS = 61_000;
const LANE_LIMIT_MS = 15 * MINUTE_MS;

const scheduled = KINDS.map((kind) => ({ stream: REAL[kind], schedule: REAL[kind].schedule }));
const clock = new VirtualTime(START);
const chance = random(1);
const { signal } = new AbortController();

const estate = new Estate(random(1), START - 10 * HOUR_MS);
for (let left = 2; left > 0; left -= 1)
  for (const kind of ['clusters', 'checks', 'instances'] as const) estate.add(kind);
for (let left = 40; left > 0; left -= 1) newEvent(estate);
for (let left = 10; left > 0; left -= 1) newVulnerability(estate, 0);
for (let left = 10; left > 0; left -= 1) newReport(estate);
estate.now = START;
const manner = (sorting: Manner['sorting'], direction: Manner['direction'] = -1) => ({ ...PLAIN, sorting, direction });
const api = new SimulatedApi({
  estate,
  manners: {
    clusters: manner('id', 1),
    checks: manner('update'),
    events: manner('update'),
    vulnerabilities: manner('update'),
    operations: manner('create'),
    instances: manner('id', 1),
    reports: manner('create'),
  },
  trouble: { failing: 0, empties: 0, hidden: null, refused: null },
  faults: { ...SOUND },
  plentiful: false,
  wait: () => {},
});

const nameOf = ({ name }: Stream, projectId: string) => `${name}/${projectId}`;

/** What `sync.runs` would say of a stream in a project. */
interface Seen {
  startedAt: number;
  completedAt: number | null;
  isRunning: boolean;
  /** Longest time between the starts of two runs, in ms. */
  longestMs: number;
}

const seen = new Map<string, Seen>();

/** Notes when runs start. */
class Store extends MemoryStore {
  override open(stream: Stream, scope: Scope): Promise<StreamRun> {
    const key = nameOf(stream, scope.projectId);
    const { startedAt = clock.now(), completedAt = null, longestMs = 0 } = seen.get(key) ?? {};
    const now = clock.now();
    seen.set(key, {
      startedAt: now,
      completedAt,
      isRunning: true,
      longestMs: Math.max(longestMs, now - startedAt),
    });
    return super.open(stream, scope);
  }
}

const store = new Store(() => clock.now());
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const requests = new Map<string, number>();

async function lastAttempts(of: {
  readonly streams: readonly string[];
  readonly projects: readonly string[];
}): Promise<readonly Attempt[]> {
  return of.streams.flatMap((stream) =>
    of.projects.flatMap((projectId) => {
      const found = seen.get(`${stream}/${projectId}`);
      if (found === undefined) return [];
      const { startedAt, completedAt, isRunning } = found;
      const ageMs = completedAt === null ? null : clock.now() - completedAt;
      const servedMs = clock.now() - startedAt;
      return [{ stream, projectId, ageMs, servedMs, isRunning, refusal: null, wasComplete: completedAt !== null }];
    }),
  );
}

/** The lanes of the configuration: queued ones by stream, and the keys of those at work. */
const queued = new Map<string, Map<string, DueLane>>(scheduled.map(({ stream }) => [stream.name, new Map()]));
const running = new Set<string>();

/** A process with an address of its own, at whose quota the others have no part. */
class Replica {
  readonly #quota = new VirtualQuota(clock, PER_MINUTE);
  readonly #engine: Engine;
  readonly #atWork = new Map<string, number>();
  readonly #lanesOfStream = Math.max(1, Math.floor(LANES_AT_ONCE / scheduled.length));
  #lanes = 0;
  most = 0;

  constructor() {
    const source: PageSource = {
      read: async (scope, call, reading) => {
        await this.#quota.send(call.operation, LATENCY_MS);
        requests.set(call.operation, (requests.get(call.operation) ?? 0) + 1);
        return api.read(scope, call, reading);
      },
      isPlentiful: () => false,
    };
    const reconcileEveryMs: Engine['reconcileEveryMs'] = (stream) => stream.reconcileEveryMs;
    this.#engine = { source, store, clock, logger, timeZone: 'UTC', reconcileEveryMs };
  }

  readonly #waitMs = ({ endpoint: { method, paths } }: Stream) =>
    Math.max(...paths.map((path) => this.#quota.waitMs(`${method} ${path}`)));

  /** Takes lanes of the streams for which its address has requests. */
  fill(): void {
    for (const { stream, schedule } of scheduled) {
      while (this.#lanes < LANES_AT_ONCE && this.#waitMs(stream) <= SHORT_WAIT_MS) {
        if ((this.#atWork.get(stream.name) ?? 0) >= this.#lanesOfStream) break;
        const lane = firstQueued(stream, tickEveryMs(schedule));
        if (lane === null) break;
        queued.get(stream.name)?.delete(laneKey(lane));
        void this.#serve(lane);
      }
    }
  }

  async #serve({ account, stream }: Lane): Promise<void> {
    const key = laneKey({ account, stream });
    const count = (by: number) => {
      this.#lanes += by;
      this.#atWork.set(stream, (this.#atWork.get(stream) ?? 0) + by);
    };
    running.add(key);
    count(1);
    this.most = Math.max(this.most, this.#lanes);
    await serveLane(
      {
        engine: this.#engine,
        dueLanes,
        timeLimitMs: LANE_LIMIT_MS,
        waitMs: this.#waitMs,
        onReport: ({ stream, project_id, reason }) => {
          const own = seen.get(`${stream}/${project_id}`);
          if (own === undefined) return;
          own.isRunning = false;
          if (reason !== 'interrupted') own.completedAt = own.startedAt;
        },
      },
      { account, stream },
      signal,
    );
    count(-1);
    running.delete(key);
    await enqueue({ account, streams: [stream, ...dueLanes.dependants(stream)] });
  }
}

const scopes = Array.from(
  { length: projects },
  (_, index): Scope => ({
    account: `a${index}`,
    region: 'r1',
    projectId: `p${index}`,
    enterpriseProjectId: 'all_granted_eps',
  }),
);
const replicas = Array.from({ length: addresses }, () => new Replica());
const dueLanes = new DueLanes({ streams: scheduled, scopes, runs: { lastAttempts }, clock });

/** The queued lane of a stream that was served longest ago. */
function firstQueued({ name }: Stream, everyMs: number): DueLane | null {
  let first: { readonly lane: DueLane; readonly priority: number } | null = null;
  for (const lane of queued.get(name)?.values() ?? []) {
    const [{ projectId = '' } = {}] = lane.scopes;
    const servedAtMs = seen.get(`${name}/${projectId}`)?.startedAt ?? 0;
    const priority = servedAtMs === 0 ? Number.POSITIVE_INFINITY : priorityOf({ servedAtMs, everyMs });
    if (first === null || priority > first.priority) first = { lane, priority };
  }
  return first?.lane ?? null;
}

async function enqueue(filter: DueFilter): Promise<void> {
  for (const lane of await dueLanes.due(filter)) {
    const key = laneKey(lane);
    const own = queued.get(lane.stream);
    if (!running.has(key) && own?.has(key) === false) own.set(key, lane);
  }
  fill();
}

/** Each time another replica is the first to take lanes. */
function fill(): void {
  const [first] = replicas.splice(0, 1);
  if (first !== undefined) replicas.push(first);
  for (const replica of replicas) replica.fill();
}

async function follow({ stream, schedule }: (typeof scheduled)[number]): Promise<void> {
  await enqueue({ streams: [stream.name] });
  for (;;) {
    const tick = nextTick(schedule, new Date(clock.now()))?.getTime() ?? Number.POSITIVE_INFINITY;
    await clock.sleep(tick - clock.now() + Math.floor(chance() * 3_000));
    await enqueue({ streams: [stream.name] });
  }
}

/** Hands out lanes again as soon as a quota has room. */
async function dispatch(): Promise<void> {
  for (;;) {
    await clock.sleep(1_000);
    fill();
  }
}

const failures: unknown[] = [];
for (const work of [dispatch(), ...scheduled.map(follow)]) work.catch((error: unknown) => failures.push(error));

const allRead = new Map<string, number>();
for (let step = 1; step <= hours * 12; step += 1) {
  await clock.runUntil(START + (step * HOUR_MS) / 12);
  if (failures.length > 0) throw failures[0];
  for (const { stream } of scheduled) {
    const isRead = ({ projectId }: Scope) => (seen.get(nameOf(stream, projectId))?.completedAt ?? null) !== null;
    if (!allRead.has(stream.name) && scopes.every(isRead)) allRead.set(stream.name, step * 5);
  }
  if (step % 12 === 0)
    console.error(`hour ${step / 12}: ${[...requests.values()].reduce((a, b) => a + b, 0)} requests`);
}

const minutes = (ms: number) => Math.round(ms / MINUTE_MS);
const budget = (addresses * PER_MINUTE * hours * HOUR_MS) / WINDOW_MS;
console.table(
  scheduled.map(({ stream }) => {
    const own = scopes.flatMap(({ projectId }) => seen.get(nameOf(stream, projectId)) ?? []);
    const ages = own
      .flatMap(({ completedAt }) => (completedAt === null ? [] : [clock.now() - completedAt]))
      .toSorted((a, b) => a - b);
    const used = requests.get(`${stream.endpoint.method} ${stream.endpoint.paths[0]}`) ?? 0;
    return {
      stream: stream.name,
      'quota used': Math.round((used / budget) * 100) / 100,
      'projects read': ages.length,
      'all read after (min)': allRead.get(stream.name) ?? '-',
      'age of the last poll, median (min)': minutes(ages[Math.floor(ages.length / 2)] ?? 0),
      'oldest (min)': minutes(ages.at(-1) ?? 0),
      'longest between two polls (min)': minutes(Math.max(0, ...own.map(({ longestMs }) => longestMs))),
    };
  }),
);
console.log({
  projects,
  addresses,
  hours,
  requests: [...requests.values()].reduce((a, b) => a + b, 0),
  'most lanes at once in a replica': Math.max(...replicas.map(({ most }) => most)),
});
process.exit(0);
