import { expect, test } from 'vitest';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { KeyCoverage } from '../../../src/core/walk/observed-page.ts';
import { moving, Order } from '../../../src/core/walk/order.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { walkFor } from '../../../src/sync/run/walk-listing.ts';
import { drive, HandList, hours, row, rowsOf } from './hand-list.ts';

const BY_UPDATE = [moving('update_time')];

type Changes = (list: HandList) => Readonly<Record<number, () => void>>;

/** 60 rows in an unknown order: requests 1 to 4 are the first reading, 5 the first page again, 6 to 8 the second. */
function walk(changes: Changes, prepare: (list: HandList) => void = () => {}) {
  const list = new HandList(
    rowsOf(60, (index) => [hours((index * 37) % 101)]),
    null,
  );
  prepare(list);
  const walkState = new WalkState(BY_UPDATE);
  const { certificate } = drive(fullWalk({ limit: 20, cap: null, orders: BY_UPDATE }, walkState), list, changes(list));
  const outcome = certificate.kind === 'complete' ? certificate.proof : certificate.reason;
  return { outcome, missed: !walkState.seen.has('r59'), requests: walkState.requests, moved: walkState.moved };
}

/** The last row is in the place of one that was read, and another one in its own. */
function hide(list: HandList, last = 59) {
  list.replace(25, row(`r${last}`, hours((last * 37) % 101)));
  list.replace(last, row('other', hours(50)));
}

/** Both are where they were. */
function restore(list: HandList, last = 59) {
  list.replace(25, row('r25', hours((25 * 37) % 101)));
  list.replace(last, row(`r${last}`, hours((last * 37) % 101)));
}

test('a list that does not move is certified after two readings', () => {
  expect(walk(() => ({}))).toMatchObject({ outcome: 'quiet', requests: 8 });
});

test('a list in unknown order that shows a row twice and does not move is certified after two readings', () => {
  const prepare = (list: HandList) => list.replace(45, list.rows[5] ?? row('r5'));
  expect(walk(() => ({}), prepare)).toMatchObject({ outcome: 'quiet', requests: 8 });
});

test('a second reading that differs certifies nothing, because a row can move up past both readings', () => {
  const walked = walk((list) => ({
    4: () => hide(list),
    6: () => {
      list.replace(5, row('r59', hours(7)));
      list.replace(25, row('third', hours(9)));
    },
  }));
  expect(walked).toMatchObject({ outcome: 'unordered', missed: true });
});

test('a second reading certifies nothing if another row was in an overlap after it was read', () => {
  const walked = walk((list) => ({
    4: () => hide(list),
    6: () => restore(list),
    7: () => list.replace(32, row('brief', hours((32 * 37) % 101))),
    8: () => hide(list),
  }));
  expect(walked).toMatchObject({ outcome: 'unordered', missed: true });
});

test.each([
  { where: 'where two pages overlap', request: 2, place: 17 },
  { where: 'on the first page', request: 5, place: 3 },
  { where: 'where two pages of the second reading overlap', request: 6, place: 17 },
])('a row that changes $where stays in its place, so a list without order is proven', ({ request, place }) => {
  const change = (list: HandList) => list.replace(place, { ...row(`r${place}`, hours(place)), content: 'changed' });
  expect(walk((list) => ({ [request]: () => change(list) }))).toMatchObject({
    outcome: 'quiet',
    requests: 8,
    moved: true,
  });
  // Which of its two places a row was in is told by contents alone, so there a changed row proves nothing.
  const prepare = (list: HandList) => list.replace(45, list.rows[5] ?? row('r5'));
  expect(walk((list) => ({ [request]: () => change(list) }), prepare)).toMatchObject({ outcome: 'unordered' });
});

test('a second reading during which the count was different certifies nothing', () => {
  const walked = walk((list) => ({
    4: () => hide(list),
    6: () => restore(list),
    7: () => list.put(row('brief', hours(3))),
    8: () => {
      list.drop('brief');
      hide(list);
    },
  }));
  expect(walked).toMatchObject({ outcome: 'unordered', missed: true });
});

test('a first reading during which the count changed is not followed by a second one', () => {
  const changes: Changes = (list) => ({ 3: () => list.put(row('brief', hours(3))), 4: () => list.drop('brief') });
  expect(walk(changes)).toMatchObject({ outcome: 'unordered', requests: 5 });
});

