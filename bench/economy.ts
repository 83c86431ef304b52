import type { Scope } from '../src/core/account.ts';
import { isHot } from '../src/core/due.ts';
import { listing } from '../src/core/stream/endpoint.ts';
import { prerequisites } from '../src/core/stream/stream.ts';
import { type Engine, runStream } from '../src/sync/run/run-stream.ts';
import { tickEveryMs } from '../src/sync/service/cron.ts';
import { MemoryStore } from '../test/support/memory-store.ts';
import { type Manner, PLAIN, SimulatedApi } from '../test/support/simulated-api.ts';
import { type Item, KINDS, type Kind, REAL, rowKeyOf, VERSION } from '../test/support/simulated-estate.ts';
import { SOUND } from '../test/support/simulated-faults.ts';
import { nextHabit, typicalEstate } from './support/typical-day.ts';
import { VirtualQuota, VirtualTime } from './support/virtual-time.ts';

/**
 * `node bench/economy.ts [seed]`: a day of a typical estate on a virtual clock, at 5 requests a minute and operation.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const START = Date.UTC(2026, 0, 5);
/** Warm-up before the measured day. */
const SETTLING_MS = 6 * HOUR_MS;
const LATENCY_MS = 400;
const PER_MINUTE = 5;
/** The defaults of `fullReads`. */
const CONTENT_EVERY_MS = 15 * 60_000;
const CONTENT_SHARE = 0.5;

/** Upper bound of the p95 of the age, in ms. */
const TARGETS: Readonly<Record<Kind, number>> = {
  clusters: 15 * 60_000,
  checks: 15 * 60_000,
  events: 2 * 60_000,
  vulnerabilities: REAL.vulnerabilities.targetMs,
  operations: 3 * HOUR_MS,
  instances: REAL.instances.targetMs,
  reports: 10 * 60_000,
};

export interface Economy {
  readonly stream: string;
  readonly changes: number;
  readonly ageP50Ms: number;
  readonly ageP95Ms: number;
  readonly targetMs: number;
  /** p95 of the time since the last poll of a hot list. */
  readonly lookP95Ms: number;
  /** p95 of the time since the last reading of a hot list that showed all changes. */
  readonly contentP95Ms: number;
  readonly requestsPerHour: number;
  /** Requests of a poller that always reads everything, as often as needed for the same freshness. */
  readonly plainPerHour: number;
  readonly ratio: number;
}

export interface Day {
  readonly streams: readonly Economy[];
  readonly requestsPerHour: number;
  readonly plainPerHour: number;
  /** Most requests of one operation within a minute. */
  readonly mostPerMinute: number;
}

