import type { Cluster } from './clusters.ts';
import { EventTable } from './event-table.ts';
import { inventIncidents, planHours, REFERENCE_MS } from './event-times.ts';
import { POLICIES, POLICY_WEIGHTS } from './names.ts';
import { cumulate, type Random, weightedIndex } from './random.ts';

/** The inputs of events. */
export interface EventPlan {
  readonly events: number;
  readonly seed: number;
  readonly random: Random;
  /** The current time to which the reference instant is shifted, in ms since the epoch. */
  readonly now: number;
  readonly clusters: readonly Cluster[];
  /** Whether each incident hits one cluster; otherwise its events are spread over all. */
  readonly incidentsStrike: boolean;
  /** Number of adjacent rows with the same time. */
  readonly ties: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const POLICY_TOTALS = cumulate(POLICY_WEIGHTS);

/** Builds the events of the past 90 days. */
export function buildEvents(plan: EventPlan): EventTable {
  const { clusters, random, now } = plan;
  const table = new EventTable(plan.seed, Math.ceil(plan.events * 1.05));
  if (clusters.length === 0) return table;
  const chooseCluster = clusterChooser(clusters);
  const handledAt = handlingTimes(random);
  const runTime = tieRuns(plan.ties);
  const load = (created: number, cluster: number, policy: number): void => {
    const workload = random.int(clusters[cluster]?.workloads.length ?? 1);
    const handled = random.chance(handlingChance(-created));
    const time = runTime(created);
    const updated = handled ? Math.max(time, handledAt(created)) : time;
    table.load({ created: now + time, updated: now + updated, cluster, policy, workload, handled });
  };
  for (const hour of planHours(plan.events, inventIncidents(random, clusters.length, POLICIES.length))) {
    const bursts = hour.incidents.flatMap(({ incident, count }) => new Array<typeof incident>(count).fill(incident));
    const times = randomTimes(random, hour.usual + bursts.length, hour.start);
    for (let index = 0; index < times.length; index += 1) {
      const left = times.length - index;
      // Draws without replacement, so that the burst mixes with regular events.
      const incident = random.int(left) < bursts.length ? bursts.pop() : undefined;
      const struck = plan.incidentsStrike ? incident?.cluster : undefined;
      const cluster = struck ?? chooseCluster(random.next());
      load(times[index] ?? hour.start, cluster, incident?.policy ?? choosePolicy(random.next()));
    }
  }
  return table;
}

/** A function that chooses clusters by their share of the events. */
export function clusterChooser(clusters: readonly Cluster[]): (point: number) => number {
  const totals = cumulate(clusters.map((each) => each.weight));
  return (point) => weightedIndex(totals, point);
}

/** Chooses a policy; a few policies raise most events. */
export function choosePolicy(point: number): number {
  return weightedIndex(POLICY_TOTALS, point);
}

function randomTimes(random: Random, count: number, start: number): Float64Array {
  const times = new Float64Array(count);
  for (let index = 0; index < count; index += 1) times[index] = start + random.int(HOUR_MS);
  return times.sort();
}

/** The chance that an event was handled, which grows with its age; most never are. */
function handlingChance(age: number): number {
  return Math.min(0.42, 0.05 + (age / (30 * DAY_MS)) * 0.35);
}

/**
 * Events are handled one by one after a while, or in bulk on a later morning, with equal times. Times are ms after the
 * reference instant.
 */
function handlingTimes(random: Random): (created: number) => number {
  const bulk = new Map<number, number>();
  return (created) => {
    const alone = created + Math.floor(60_000 * Math.exp(random.next() * 8));
    const day = Math.floor((REFERENCE_MS + created) / DAY_MS + 1 + random.int(9));
    const morning = day * DAY_MS + 2 * HOUR_MS - REFERENCE_MS;
    if (random.chance(0.6) || morning >= -HOUR_MS)
      return alone < 0 ? alone : created + random.int(Math.max(1, -created));
    const before = bulk.get(morning) ?? 0;
    bulk.set(morning, before + 1);
    return Math.min(-1, morning + Math.floor(before / 20) * 137);
  };
}

function tieRuns(length: number): (time: number) => number {
  let first = 0;
  let count = 0;
  return (time) => {
    if (count % length === 0) first = time;
    count += 1;
    return length > 1 ? first : time;
  };
}
