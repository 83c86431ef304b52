import { expect, test } from 'vitest';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { offsetGrid } from '../../../src/core/walk/observed-page.ts';
import { moving, type OrderColumn } from '../../../src/core/walk/order.ts';
import { closeHead, requestPage } from '../../../src/core/walk/pass.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { drive, HandList, hours, minutes, row, rowsOf, seconds } from './hand-list.ts';

const BY_UPDATE = [moving('update_time')];

type Changes = Readonly<Record<number, () => void>>;

function walk(list: HandList, before: Changes = {}, orders: readonly OrderColumn[] = BY_UPDATE) {
  const throughout = list.rows.map(({ key }) => key);
  const walkState = new WalkState(orders);
  const { certificate } = drive(fullWalk({ limit: 20, cap: null, orders }, walkState), list, before);
  const outcome = certificate.kind === 'complete' ? certificate.proof : certificate.reason;
  const listed = throughout.filter((key) => list.rows.some((own) => own.key === key));
  return { outcome, missed: listed.filter((key) => !walkState.seen.has(key ?? '')), requests: walkState.requests };
}

/** 40 rows, oldest first, all of one minute. */
function oneMinute(count = 40): HandList {
  return new HandList(
    rowsOf(count, (index) => [seconds(index)]),
    1,
  );
}

test('a row that a slow clock puts on the first page of an ascending list before its end is read is found', () => {
  const list = oneMinute();
  // Both before the newest end is read again, so that its newest row says nothing about the other one.
  const before = { 2: () => list.put(row('r30', seconds(10.5)), row('r35', minutes(20))) };
  expect(walk(list, before)).toEqual({ outcome: 'order', missed: [], requests: 5 });
});

test('an ascending list whose first page is too short at the end of the walk to show a late row is not claimed', () => {
  const list = oneMinute();
  list.answer = (observed, request) =>
    request < 4 ? observed : { ...observed, records: observed.records.slice(0, 10) };
  // A row above leaves at the same time, so that no place tells of the row that came.
  const change = () => {
    list.put(row('r30', seconds(12.5)), row('r35', minutes(20)));
    list.drop('r3');
  };
  expect(walk(list, { 2: change })).toEqual({ outcome: 'moving', missed: ['r30'], requests: 4 });
});

