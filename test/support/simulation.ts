import type { Scope } from '../../src/core/account.ts';
import type { Clock } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream.ts';
import { type Engine, runStream } from '../../src/sync/run-stream.ts';
import { quietLogger } from './engine.ts';
import { Crashed, MemoryStore } from './memory-store.ts';
import { type Random, random as seeded } from './random.ts';
import { type Manner, SimulatedApi, type Trouble } from './simulated-api.ts';
import { change, newEvent, newReport, newVulnerability } from './simulated-changes.ts';
import { Estate, type Kind, scaled } from './simulated-estate.ts';
import { SimulatedWitness } from './simulated-witness.ts';

const START = Date.UTC(2026, 0, 5);
const HOUR_MS = 3_600_000;

/** Streams that have to do with each other, parents first. */
const GROUPS: readonly [readonly Kind[], ...(readonly Kind[])[]] = [
  ['clusters', 'events'],
  ['clusters', 'events'],
  ['vulnerabilities', 'operations'],
  ['checks', 'instances', 'reports'],
  ['instances', 'reports'],
];

export interface Simulated {
  /** Promises that were broken; none is how it should be. */
  readonly broken: readonly string[];
  readonly runs: number;
  readonly complete: number;
  readonly requests: number;
}

/** Some days of an estate, the service reading it and everything that can go wrong, all from one seed. */
export async function simulate(seed: number): Promise<Simulated> {
  return new Simulation(seeded(seed)).run();
}

class Simulation {
  readonly #random: Random;
  readonly #estate: Estate;
  readonly #streams: Readonly<Record<Kind, Stream>>;
  readonly #group: readonly Kind[];
  readonly #trouble: Trouble = { failing: 0, empties: 0, hidden: null, refused: null };
  readonly #manners: Readonly<Record<Kind, Manner>>;
  readonly #store: MemoryStore;
  readonly #witness: SimulatedWitness;
  readonly #api: SimulatedApi;
  readonly #engine: Engine;
  readonly #signal = new AbortController().signal;
  readonly #gapMs: number;
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