test('a second reading that is refused before its end certifies nothing', () => {
  // The count promises three rows more, so both readings look behind the last page: requests 5 and 6, then 11.
  const changes: Changes = (list) => ({
    4: () => hide(list),
    8: () => restore(list),
    10: () => hide(list),
    11: () => {
      restore(list);
      list.replace(59, row('other', hours(50)));
      list.put(row('r59', hours(7)));
    },
  });
  const prepare = (list: HandList) => {
    list.total = 63;
    list.answer = (observed, request) => (request < 11 ? observed : { ...observed, records: [], refused: true });
  };
  expect(walk(changes, prepare)).toMatchObject({ outcome: 'unordered', missed: true });
});

test('a list whose first page has another row counts as moved', () => {
  const changes: Changes = (list) => ({ 5: () => list.replace(3, row('other', hours(500))) });
  expect(walk(changes)).toMatchObject({ outcome: 'unordered', requests: 5, moved: true });
});

test('a list whose only change is at its head is certified but counts as moved, so the sweep waits', () => {
  const list = new HandList(
    rowsOf(60, (index) => [hours(index)]),
    -1,
  );
  const walkState = new WalkState(BY_UPDATE);
  const before = { 5: () => list.put(row('r57', hours(100))) };
  const { certificate } = drive(fullWalk({ limit: 20, cap: null, orders: BY_UPDATE }, walkState), list, before);
  expect([certificate.kind, walkState.requests, walkState.moved]).toEqual(['complete', 5, true]);
});

/** 55 rows of a server that knows one page size: requests 4 to 6 are the first reading, 7 to 9 the second. */
function walkPages(changes: Changes) {
  const list = new HandList(
    rowsOf(55, (index) => [hours((index * 37) % 101)]),
    null,
  );
  list.answer = (observed) =>
    observed.at.limit === 20 ? observed : { ...observed, records: [], total: null, refused: true };
  const walkState = new WalkState(BY_UPDATE);
  const options = { limit: 20, cap: null, orders: BY_UPDATE, wholeRefused: true };
  const { certificate } = drive(walkFor('page', options, walkState), list, changes(list));
  return {
    complete: certificate.kind === 'complete',
    missed: !walkState.seen.has('r54'),
    requests: walkState.requests,
  };
}

test('a list of numbered pages that does not move is certified after two readings', () => {
  expect(walkPages(() => ({}))).toEqual({ complete: true, missed: false, requests: 9 });
});

test('a list of numbered pages whose count differed once is not proven', () => {
  const away = (list: HandList) => {
    hide(list, 54);
    list.drop('other');
  };
  const back = (list: HandList) => {
    list.put(row('other', 0));
    restore(list, 54);
  };
  const walked = walkPages((list) => ({ 6: () => away(list), 7: () => back(list), 9: () => away(list) }));
  expect(walked).toMatchObject({ complete: false, missed: true });
});

test('numbered pages whose count differs between the two readings prove nothing', () => {
  const walked = walkPages((list) => ({
    6: () => hide(list, 54),
    7: () => {
      restore(list, 54);
      list.total = 56;
    },
    9: () => hide(list, 54),
  }));
  expect(walked).toMatchObject({ complete: false, missed: true });
});

test('a list has no rows only if its first page is empty and its count is 0', () => {
  const empty = { records: [], lastUpdateTime: null, rejects: 0 };
  const walkState = new WalkState(BY_UPDATE);
  const isAll = (offset: number, total: number | null) => {
    const observed = { ...empty, at: { offset, limit: 20 }, total };
    const coverage = new KeyCoverage(new Order(0, moving('update_time'), -1));
    coverage.add(observed, { isLast: walkState.endsList(observed) });
    expect(coverage.whole).toBe(walkState.endsList(observed));
    coverage.add({ ...observed, at: { offset: 20, limit: 20 } }, { isLast: true });
    return coverage.whole;
  };
  expect([isAll(0, 0), isAll(0, 5), isAll(0, null), isAll(20, 0), isAll(20, 5)]).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('a walk stops after three pages of another list if the server ignores the parameters', () => {
  const list = new HandList(
    rowsOf(1_000, (index) => [hours(index)]),
    -1,
  );
  list.answer = (observed) => ({ ...observed, suspect: 'other-list' });
  const walkState = new WalkState([moving('update_time')]);
  const steps = fullWalk({ limit: 20, cap: null, orders: [moving('update_time')] }, walkState);
  expect(drive(steps, list).certificate).toMatchObject({ kind: 'incomplete', reason: 'other-list' });
  expect(walkState.requests).toBe(3);
});
