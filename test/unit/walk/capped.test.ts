import { expect, test } from 'vitest';
import { isRaisedCap, type KnownLength } from '../../../src/core/walk/capped.ts';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { moving } from '../../../src/core/walk/order.ts';
import { poll } from '../../../src/core/walk/poll.ts';
import { checkpointOf } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { drive, HandList, hours, row, rowsOf } from './hand-list.ts';

const ORDERS = [moving('update_time')];

interface Shown {
  /** Rows that the server shows of the list, and what it does about a page behind them. */
  readonly cap?: number;
  readonly beyond?: 'empty' | 'refused' | 'last page' | 'first page';
  /** Its count is cut off at the cap as well. */
  readonly countIsCut?: boolean;
}

/** A list of `count` rows, newest first, on a server that may show only some of them. */
function listOf(count: number, { cap, beyond = 'empty', countIsCut = false }: Shown = {}): HandList {
  const list = new HandList(
    rowsOf(count, (index) => [hours(index)]),
    -1,
  );
  list.answer = (observed) => {
    if (cap === undefined) return observed;
    const total = countIsCut ? Math.min(cap, list.rows.length) : list.rows.length;
    const { offset, limit } = observed.at;
    const records = observed.records.slice(0, Math.max(0, cap - offset));
    if (offset < cap || beyond === 'empty') return { ...observed, records, total };
    if (beyond === 'refused') return { ...observed, records: [], total: null, refused: true };
    const from = beyond === 'first page' ? 0 : cap - limit;
    return { ...observed, records: list.rows.slice(from, from + limit), total };
  };
  return list;
}

interface Setting {
  readonly cap?: number | null;
  readonly before?: KnownLength;
  readonly readsToCap?: boolean;
}

function walk(list: HandList, { cap = null, before, readsToCap = false }: Setting = {}) {
  const walkState = new WalkState(ORDERS);
  const options = { limit: 20, cap, orders: ORDERS, readsToCap, ...(before === undefined ? {} : { before }) };
  const { certificate, capped } = drive(fullWalk(options, walkState), list);
  const outcome = certificate.kind === 'complete' ? certificate.proof : certificate.reason;
  const { outOfSight = 0 } = certificate.evidence;
  return { outcome, capped, read: walkState.seen.size, outOfSight, requests: walkState.requests, walkState };
}

test('a list is read to its end if the server shows rows beyond the declared cap', () => {
  expect(walk(listOf(300), { cap: 100 })).toMatchObject({ outcome: 'order', read: 300, capped: null });
});

test.each(['empty', 'refused', 'last page', 'first page'] as const)(
  'one page behind a declared cap, which is %s, shows whether the server applies it',
  (beyond) => {
    const walked = walk(listOf(300, { cap: 100, beyond }), { cap: 100 });
    expect(walked).toMatchObject({ outcome: 'capped', capped: { cap: 100, isDeclared: true }, requests: 3 });
  },
);

test.each(['empty', 'refused', 'last page'] as const)(
  'a capped list that cannot be read in parts is read up to its cap, and the rest is counted (%s behind it)',
  (beyond) => {
    const walked = walk(listOf(300, { cap: 100, beyond }), { cap: 100, readsToCap: true });
    expect(walked).toMatchObject({ outcome: 'capped', read: 100, outOfSight: 200 });
    expect(walked.requests).toBeLessThanOrEqual(8);
  },
);

test('the number of rows out of sight is not stated if the count is limited too', () => {
  const walked = walk(listOf(300, { cap: 100, countIsCut: true }), { cap: 100, readsToCap: true });
  expect(walked).toMatchObject({ outcome: 'capped', read: 100, outOfSight: 0 });
});

