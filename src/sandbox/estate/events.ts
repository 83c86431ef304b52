import type { Cluster } from './clusters.ts';
import { EventTable } from './event-table.ts';
import { inventIncidents, planHours, REFERENCE_MS } from './event-times.ts';
import { POLICIES, POLICY_WEIGHTS } from './names.ts';
import { cumulate, type Random, weightedIndex } from './random.ts';

/** What events are made from. */
export interface EventPlan {
  readonly events: number;
  readonly seed: number;
  readonly random: Random;
  /** Where the reference instant is moved to, in epoch milliseconds. */
  readonly now: number;
  readonly clusters: readonly Cluster[];
  /** Incidents strike one cluster; without it they are spread like everything else. */
  readonly incidentsStrike: boolean;
  /** Neighbouring rows that share one time. */
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
      // Draws without replacement, so that the burst mixes with what would have happened anyway.
      const incident = random.int(left) < bursts.length ? bursts.pop() : undefined;
      const struck = plan.incidentsStrike ? incident?.cluster : undefined;
      const cluster = struck ?? chooseCluster(random.next());
      load(times[index] ?? hour.start, cluster, incident?.policy ?? choosePolicy(random.next()));
    }
  }
  return table;
}

/** A way to choose clusters by their share of the noise. */
export function clusterChooser(clusters: readonly Cluster[]): (point: number) => number {
  const totals = cumulate(clusters.map((each) => each.weight));
  return (point) => weightedIndex(totals, point);
}

/** Chooses a policy; few of them fire most. */
export function choosePolicy(point: number): number {
  return weightedIndex(POLICY_TOTALS, point);
}

function randomTimes(random: Random, count: number, start: number): Float64Array {
  const times = new Float64Array(count);
  for (let index = 0; index < count; index += 1) times[index] = start + random.int(HOUR_MS);
  return times.sort();
}

/** Old events are more often handled than fresh ones; most never are. */
function handlingChance(age: number): number {
  return Math.min(0.42, 0.05 + (age / (30 * DAY_MS)) * 0.35);
}

/**
 * Handling comes one by one after a while, or in bulk on a later morning, then with times that are equal in runs. Times are
 * milliseconds after the reference instant, as those of the events are.
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