  constructor(random: Random) {
    this.#random = random;
    this.#group = random.pick(GROUPS);
    const limit = random.pick([10, 10, 20]);
    this.#cap = random.pick([60, 100, 1000]);
    this.#streams = scaled(limit, this.#cap);
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
    this.#witness = new SimulatedWitness(this.#estate, this.#store, this.#scope);
    this.#api = new SimulatedApi({
      estate: this.#estate,
      manners: this.#manners,
      trouble: this.#trouble,
      plentiful: random.chance(0.3),
      wait: () => this.#wait(),
      onShown: (shown) => this.#witness.show(shown),
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
    this.#fill();
    const steps = 5 + random.int(7);
    for (let step = 0; step < steps && this.#witness.broken.length === 0; step += 1) {
      this.#plague();
      this.#rate = random.pick([0, 0, 0.05, 0.3, 1]);
      this.#pass(random.pick([60_000, 600_000, 3 * HOUR_MS, 7 * HOUR_MS, 26 * HOUR_MS]), random.pick([0, 1, 4, 15]));
      for (const kind of this.#group) {
        if (random.chance(0.15)) continue;
        if (random.chance(0.1)) this.#store.crashIn = 1 + random.int(12);
        await this.#read(kind, random.chance(0.1));
        this.#store.crashIn = null;
      }
    }
    if (this.#witness.broken.length === 0) await this.#settle();
    const { broken } = this.#witness;
    return { broken, runs: this.#runs, complete: this.#complete, requests: this.#api.requests };
  }

  /** Nothing changes and nothing goes wrong any more: three full readings, the last one on a person's word, settle every doubt. */
  async #settle(): Promise<void> {
    this.#rate = 0;
    Object.assign(this.#trouble, { failing: 0, empties: 0, hidden: null, refused: null });
    this.#scope = { ...this.#scope, enterpriseProjectId: 'all_granted_eps' };
    for (let round = 0; round < 3; round += 1) {
      this.#pass(26 * HOUR_MS, 0);
      for (const kind of this.#group) {
        const report = await this.#read(kind, true, round === 2);
        if (round < 2) continue;
        this.#witness.hidden.clear();
        this.#witness.checkQuiet();
        this.#checkClaims(kind, report);
      }
    }
  }

  /** What stood still and can be proven is claimed; what cannot be seen is said. */
  #checkClaims(kind: Kind, report: RunReport | null): void {
    const { broken } = this.#witness;
    const { sorting, total } = this.#manners[kind];
    const items = this.#estate.items[kind];
    if (kind === 'events') {
      const sizes = [...Map.groupBy(items, ({ params }) => params.cluster_id ?? '').values()].map(
        ({ length }) => length,
      );
      if (Math.max(0, ...sizes) >= this.#cap) {
        if (report?.reason !== 'capped') broken.push(`a cluster beyond the cap is called ${report?.reason}`);
        return;
      }
      if (items.length >= this.#cap && this.#unproven.size > 0) return;
    }
    const isSound = this.#group.every((one) => this.#estate.items[one].every(({ poison }) => poison === 'none'));
    const isPlain = sorting !== 'shuffled' && total === 'honest' && isSound;
    const unproven = this.#witness.unproven();
    if (unproven.length > 0) this.#unproven.add(kind);
    if (isPlain && unproven.length > 0)
      broken.push(`quiet and not claimed: ${kind} "${unproven[0]}" (${report?.reason})`);
  }

  /** Every request is counted, and only what the API does goes wrong. */
  #checkReport(kind: Kind, { requests, error }: RunReport, asked: number): void {
    const { broken } = this.#witness;
    if (requests !== asked) broken.push(`${asked} requests for ${kind}, and ${requests} counted`);
    if (error !== null && !/no answer|refused|no such|offset/.test(error)) broken.push(`${kind}: ${error}`);
  }

  async #read(kind: Kind, full: boolean, acceptShrink = false): Promise<RunReport | null> {
    this.#runs += 1;
    this.#disturbances = 40;
    this.#witness.begin(kind);
    this.#api.beginRun();
    const startedAt = this.#estate.now;
    let report: RunReport | null = null;
    const asked = this.#api.requests;
    try {
      const options = { signal: this.#signal, full, acceptShrink };
      report = await runStream(this.#engine, this.#streams[kind], this.#scope, options);
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
    }
    if (report?.certificate === 'complete') this.#complete += 1;
    this.#witness.end(report);
    if (report !== null) this.#checkReport(kind, report, this.#api.requests - asked);
    for (const [key, { state }] of this.#store.remembered(this.#streams[kind], this.#scope)) {
      if ((state.certifiedAt?.getTime() ?? 0) >= startedAt) this.#api.certified(kind, key);
    }
    return report;
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
      change(this.#estate, this.#group[this.#random.int(this.#group.length)] ?? 'events');
    }
    this.#estate.now = Math.max(this.#estate.now + 1, until);
  }

  #fill(): void {
    const random = this.#random;
    const estate = this.#estate;
    const many = random.pick([8, 30, 60, 150]);
    const after = (ms: number) => {
      estate.now += 1 + Math.floor(random.between(0, ms));
    };
    const spread = random.pick([1, 1000, 60_000, HOUR_MS]);
    if (this.#group.includes('events')) {
      for (let count = 2 + random.int(5); count > 0; count -= 1, after(spread)) estate.add('clusters');
      for (let count = random.int(many); count > 0; count -= 1, after(spread)) newEvent(estate);
    } else if (this.#group.includes('vulnerabilities')) {
      for (let count = random.int(many / 2); count > 0; count -= 1, after(spread)) newVulnerability(estate);
    } else {
      for (let count = 1 + random.int(3); count > 0; count -= 1, after(spread)) estate.add('instances');
      for (let count = random.int(30); count > 0; count -= 1, after(spread)) estate.add('checks');
      for (let count = random.int(many); count > 0; count -= 1, after(spread)) newReport(estate);
    }
    for (const kind of this.#group) {
      const items = [...estate.items[kind]];
      for (const item of items) {
        if (!random.chance(0.2)) continue;
        after(spread);
        estate.touch(item);
      }
    }
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
    if (trouble.hidden !== null) this.#witness.hidden.add(trouble.hidden);
    const setting = random.chance(0.1) ? 'ep1' : 'all_granted_eps';
    this.#scope = { ...this.#scope, enterpriseProjectId: setting };
  }

  #anyManner(cap: number | null): Manner {
    const random = this.#random;
    return {
      sorting: random.pick(['update', 'update', 'update', 'create', 'create', 'id', 'unknown', 'shuffled']),
      direction: random.pick([-1, -1, 1]),
      total: random.chance(0.7)
        ? 'honest'
        : random.pick<Manner['total']>(['absent', 'constant', { off: random.int(20) - 10 }]),
      hint: random.pick(['honest', 'honest', 'silent', 'restless', 'absent']),
      cap,
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
