import type { Scope } from '../../src/core/account.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import { requestBound } from './drive-walk.ts';
import { quietLogger } from './engine.ts';
import { Crashed, MemoryStore } from './memory-store.ts';
import { type Random, random as seeded } from './random.ts';
import { type Manner, SimulatedApi, type Trouble } from './simulated-api.ts';
import { change, changeMany, fill } from './simulated-changes.ts';
import type { Dimension, Shape, World } from './simulated-dimensions.ts';
import { Estate, type Kind, lengthsOf, scaled } from './simulated-estate.ts';
import { type Faults, SOUND } from './simulated-faults.ts';
import { type Finding, SimulatedObserver } from './simulated-observer.ts';

const START = Date.UTC(2026, 0, 5);
const HOUR_MS = 3_600_000;

/** Time between two rounds of runs. */
const GAPS = [60_000, 600_000, 3 * HOUR_MS, 7 * HOUR_MS, 26 * HOUR_MS] as const;
const SHORT_GAPS = [60_000, 600_000, 600_000, 3 * HOUR_MS] as const;

type Group = readonly [Kind, ...Kind[]];

/** Streams that have to do with each other, parents first. */
const GROUPS: readonly [Group, ...Group[]] = [
  ['clusters', 'events'],
  ['clusters', 'events'],
  ['vulnerabilities', 'operations'],
  ['checks', 'instances', 'reports'],
  ['instances', 'reports'],
];

export interface Simulated {
  readonly findings: readonly Finding[];
  readonly runs: number;
  readonly complete: number;
  readonly requests: number;
  /** What the runs would have taken over lists that stand still. */
  readonly least: number;
  /** Rows that are listed in the end, and those of them that are live in the table. */
  readonly listed: number;
  readonly live: number;
}

export interface Simulating {
  readonly dimensions: readonly Dimension[];
  /** Whether requests fail, lists are refused, projects hidden and processes killed as well. */
  readonly troubled: boolean;
}

/** Some days of an estate, the service reading it and everything that can go wrong, all from one seed. */
export async function simulate(seed: number, options: Simulating): Promise<Simulated> {
  return new Simulation(seeded(seed), options).run();
}

class Simulation {
  readonly #random: Random;
  readonly #options: Simulating;
  readonly #shape: Partial<Shape>;
  readonly #faults: Faults = { ...SOUND };
  readonly #estate: Estate;
  readonly #streams: Readonly<Record<Kind, Stream>>;
  readonly #group: Group;
  readonly #trouble: Trouble = { failing: 0, empties: 0, hidden: null, refused: null };
  readonly #manners: Readonly<Record<Kind, Manner>>;
  readonly #store: MemoryStore;
  readonly #walkState: SimulatedObserver;
  readonly #api: SimulatedApi;
  readonly #engine: Engine;
  readonly #signal = new AbortController().signal;
  readonly #gapMs: number;
  readonly #limit: number;
  readonly #cap: number;
  #scope: Scope = { account: 'a1', region: 'r1', projectId: 'p1', enterpriseProjectId: 'all_granted_eps' };
  /** Changes between two requests. */
  #rate = 0;
  /** What a run can be disturbed by at most: a list that grows as fast as it is read has no end. */
  #disturbances = 0;
  /** Kinds with lists that were not proven although everything stood still. */
  readonly #unproven = new Set<Kind>();
  #runs = 0;
  #complete = 0;
  #least = 0;
  #listed = 0;
  #live = 0;

