import { expect, it } from 'vitest';
import { isObject } from '../../src/core/stream/json.ts';
import { DEMO_PROJECT } from '../../src/sandbox/auth/identities.ts';
import type { ListName } from '../../src/sandbox/estate/estate.ts';
import { openEstate } from '../../src/sandbox/estate/live-estate.ts';
import { settle } from '../../src/sandbox/server/options.ts';

const MONDAY = Date.parse('2026-03-02T10:00:00Z');

/** Hours at which day, week, month and year of the two clocks differ. */
const INSTANTS = [
  '2026-03-02T15:59:59.500Z',
  '2026-02-28T05:30:00.000Z',
  '2028-02-29T23:30:00.123Z',
  '2026-03-29T00:59:30.000Z',
  '2026-11-01T05:59:30.000Z',
  '2026-12-31T23:59:30.000Z',
] as const;

const LISTS: readonly ListName[] = [
  'events',
  'clusterReports',
  'clusters',
  'kubernetesClusters',
  'vulnerabilities',
  'operations',
  'reports',
];

const TIME = /^[A-Za-z_]*(time|timestamp)$/i;

interface Drawn {
  /** Without the times. */
  readonly records: readonly unknown[];
  /** Milliseconds after the start of the estate, by list. */
  readonly offsets: ReadonlyMap<ListName, readonly number[]>;
}

/** What an estate lists that was started at an instant and then changed 100 times. */
function drawnAt(instant: number, seed: number | string): Drawn {
  const settings = settle({ seed, now: () => instant, events: 300, vulnerabilities: 30, retiredClusters: 2 });
  const { estate } = openEstate(DEMO_PROJECT, settings);
  estate.step(100);
  estate.step(20, 'removed');
  const offsets = new Map<ListName, readonly number[]>();
  const records = LISTS.flatMap((list) => {
    const found: number[] = [];
    const rest = [...estate.records(list)].map(({ request, text }) => {
      const record: unknown = JSON.parse(text);
      if (!isObject(record)) throw new Error(`no object: ${text}`);
      const isTime = ([name, value]: readonly [string, unknown]) =>
        TIME.test(name) && value !== '' && value !== null && value !== 0;
      for (const [, value] of Object.entries(record).filter(isTime)) {
        found.push((typeof value === 'number' ? value : Date.parse(`${value}Z`)) - instant);
      }
      return { list, request, ...Object.fromEntries(Object.entries(record).filter((entry) => !isTime(entry))) };
    });
    offsets.set(list, found);
    return rest;
  });
  return { records, offsets };
}

it.each(INSTANTS)(
  'an estate started at %s holds what the same seed draws on a Monday, with its times moved',
  (start) => {
    for (const seed of [1, 'another']) {
      const reference = drawnAt(MONDAY, seed);
      const { records, offsets } = drawnAt(Date.parse(start), seed);
      expect(records).toEqual(reference.records);
      for (const list of LISTS) {
        // A day of audit reports ends at midnight in UTC+8 wherever the clock is, so these are up to a day apart.
        const tolerance = list === 'reports' ? 86_400_000 : 0;
        const expected = reference.offsets.get(list) ?? [];
        const apart = (offsets.get(list) ?? []).map((offset, at) => Math.abs(offset - (expected[at] ?? Number.NaN)));
        expect(apart.length, list).toBe(expected.length);
        expect(Math.max(0, ...apart), list).toBeLessThanOrEqual(tolerance);
      }
    }
  },
);

it('an estate ends at the clock of its sandbox: the newest rows are minutes old, and none lies ahead', () => {
  for (const start of INSTANTS) {
    const now = Date.parse(start);
    const { estate } = openEstate(DEMO_PROJECT, settle({ now: () => now }));
    expect(now - estate.newestEventTime(), start).toBeLessThan(30 * 60_000);
    expect(now - estate.newestEventTime(), start).toBeGreaterThan(0);
  }
});

it('scheduled audit reports end at midnight in UTC+8 at every hour', () => {
  for (const start of INSTANTS) {
    const { estate } = openEstate(DEMO_PROJECT, settle({ now: () => Date.parse(start), reports: 60 }));
    const ends = [...estate.records('reports')].flatMap(({ text }) => {
      const report: unknown = JSON.parse(text);
      return isObject(report) && report.type !== 'AUDIT_REPORT_REAL_TIME' ? [report.end_time] : [];
    });
    expect(ends.length).toBeGreaterThan(50);
    for (const end of ends) expect(end).toMatch(/ 15:59:59$/);
  }
});
