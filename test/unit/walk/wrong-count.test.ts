import { expect, test } from 'vitest';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { gridOf, type ObservedPage } from '../../../src/core/walk/observed-page.ts';
import { moving } from '../../../src/core/walk/order.ts';
import { poll } from '../../../src/core/walk/poll.ts';
import { checkpointOf } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { walkFor } from '../../../src/sync/run/walk-listing.ts';
import { drive, HandList, hours, row, rowsOf } from './hand-list.ts';

const ORDERS = [moving('update_time')];

interface Server {
  readonly direction: 1 | -1;
  /** Rows that it puts on a page at most. */
  readonly size: number;
  readonly kind?: 'offset' | 'page';
  /** Its count, from the number of rows and the rows of the page. */
  readonly count: (rows: number, page: number) => number;
}

function listOf(rows: number, { direction, size, kind = 'offset', count }: Server): HandList {
  const list = new HandList(
    rowsOf(rows, (index) => [hours(index)]),
    direction,
  );
  list.answer = (observed): ObservedPage => {
    const { offset, limit } = observed.at;
    const length = Math.min(size, limit);
    // Numbered pages that are cut down begin elsewhere than requested.
    const from = kind === 'page' ? (offset / limit) * length : offset;
    const records = list.rows.slice(from, from + length);
    return { ...observed, records, total: count(list.rows.length, records.length) };
  };
  return list;
}

function walk(list: HandList, kind: 'offset' | 'page' = 'offset', isUnchanged = false) {
  const walkState = new WalkState(ORDERS);
  const limit = kind === 'page' ? 100 : 200;
  const options = { limit, cap: null, orders: ORDERS, grid: gridOf({ kind, limit }), wholeRefused: true, isUnchanged };
  const { certificate } = drive(walkFor(kind, options, walkState), list);
  return { kind: certificate.kind, seen: walkState.seen.size, requests: walkState.requests, walkState };
}

const ofPage = (_: number, page: number) => page;
const right = (rows: number) => rows;

test.each([
  { kind: 'offset', direction: -1 },
  { kind: 'offset', direction: 1 },
  { kind: 'page', direction: -1 },
  { kind: 'page', direction: 1 },
] as const)(
  'a count of the page from a server that cuts pages down is not the end of the list (%o)',
  ({ kind, direction }) => {
    const size = 50;
    const { seen, requests, ...walked } = walk(listOf(950, { direction, size, kind, count: ofPage }), kind);
    expect({ ...walked, seen }).toMatchObject({ kind: 'complete', seen: 950 });
    expect(requests).toBeLessThanOrEqual((3 * 950) / (size - 5));
  },
);

test('one more request shows that a list of one page is complete, and is sent only if its length is a usual page size', () => {
  const requests = (rows: number, isUnchanged = false) =>
    walk(listOf(rows, { direction: -1, size: 200, count: right }), 'offset', isUnchanged).requests;
  expect([49, 50, 51, 100, 199].map((rows) => requests(rows))).toEqual([1, 2, 1, 2, 1]);
  expect(requests(50, true), 'not again while the page is the same').toBe(1);
});

test('if the count is that of the page, a poll finds changes at the newest end, and reads one page of an unchanged list', () => {
  const list = listOf(950, { direction: -1, size: 50, count: ofPage });
  const { walkState } = walk(list);
  const checkpoint = checkpointOf(walkState);
  expect(checkpoint).toMatchObject({ countsPage: true, total: 950 });
  const options = { limit: 200, cap: null, orders: ORDERS, hint: null, version: 'update_time', appendOnly: false };
  expect(drive(poll({ ...options, checkpoint }, new WalkState(ORDERS)), list).kind).toBe('probe');
  expect(list.requests).toBe(1);
  list.put(row('r5', hours(2000)), row('new', hours(2001)));
  const polled = drive(poll({ ...options, checkpoint }, new WalkState(ORDERS)), list);
  expect(polled).toMatchObject({ kind: 'head', checkpoint: { countsPage: true, total: 950 } });
  expect(list.requests).toBeLessThanOrEqual(3);
});

test.each([
  ['one row', (rows: number) => rows - 1],
  ['a twentieth', (rows: number) => Math.round(rows * 0.95)],
  ['half', (rows: number) => Math.round(rows / 2)],
  ['all', () => 0],
] as const)(
  'a count that lacks %s of an ascending list costs one more pass at most, and the list is proven',
  (_, count) => {
    for (const size of [200, 50]) {
      const list = listOf(1_990, { direction: 1, size, count });
      const walkState = new WalkState(ORDERS);
      const { certificate } = drive(fullWalk({ limit: 200, cap: null, orders: ORDERS }, walkState), list);
      expect(certificate, `${size} rows a page`).toMatchObject({ kind: 'complete', proof: 'order' });
      expect(walkState.requests / (1_990 / size), `${size} rows a page`).toBeLessThanOrEqual(3.2);
    }
  },
);

test('an ascending list on a server with short pages takes hardly more requests than one in the other direction', () => {
  const requests = (direction: 1 | -1) => walk(listOf(1_990, { direction, size: 50, count: right })).requests;
  expect(requests(1)).toBeLessThanOrEqual(requests(-1) + 3);
});