export async function economy(seed = 1): Promise<Day> {
  const clock = new VirtualTime(START);
  const quota = new VirtualQuota(clock, PER_MINUTE);
  const estate = typicalEstate(seed, START);
  const store = new MemoryStore(() => clock.now());
  const scope: Scope = { account: 'a1', region: 'r1', projectId: 'p1', enterpriseProjectId: 'all_granted_eps' };
  const manner = (sorting: Manner['sorting'], direction: Manner['direction'] = -1) => ({
    ...PLAIN,
    sorting,
    direction,
  });
  const manners = {
    clusters: manner('id', 1),
    checks: manner('update'),
    events: { ...manner('update'), cap: 10_000 },
    vulnerabilities: manner('update'),
    operations: manner('create'),
    instances: manner('id', 1),
    reports: manner('create'),
  };
  let isLoading = true;
  let isCounting = false;
  const requests = new Map<string, number>();
  const source = new SimulatedApi({
    estate,
    manners,
    trouble: { failing: 0, empties: 0, hidden: null, refused: null },
    faults: { ...SOUND },
    plentiful: false,
    wait: async (operation) => {
      if (!isLoading) await quota.send(operation, LATENCY_MS);
      if (isCounting) requests.set(operation, (requests.get(operation) ?? 0) + 1);
    },
  });
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const reconcileEveryMs: Engine['reconcileEveryMs'] = (stream) => stream.reconcileEveryMs;
  const content: Engine['content'] = ({ schedule, targetMs }) => ({
    everyMs: Math.min(CONTENT_EVERY_MS, targetMs),
    tickMs: tickEveryMs(schedule),
    requestsPerMinute: PER_MINUTE * CONTENT_SHARE,
    scopes: 1,
  });
  const engine: Engine = { source, store, clock, logger, timeZone: 'UTC', reconcileEveryMs, content };
  const { signal } = new AbortController();

  // Starts with every list certified. Cold lists were read at random times of the week before, rather than all at once.
  for (const kind of KINDS) await runStream(engine, { stream: REAL[kind], scope }, { signal });
  const { parent } = REAL.operations;
  const histories = parent === undefined ? [] : await store.childListings(parent, scope);
  const handled = new Map(histories.map((one) => [one.key, one]));
  for (const [key, memory] of store.remembered(REAL.operations, scope)) {
    const cold = !isHot(handled.get(key) ?? listing(memory.params), memory.state);
    const at = new Date(START - Math.floor(estate.random() * (cold ? WEEK_MS : HOUR_MS)));
    memory.state = { ...memory.state, certifiedAt: at, contentAt: at, walkedAt: at };
  }
  isLoading = false;

  const ages = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const waiting = new Map<string, { readonly kind: Kind; readonly at: number }[]>();
  estate.onChange = (item: Item) => {
    const key = `${REAL[item.kind].name} ${rowKeyOf(item)}`;
    waiting.set(key, [...(waiting.get(key) ?? []), { kind: item.kind, at: estate.now }]);
  };
  const settled = START + SETTLING_MS;
  const end = settled + DAY_MS;
  const seen = ({ kind, at }: { readonly kind: Kind; readonly at: number }) => {
    if (at >= settled) ages.get(kind)?.push(clock.now() - at);
  };
  store.onWrite = (stream, { key, row, deletedAt }) => {
    const place = `${stream.name} ${key}`;
    const pending = waiting.get(place);
    if (pending === undefined || deletedAt !== null) return;
    const version = Number(row[VERSION[pending[0]?.kind ?? 'events']]);
    for (const one of pending.filter(({ at }) => at <= version)) seen(one);
    const left = pending.filter(({ at }) => at > version);
    if (left.length === 0) waiting.delete(place);
    else waiting.set(place, left);
  };

  const live = async () => {
    for (;;) {
      const { afterMs, happens } = nextHabit(estate);
      await clock.sleep(afterMs);
      estate.now = clock.now();
      happens();
    }
  };
  const running = new Map<string, Promise<unknown>>();
  const lane = async (kind: Kind) => {
    const stream = REAL[kind];
    const everyMs = tickEveryMs(stream.schedule);
    for (;;) {
      await clock.sleep(everyMs - (clock.now() % everyMs) + Math.floor(estate.random() * 3000));
      await Promise.all(prerequisites(stream).map(({ name }) => running.get(name)));
      const run = runStream(engine, { stream, scope }, { signal });
      running.set(stream.name, run);
      await run;
    }
  };
  const observedPages = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const contents = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const watch = async () => {
    for (;;) {
      await clock.sleep(10 * 60_000 - 7_000 + Math.floor(estate.random() * 14_000));
      if (clock.now() < settled) continue;
      for (const kind of KINDS) {
        for (const { state, params } of store.remembered(REAL[kind], scope).values()) {
          if (kind === 'operations' && !isHot(listing(params), state)) continue;
          observedPages.get(kind)?.push(clock.now() - (state.walkedAt?.getTime() ?? 0));
          contents.get(kind)?.push(clock.now() - (state.contentAt?.getTime() ?? 0));
        }
      }
    }
  };
  const failures: unknown[] = [];
  for (const work of [live(), watch(), ...KINDS.map(lane)]) work.catch((error: unknown) => failures.push(error));
  await clock.runUntil(settled);
  isCounting = true;
  await clock.runUntil(end);
  isCounting = false;
  if (failures.length > 0) throw failures[0];
  // Changes not seen by the end count with their age at the end.
  for (const pending of waiting.values()) for (const one of pending) seen(one);

  const streams = KINDS.map((kind): Economy => {
    const age = ages.get(kind) ?? [];
    const ageP95Ms = percentile(age, 0.95);
    const requestsPerHour = (requests.get(operationOf(kind)) ?? 0) / (DAY_MS / HOUR_MS);
    // Changes are spread evenly over a round, so 95 % are seen within 95 % of a round.
    const plainPerHour = (plainRound(kind, estate.items[kind].length, handled.size) * HOUR_MS) / (ageP95Ms / 0.95);
    return {
      stream: REAL[kind].name,
      changes: age.length,
      ageP50Ms: percentile(age, 0.5),
      ageP95Ms,
      targetMs: TARGETS[kind],
      lookP95Ms: percentile(observedPages.get(kind) ?? [], 0.95),
      contentP95Ms: percentile(contents.get(kind) ?? [], 0.95),
      requestsPerHour,
      plainPerHour,
      ratio: plainPerHour / requestsPerHour,
    };
  });
  const total = (pick: (one: Economy) => number) => streams.reduce((sum, one) => sum + pick(one), 0);
  return {
    streams,
    requestsPerHour: total(({ requestsPerHour }) => requestsPerHour),
    plainPerHour: total(({ plainPerHour }) => plainPerHour),
    mostPerMinute: quota.most,
  };
}

/** Requests for one round over everything: all pages of a list, or one request for each handling history. */
function plainRound(kind: Kind, rows: number, histories: number): number {
  if (kind === 'operations') return histories;
  const lists = kind === 'vulnerabilities' ? REAL[kind].listings.length : kind === 'reports' ? 4 : 1;
  return lists * Math.ceil(rows / lists / REAL[kind].paging.limit);
}

function operationOf(kind: Kind): string {
  const { method, paths } = REAL[kind].endpoint;
  return `${method} ${paths[0]}`;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function minutes(ms: number): number {
  return Math.round(ms / 6_000) / 10;
}

/** A line for each stream, and one for all. */
export function economyTable({
  streams,
  requestsPerHour,
  plainPerHour,
  mostPerMinute,
}: Day): readonly (Readonly<Record<string, number | string>> & { readonly stream: string })[] {
  const round = (value: number) => Math.round(value * 10) / 10;
  return [
    ...streams.map((one) => ({
      stream: one.stream,
      changes: one.changes,
      'age p50 (min)': minutes(one.ageP50Ms),
      'age p95 (min)': minutes(one.ageP95Ms),
      'target (min)': minutes(one.targetMs),
      'look p95 (min)': minutes(one.lookP95Ms),
      'content p95 (min)': minutes(one.contentP95Ms),
      'requests/h': round(one.requestsPerHour),
      'plain poller/h': round(one.plainPerHour),
      ratio: round(one.ratio),
    })),
    {
      stream: 'all streams',
      'requests/h': round(requestsPerHour),
      'plain poller/h': round(plainPerHour),
      ratio: round(plainPerHour / requestsPerHour),
      'most a minute': mostPerMinute,
    },
  ];
}

if (import.meta.main) console.table(economyTable(await economy(Number(process.argv[2] ?? 1))));