test('a row whose time is set back to behind the reader shifts the others, and the list is read again', () => {
  const list = new HandList(
    rowsOf(100, (index) => [hours(index)]),
    -1,
  );
  const before = { 5: () => list.put(row('r5', hours(70.5))) };
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

test('an ascending list without a count is not claimed before its end is closed', () => {
  const list = oneMinute(60);
  list.total = null;
  const before = { 3: () => list.put(row('r59', seconds(25.5))) };
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

test('an ascending list that moves all the time is proven, because its end was read first', () => {
  const list = new HandList(
    rowsOf(400, (index) => [minutes(index)]),
    1,
  );
  const before = Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [3 * index + 2, () => list.put(row(`r${index}`, hours(10) + index))]),
  );
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

/**
 * 40 rows of one minute at the newest end of older ones, and a row that clocks within that minute always put where the
 * reader is not: among the oldest of the minute, or beyond the newest.
 */
function evading(direction: 1 | -1): HandList {
  const old = rowsOf(40, (index) => [hours(index)]);
  const minute = rowsOf(40, (index) => [hours(100) + index * 1000]).map((own) => ({ ...own, key: `new ${own.key}` }));
  const list = new HandList([...old, ...minute, row('evader', hours(100) - 500)], direction);
  list.evade = (from, to) => {
    list.drop('evader');
    const isLowShown = from <= 40 && to > 40;
    list.put({ ...row('evader', hours(100) + (isLowShown ? 45_000 : -500)), content: 'evader' });
  };
  return list;
}

test('a row that evades every page near the end of an ascending list is not claimed to have been read', () => {
  expect(walk(evading(1))).toMatchObject({ outcome: 'moving', missed: ['evader'] });
});

test('a row that evades every page near the head of a descending list is not claimed to have been read', () => {
  expect(walk(evading(-1))).toMatchObject({ outcome: 'moving', missed: ['evader'] });
});

test('a row that evades every page is not claimed to have been read when the end is refused while it is closed', () => {
  const list = evading(1);
  list.answer = (observed, request) =>
    request > 12 && observed.at.offset > 45
      ? { ...observed, records: [], total: observed.total, refused: true }
      : observed;
  expect(walk(list)).toMatchObject({ missed: ['evader'], outcome: expect.not.stringMatching('order|quiet|atomic') });
});

test.each(['exhausted', 'refused'])('a head whose second page is missing (%s) is not closed', (why) => {
  const list = evading(-1);
  const walkState = new WalkState(BY_UPDATE);
  const grid = offsetGrid(20);
  if (why === 'refused')
    list.answer = (observed) => (observed.at.offset === 0 ? observed : { ...observed, records: [], refused: true });
  const steps = (function* () {
    const head = yield* requestPage(walkState, grid, 0);
    while (why === 'exhausted' && !walkState.exhausted(20)) walkState.note(head);
    return yield* closeHead({ walkState, grid, orders: walkState.fitting(), before: walkState.newest() }, head, null);
  })();
  expect([drive(steps, list), walkState.seen.has('evader')]).toEqual([false, false]);
});

test('a head is read on until every order that fits is below its bar', () => {
  // By the second column, which fits as well, the first page reaches far enough.
  const list = evading(-1);
  const withOther = (own: (typeof list.rows)[number]) => ({
    ...own,
    sort: [Number(own.sort[0]), placeOf(Number(own.sort[0]))],
  });
  const placeOf = (time: number) =>
    time < hours(100) - 500 ? time - hours(2000) + hours(0) : hours(100) + (time - hours(100)) * 3600;
  list.rows = list.rows.map(withOther);
  const { evade } = list;
  list.evade = (from, to) => {
    evade(from, to);
    list.rows = list.rows.map(withOther);
  };
  const walkState = new WalkState([moving('seen_time'), moving('update_time')]);
  const grid = offsetGrid(20);
  const steps = (function* () {
    const head = yield* requestPage(walkState, grid, 0);
    const orders = walkState.fitting();
    expect(orders).toHaveLength(2);
    return yield* closeHead({ walkState, grid, orders, before: walkState.newest() }, head, null);
  })();
  expect([drive(steps, list), walkState.seen.has('evader')]).toEqual([false, false]);
});

/** A row goes up behind the reader of one minute's rows, newest first, into the place of one that vanishes. */
function exchange(list: HandList) {
  list.drop('r35');
  list.put(row('r0', seconds(34.5)));
}

test('a pass in which every overlap is equal but the count changed did not stand still', () => {
  const list = new HandList(
    rowsOf(60, (index) => [seconds(index)]),
    -1,
  );
  expect(walk(list, { 4: () => exchange(list) })).toMatchObject({ outcome: 'order', missed: [] });
});

test('a pass in which every overlap is equal but the first page changed did not stand still', () => {
  const list = new HandList(
    rowsOf(60, (index) => [seconds(index)]),
    -1,
  );
  const before = {
    4: () => {
      exchange(list);
      list.put(row('late', seconds(0.5)));
    },
    6: () => {
      list.drop('late');
      list.put(row('r0', seconds(0)), row('filler', seconds(34.5)));
    },
    8: () => {
      list.drop('filler', 'r57');
      list.put(row('r0', seconds(34.5)), row('late', seconds(0.5)), row('top', seconds(57)));
    },
  };
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

test('a key is covered only if it is covered under every order that fits', () => {
  // Rows 10 to 20 have one update time. Before the end is looked at, a row of them goes from behind the first page to
  // before the page of the end, while one goes and another comes; then all that is undone.
  const orders = [moving('update_time'), moving('create_time')];
  const at = (index: number) => row(`r${index}`, hours(index >= 10 && index <= 20 ? 10 : index), hours(index));
  const list = new HandList(
    Array.from({ length: 30 }, (_, index) => at(index)),
    null,
  );
  const before = {
    2: () => {
      list.replace(10, at(20));
      list.replace(20, row('other', hours(10), hours(20)));
    },
    3: () => {
      list.replace(10, at(10));
      list.replace(20, at(20));
    },
  };
  const walked = walk(list, before, orders);
  expect(walked.missed.length === 0 || walked.outcome === 'moving').toBe(true);
});
