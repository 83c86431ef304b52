import { expect, test } from 'vitest';
import { validate } from '../../src/core/stream/validate.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { NewestShown } from '../../src/sync/run/page-filters.ts';
import { random } from '../support/random.ts';

const ORIGIN = { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' };
const NOW = Date.UTC(2026, 0, 5);
const event = (id: string, update_time: number | null, event_name = 'x') =>
  validate(hssClusterEvents, [{ event_id: id, update_time, event_name }], { origin: ORIGIN, listingKey: '' }).rows;
const names = (rows: readonly { readonly row: object }[]) => rows.map(({ row }) => Reflect.get(row, 'event_name'));

test('an older version of a row from a lagging server does not replace a newer one from another server', () => {
  const shown = new NewestShown(hssClusterEvents);
  expect(names(shown.take(event('a', NOW, 'handled'), NOW + 60_000))).toEqual(['handled']);
  expect(shown.take(event('a', NOW - 1, 'unhandled'), NOW + 60_000)).toEqual([]);
  expect(names(shown.take(event('a', NOW, 'renamed'), NOW + 60_000))).toEqual(['renamed']);
  expect(names(shown.take(event('a', NOW + 1, 'again'), NOW + 60_000))).toEqual(['again']);
  expect(names(shown.take(event('b', NOW - 1, 'other'), NOW + 60_000))).toEqual(['other']);
});

test('a version dated after the time of the server is not remembered, because the next change of the row has an earlier one', () => {
  const shown = new NewestShown(hssClusterEvents);
  expect(shown.take(event('a', NOW + 3_600_000), NOW)).toHaveLength(1);
  expect(names(shown.take(event('a', NOW, 'put right'), NOW))).toEqual(['put right']);
});

test('rows without a version, and rows of lists without versions, are always accepted', () => {
  const shown = new NewestShown(hssClusterEvents);
  shown.take(event('a', NOW), NOW + 60_000);
  expect(shown.take(event('a', null), NOW + 60_000)).toHaveLength(1);
  const { rows } = validate(hssProtectedClusters, [{ cluster_id: 'c' }], { origin: ORIGIN, listingKey: '' });
  expect(new NewestShown(hssProtectedClusters).take(rows, NOW)).toEqual(rows);
});

test('only the latest 2,000 to 4,000 rows are remembered, so a list of any length takes the same memory', () => {
  const shown = new NewestShown(hssClusterEvents);
  shown.take(event('first', NOW), NOW + 60_000);
  for (let index = 0; index < 4_001; index += 1) shown.take(event(`e${index}`, NOW), NOW + 60_000);
  expect(shown.take(event('first', NOW - 1), NOW + 60_000)).toHaveLength(1);
  expect(shown.take(event('e2001', NOW - 1), NOW + 60_000)).toEqual([]);
  expect(shown.take(event('e4000', NOW - 1), NOW + 60_000)).toEqual([]);
});

test('a row that was shown again is remembered as if it was taken again', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const draw = random(seed);
    const [plain, quick] = [new NewestShown(hssClusterEvents), new NewestShown(hssClusterEvents)];
    const pages = Array.from({ length: 6 }, (_, page) => {
      const rows = Array.from({ length: 450 }, (_, row) => event(`${page} ${row}`, NOW)).flat();
      return { rows, versions: quick.versionsOf(rows) };
    });
    for (let step = 0; step < 12; step += 1) {
      const { rows, versions } = draw.pick([pages[0], ...pages.slice(1)] as [(typeof pages)[0], ...typeof pages]);
      const serverTime = draw.chance(0.2) ? NOW - 1 : NOW;
      plain.take(rows, serverTime);
      if (step < 6) quick.take(rows, serverTime);
      else quick.takeAgain(versions, serverTime);
    }
    for (const { rows } of pages) {
      const older = rows.slice(0, 3).flatMap(({ key }) => event(key, NOW - 1));
      expect(quick.take(older, NOW), `seed ${seed}`).toEqual(plain.take(older, NOW));
    }
  }
});