  constructor(random: Random, options: Simulating) {
    this.#random = random;
    this.#options = options;
    this.#shape = Object.assign({}, ...options.dimensions.map(({ shape }) => shape));
    this.#group = this.#anyGroup();
    this.#limit = this.#shape.isLong ? 200 : random.pick([10, 10, 20]);
    this.#cap = random.pick(this.#shape.isOverCap ? [20, 30] : [60, 100, 1000]);
    this.#streams = scaled(this.#limit, this.#cap);
    this.#estate = new Estate(random, START, random.chance(0.15) ? 0.02 : 0);
    this.#gapMs = random.pick([5, 1000, 12_000, 12_000]);
    this.#manners = {
      clusters: this.#anyManner(null),
      checks: this.#anyManner(null),
      events: this.#anyManner(this.#cap),
      vulnerabilities: this.#anyManner(null),
      operations: this.#anyManner(null),
      instances: this.#anyManner(null),
      reports: this.#anyManner(null),
    };
    this.#store = new MemoryStore(() => this.#estate.now);
    this.#walkState = new SimulatedObserver({
      estate: this.#estate,
      store: this.#store,
      scope: this.#scope,
      faults: this.#faults,
      manners: this.#manners,
    });
    this.#api = new SimulatedApi({
      estate: this.#estate,
      manners: this.#manners,
      trouble: this.#trouble,
      faults: this.#faults,
      plentiful: random.chance(0.3),
      wait: () => this.#wait(),
      onShown: (shown) => this.#walkState.show(shown),
    });
    this.#engine = {
      source: this.#api,
      store: this.#store,
      clock: this.#clock(),
      logger: quietLogger,
      timeZone: 'UTC',
      reconcileEveryMs: (stream) => stream.reconcileEveryMs,
    };
  }

  async run(): Promise<Simulated> {
    const random = this.#random;
    const { dimensions, troubled } = this.#options;
    for (const { begin } of dimensions) begin?.(this.#world());
    fill(this.#estate, this.#group, this.#shape);
    const steps = this.#shape.isLong ? 3 : 5 + random.int(7);
    for (let step = 0; step < steps; step += 1) {
      if (troubled) this.#plague();
      const wasOut = this.#faults.isOutage;
      for (const { step: turn } of dimensions) turn?.(this.#world());
      this.#rate = random.pick([0, 0, 0.05, 0.3, 1]);
      const { isBusy = false, isAtOnce = false } = this.#shape;
      const gaps = isBusy ? SHORT_GAPS : GAPS;
      this.#pass(random.pick(gaps), random.pick([0, 1, 4, 15]));
      if (random.chance(isBusy ? 0.8 : 0.35)) changeMany(this.#estate, random.pick(this.#group), isAtOnce);
      const rounds = random.pick([1, 1, 2, 3]);
      for (let round = 0; round < rounds; round += 1) {
        if (round > 0) this.#pass(5 * 60_000, random.pick([0, 1, 4]));
        for (const kind of this.#group) {
          if (!wasOut && random.chance(0.15)) continue;
          if (troubled && random.chance(0.1)) this.#store.crashIn = 1 + random.int(12);
          await this.#read(kind, wasOut || random.chance(0.2));
          this.#store.crashIn = null;
        }
      }
    }
    await this.#settle();
    const { findings } = this.#walkState;
    return {
      findings,
      runs: this.#runs,
      complete: this.#complete,
      requests: this.#api.requests,
      least: this.#least,
      listed: this.#listed,
      live: this.#live,
    };
  }

  #anyGroup(): Group {
    const only = this.#options.dimensions.flatMap(({ only: kinds }) => (kinds === undefined ? [] : [kinds]));
    const groups = GROUPS.filter((group) => only.every((kinds) => group.some((kind) => kinds.includes(kind))));
    return groups[this.#random.int(groups.length)] ?? GROUPS[0];
  }

  #world(): World {
    return {
      random: this.#random,
      estate: this.#estate,
      faults: this.#faults,
      manners: this.#manners,
      group: this.#group,
      limit: this.#limit,
      cap: this.#cap,
    };
  }

  /**
   * Without further changes and faults, three full readings settle every doubt. The last one accepts missing rows, as a person does
   * who has looked at the lists.
   */
  async #settle(): Promise<void> {
    this.#rate = 0;
    Object.assign(this.#trouble, { failing: 0, empties: 0, hidden: null, refused: null });
    const { lags, delayMs, clamp, filtered, beyondEnd, shuffled } = this.#faults;
    Object.assign(this.#faults, SOUND, { lags, delayMs, clamp, filtered, beyondEnd, shuffled });
    this.#scope = { ...this.#scope, enterpriseProjectId: 'all_granted_eps' };
    for (let round = 0; round < 3; round += 1) {
      this.#pass(26 * HOUR_MS, 0);
      for (const kind of this.#group) {
        const report = await this.#read(kind, true, round === 2 && !this.#hidesRows(kind));
        if (round < 2) continue;
        this.#walkState.hidden.clear();
        const { listed, live } = this.#walkState.stored();
        this.#listed += listed;
        this.#live += live;
        this.#walkState.checkQuiet();
        this.#checkClaims(kind, report);
      }
    }
  }

  /** Rows are behind a cap: the list itself shows that they are not gone. */
  #hidesRows(kind: Kind): boolean {
    return Math.max(0, ...lengthsOf(this.#estate, kind).lists) > (this.#manners[kind].cap ?? Number.POSITIVE_INFINITY);
  }

  /** What stood still and can be proven is claimed; what cannot be seen is said. */
  #checkClaims(kind: Kind, report: RunReport | null): void {
    const { sorting, total, cap } = this.#manners[kind];
    const items = this.#estate.items[kind];
    if (cap !== null) {
      if (Math.max(0, ...lengthsOf(this.#estate, kind).parts) >= cap) {
        if (report?.certificate === 'complete')
          this.#walkState.find('uncertified', `beyond the cap, ${report?.reason}`);
        return;
      }
      if (items.length >= cap && this.#unproven.size > 0) return;
    }
    const isSound = this.#group.every((one) => this.#estate.items[one].every(({ poison }) => poison === 'none'));
    const isPlain = sorting !== 'shuffled' && total === 'honest' && isSound && !this.#shape.isAtOnce;
    const unproven = this.#walkState.unproven();
    if (unproven.length > 0) this.#unproven.add(kind);
    if (isPlain && unproven.length > 0) this.#walkState.find('unclaimed', `${unproven[0]}, ${report?.reason}`);
  }

  /** Every request is counted, and only what the API does goes wrong. */
  #checkReport({ requests, error }: RunReport, asked: number): void {
    if (requests !== asked) this.#walkState.find('books', `${asked} requests, and ${requests} counted`);
    if (error !== null && !/no answer|refused|no such|offset/.test(error)) this.#walkState.find('books', error);
  }

  async #read(kind: Kind, full: boolean, acceptShrink = false): Promise<RunReport | null> {
    this.#runs += 1;
    this.#disturbances = 40;
    this.#walkState.begin(kind);
    this.#api.beginRun();
    const startedAt = this.#estate.now;
    let report: RunReport | null = null;
    const asked = this.#api.requests;
    try {
      const options = { signal: this.#signal, full, acceptShrink };
      report = await runStream(this.#engine, { stream: this.#streams[kind], scope: this.#scope }, options);
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
    if (report?.certificate === 'complete') this.#complete += 1;
    this.#walkState.end(report);
    if (report !== null) this.#checkReport(report, this.#api.requests - asked);
    this.#least += this.#leastFor(kind, startedAt, report?.walk ?? null);
    for (const [key, { state }] of this.#store.remembered(this.#streams[kind], this.#scope)) {
      if ((state.certifiedAt?.getTime() ?? 0) >= startedAt) this.#api.certified(kind, key);
    }
    return report;
  }

  /** Requests that the lists read in this run take where they stand still. */
  #leastFor(kind: Kind, since: number, walk: RunReport['walk']): number {
    const { limit } = this.#streams[kind].paging;
    const read = [...this.#store.remembered(this.#streams[kind], this.#scope).values()].filter(
      ({ state }) => (state.walkedAt?.getTime() ?? 0) >= since,
    );
    if (walk !== 'full') return Math.max(1, read.length);
    const rows = read.reduce((sum, { state }) => sum + requestBound(state.evidence?.totalLast ?? 0, limit) - 1, 0);
    return Math.max(1, rows);
  }

  /** A request takes its time, and meanwhile the lists move. */
  #wait(): void {
    const count = Math.min(this.#disturbances, this.#random.count(this.#rate));
    this.#disturbances -= count;
    this.#pass(1 + Math.floor(this.#random.between(0, 2 * this.#gapMs)), count);
  }

  #pass(ms: number, changes: number): void {
    const until = this.#estate.now + ms;
    for (let left = changes; left > 0; left -= 1) {
      this.#estate.now += 1 + Math.floor(((until - this.#estate.now) / (left + 1)) * this.#random() * 2 * 0.9);
      change(this.#estate, this.#random.pick(this.#group));
    }
    this.#estate.now = Math.max(this.#estate.now + 1, until);
  }

  /** Troubles come and go. */
  #plague(): void {
    const random = this.#random;
    const trouble = this.#trouble;
    trouble.failing = random.chance(0.2) ? 0.05 : 0;
    trouble.empties = random.chance(0.15) ? 0.1 : 0;
    trouble.refused = random.chance(0.1)
      ? random.chance(0.5)
        ? (this.#group[random.int(this.#group.length)] ?? null)
        : (this.#estate.any('instances')?.id ?? null)
      : null;
    // Never for two steps: three certified walks that agree are believed.
    trouble.hidden = trouble.hidden === null && random.chance(0.15) ? random.pick(['ep0', 'ep1', 'ep2']) : null;
    if (trouble.hidden !== null) this.#walkState.hidden.add(trouble.hidden);
    const setting = random.chance(0.1) ? 'ep1' : 'all_granted_eps';
    this.#scope = { ...this.#scope, enterpriseProjectId: setting };
  }

  #anyManner(cap: number | null): Manner {
    const random = this.#random;
    return {
      sorting: this.#shape.isSorted
        ? 'update'
        : random.pick(['update', 'update', 'update', 'create', 'create', 'id', 'unknown', 'shuffled']),
      direction: random.pick([-1, -1, 1]),
      total:
        !this.#options.troubled || random.chance(0.7)
          ? 'honest'
          : random.pick<Manner['total']>(['absent', 'constant', { off: random.int(20) - 10 }]),
      hint: random.pick(['honest', 'honest', 'silent', 'restless', 'absent']),
      cap,
      countsCap: false,
      beyondCap: random.pick(['empty', 'error']),
    };
  }

  #clock(): Clock {
    return {
      now: () => this.#estate.now,
      sleep: async (ms) => this.#pass(ms, 0),
    };
  }
}