test.each([100, 97])('a list that suddenly ends at row %i, as its count says, may have met a lower cap', (cap) => {
  const list = listOf(300, { cap, countIsCut: true });
  const before = { total: 300, ceiling: null, beforeCeiling: null, surplus: 0 };
  expect(walk(list, { before })).toMatchObject({ outcome: 'capped', capped: { cap, isDeclared: false } });
  // It is doubted for as long as it ends there, and believed once it ends elsewhere.
  expect(walk(list, { before: { total: cap, ceiling: cap, beforeCeiling: null, surplus: 0 } })).toMatchObject({
    outcome: 'capped',
  });
  const grown = listOf(cap + 3);
  expect(walk(grown, { before: { total: cap, ceiling: cap, beforeCeiling: null, surplus: 0 } })).toMatchObject({
    outcome: 'order',
    read: cap + 3,
  });
});

test('a suspected cap that changes by a few rows stays suspected: always if it is lower, and if it is higher unless as many rows are new', () => {
  const before = { total: 200, ceiling: 200, beforeCeiling: 300, surplus: 0 };
  expect(walk(listOf(300, { cap: 197, countIsCut: true }), { before })).toMatchObject({
    outcome: 'capped',
    capped: { cap: 197, isDeclared: false },
    outOfSight: 103,
  });
  expect(isRaisedCap(203, 0, before)).toBe(true);
  expect(isRaisedCap(203, 2, before)).toBe(true);
  expect(isRaisedCap(203, 3, before), 'as many rows are new: the list may have grown').toBe(false);
  expect(isRaisedCap(200, 0, before), 'it did not move').toBe(false);
  expect(isRaisedCap(290, 0, before), 'it is as long as before').toBe(false);
  expect(isRaisedCap(203, 0, { ...before, ceiling: null }), 'no cap was suspected').toBe(false);
});

test('a count that is suddenly higher than the number of rows means a cap, at any number', () => {
  const list = listOf(300, { cap: 163 });
  expect(walk(list, { before: { total: 300, ceiling: null, beforeCeiling: null, surplus: 0 } })).toMatchObject({
    outcome: 'capped',
  });
  expect(walk(list, { before: { total: 300, ceiling: 163, beforeCeiling: null, surplus: 0 } })).toMatchObject({
    outcome: 'capped',
  });
  // A count that was wrong by as much before is only wrong.
  expect(walk(list, { before: { total: 300, ceiling: null, beforeCeiling: null, surplus: 137 } })).toMatchObject({
    outcome: 'quiet',
  });
});

test('a list that loses a few rows is not suspected of a cap', () => {
  expect(walk(listOf(295), { before: { total: 300, ceiling: null, beforeCeiling: null, surplus: 0 } })).toMatchObject({
    outcome: 'order',
  });
});

test('an end at a round number is checked once with a request behind it: a refusal there is a cap', () => {
  expect(walk(listOf(700, { cap: 500, countIsCut: true, beyond: 'refused' }))).toMatchObject({
    outcome: 'capped',
    capped: { cap: 500, isDeclared: false },
  });
  expect(walk(listOf(500))).toMatchObject({ outcome: 'order', read: 500 });
});

test('a poll of a list that became much shorter reads it in full', () => {
  const list = listOf(300);
  const { walkState } = walk(list);
  const checkpoint = checkpointOf(walkState);
  list.drop(...rowsOf(100, () => []).map(({ key }) => key));
  list.put(row('r250', hours(400)));
  const options = { limit: 20, cap: null, orders: ORDERS, hint: null, version: 'update_time', appendOnly: false };
  expect(drive(poll({ ...options, checkpoint }, new WalkState(ORDERS)), list).kind).toBe('full');
});

test('a moving list is not proven if its count is higher than the number of rows', () => {
  const list = listOf(300);
  list.total = 400;
  const walkState = new WalkState(ORDERS);
  const steps = fullWalk({ limit: 20, cap: null, orders: ORDERS }, walkState);
  const { certificate } = drive(steps, list, { 5: () => list.put(row('r100', hours(500))) });
  expect(certificate).toMatchObject({ kind: 'incomplete', reason: 'count' });
});
