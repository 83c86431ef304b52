import type { Random } from './random.ts';

/** A burst: for one to three hours, one cluster and one policy raise far more events than usual. */
export interface Incident {
  readonly hour: number;
  readonly hours: number;
  readonly strength: number;
  readonly cluster: number;
  readonly policy: number;
}

/** Number of events in an hour, and how many of them belong to an incident. */
export interface HourPlan {
  /** Milliseconds after the reference instant; zero or negative. */
  readonly start: number;
  readonly usual: number;
  readonly incidents: readonly { readonly incident: Incident; readonly count: number }[];
}

/**
 * The instant for which every estate is generated; its times are then shifted to the clock of the sandbox. An estate
 * thus depends only on its seed, and the number of random draws does not change with the hour. It is a Monday evening
 * in UTC+8, so that the hours before it are busy.
 */
export const REFERENCE_MS = Date.UTC(2026, 2, 2, 10);

const HOUR_MS = 3_600_000;
/** The daily rhythm is that of office hours in UTC+8. */
const LOCAL_OFFSET_MS = 8 * HOUR_MS;

/** Age of the oldest rows of an estate, in days. */
const ESTATE_DAYS = 90;

/** Generates the incidents of the period. */
export function inventIncidents(random: Random, clusters: number, policies: number): Incident[] {
  const incidents: Incident[] = [];
  for (let index = 0; index < 7; index += 1) {
    incidents.push({
      hour: random.int(ESTATE_DAYS * 24 - 4),
      hours: 1 + random.int(3),
      strength: 15 + random.int(40),
      cluster: random.int(clusters),
      policy: random.int(policies),
    });
  }
  // The last incident was yesterday, so that queries over recent days find one.
  const [cluster, policy] = [Math.min(3, clusters - 1), Math.min(6, policies - 1)];
  incidents.push({ hour: ESTATE_DAYS * 24 - 29, hours: 3, strength: 45, cluster, policy });
  return incidents;
}

/** Distributes events over the hours before the reference instant: quiet nights, quieter weekends, bursts. */
export function planHours(events: number, incidents: readonly Incident[]): HourPlan[] {
  const first = -ESTATE_DAYS * 24 * HOUR_MS;
  const weights: { readonly usual: number; readonly bursts: readonly Incident[] }[] = [];
  let total = 0;
  for (let hour = 0; hour < ESTATE_DAYS * 24; hour += 1) {
    const bursts = incidents.filter((each) => hour >= each.hour && hour < each.hour + each.hours);
    const usual = rhythm(first + hour * HOUR_MS);
    weights.push({ usual, bursts });
    total += usual + sum(bursts);
  }
  // Rounds cumulative totals rather than hours, so that the hours add up to exactly the requested number.
  let weight = 0;
  let given = 0;
  const take = (part: number): number => {
    weight += part;
    const upTo = Math.round((weight / total) * events);
    const count = upTo - given;
    given = upTo;
    return count;
  };
  return weights.map(({ usual, bursts }, hour) => ({
    start: first + hour * HOUR_MS,
    usual: take(usual),
    incidents: bursts.map((incident) => ({ incident, count: take(incident.strength) })),
  }));
}

const sum = (bursts: readonly Incident[]): number => bursts.reduce((total, each) => total + each.strength, 0);

function rhythm(offset: number): number {
  const local = new Date(REFERENCE_MS + offset + LOCAL_OFFSET_MS);
  const hour = local.getUTCHours();
  const day = local.getUTCDay();
  const ofDay = hour >= 9 && hour < 19 ? 3 : hour >= 7 && hour < 22 ? 1.4 : 0.5;
  const ofWeek = day === 0 || day === 6 ? 0.3 : 1;
  return ofDay * ofWeek;
}
