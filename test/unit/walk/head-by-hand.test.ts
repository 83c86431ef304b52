import { expect, test } from 'vitest';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { fixed, moving, type OrderColumn } from '../../../src/core/walk/order.ts';
import { poll } from '../../../src/core/walk/poll.ts';
import { checkpointOf } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { drive, HandList, hours, row, rowsOf, seconds } from './hand-list.ts';

const BY_UPDATE = [moving('update_time')];

/** A certified list, and how to look at it again. */
function certified(list: HandList, orders: readonly OrderColumn[], version: string | null = 'update_time') {
  const walk = { limit: 20, cap: null, orders };
  const walkState = new WalkState(orders);
  expect(drive(fullWalk(walk, walkState), list).certificate.kind).toBe('complete');
  const options = { ...walk, hint: null, version, appendOnly: version === null };
  return {
    checkpoint: checkpointOf(walkState),
    observed: (checkpoint = checkpointOf(walkState), before: Readonly<Record<number, () => void>> = {}) =>
      drive(poll({ ...options, checkpoint }, new WalkState(orders)), list, before),
  };
}

const tableOf = (list: HandList) => list.rows.map(({ key, content }) => [key, list.table.get(key ?? '') === content]);
const all = (list: HandList) => list.rows.map(({ key }) => [key, true]);

test('a head walk that is refused a page before it reached what was certified reads in full', () => {
  const list = new HandList(
    rowsOf(100, (index) => [hours(index)]),
    -1,
  );
  const { observed } = certified(list, BY_UPDATE);
  list.put(...rowsOf(40, (index) => [hours(200 + index)]));
  list.answer = (page) => (page.at.offset === 0 ? page : { ...page, records: [], total: null, refused: true });
  expect(observed().kind).toBe('full');
});

test('an order that the certified walk refuted does not keep a head walk from reading by the proven one', () => {
  const byBoth = [moving('update_time'), fixed('create_time')];
  // By creation everything is in order but one row far down, which the first page does not show.
  const list = new HandList(
    rowsOf(60, (index) => [hours(index), hours(index === 5 ? -1 : index)]),
    -1,
  );
  const { observed, checkpoint } = certified(list, byBoth);
  expect(checkpoint.orders.map(({ name }) => name)).toEqual(['update_time desc']);
  list.put(row('new', hours(100), hours(100)));
  expect([observed().kind, list.requests]).toEqual(['head', 1]);
});

test('a list by id is read in full, because an id may be given to a row above the reader', () => {
  const list = new HandList(
    rowsOf(60, (index) => [`id ${100 + index}`]),
    null,
  );
  const { observed } = certified(list, [fixed('id')], null);
  list.put(row('new', 'id 999'));
  const between = { 3: () => (list.rows = [row('above', 'id 000'), ...list.rows.filter(({ key }) => key !== 'r59')]) };
  expect([observed(undefined, between).kind, list.table.has('above')]).toEqual(['full', false]);
});

test('a list with two proven orders whose newest rows are at opposite ends is read in full', () => {
  // By the second column newest first: the new rows are at the top, where the first column has its oldest.
  const list = new HandList(
    rowsOf(60, (index) => [hours(1000 - index), hours(index)]),
    1,
  );
  const { observed, checkpoint } = certified(list, [fixed('ends'), fixed('starts')], null);
  expect(checkpoint.orders.map(({ name }) => name)).toEqual(['ends asc', 'starts desc']);
  list.put(...rowsOf(90, (index) => [hours(1000 - index), hours(index)]).slice(60));
  list.drop(...rowsOf(15, () => []).map(({ key }) => key));
  expect([observed().kind, tableOf(list).filter(([, known]) => !known).length]).toEqual(['full', 10]);
});

test('the next head walk reads to below the key that was newest before this walk began', () => {
  const old = rowsOf(40, (index) => [hours(index)]);
  const list = new HandList([...old, row('latest', hours(100))], 1);
  const { observed } = certified(list, BY_UPDATE);
  const at = (second: number) => hours(100) + seconds(second) - seconds(0);
  for (let second = 1; second <= 30; second += 1) list.put(row(`new ${second}`, at(second)));
  const first = observed(undefined, {
    // Between the two pages from below the certified keys to the end: a slow clock puts a row behind the reader.
    4: () => list.put(row('r3', at(5)), row('much later', at(600))),
  });
  if (first.kind !== 'head') throw new Error(`a ${first.kind} walk`);
  expect(list.table.get('r3')).not.toContain(String(at(5)));
  expect(observed(first.checkpoint).kind).toBe('head');
  expect(tableOf(list)).toEqual(all(list));
});

test('a list that grew to its cap by rows that are not at its head is read in full, and there found to need a split', () => {
  const list = new HandList(
    rowsOf(95, (index) => [hours(index)]),
    -1,
  );
  const options = { limit: 20, cap: 100, orders: BY_UPDATE };
  const walkState = new WalkState(BY_UPDATE);
  expect(drive(fullWalk(options, walkState), list).certificate.kind).toBe('complete');
  list.put(
    row('new', hours(100)),
    ...rowsOf(10, (index) => [hours(index) + 1]).map((old) => ({ ...old, key: `x${old.key}` })),
  );
  list.answer = (observed) => ({ ...observed, total: Math.min(observed.total ?? 0, 100) });
  const checkpoint = checkpointOf(walkState);
  const question = { ...options, checkpoint, hint: null, version: 'update_time', appendOnly: false };
  expect(drive(poll(question, new WalkState(BY_UPDATE)), list).kind).toBe('full');
});

test('a row that goes to the top while the head is read over several pages is found there', () => {
  const list = new HandList(
    rowsOf(100, (index) => [hours(index)]),
    -1,
  );
  const { observed } = certified(list, BY_UPDATE);
  list.put(...rowsOf(40, (index) => [hours(200 + index)]).map((one) => ({ ...one, key: `new ${one.key}` })));
  // The lowest of the new rows is on the third page; before the second one is read, it changes again.
  const change = () => list.put(row('new r0', hours(300)));
  expect(observed(undefined, { 2: change }).kind).toBe('head');
  expect(list.table.has('new r0')).toBe(true);
});

test('a list that grows at its end is read in full once it is as long as its cap, which hides the newest rows', () => {
  const list = new HandList(
    rowsOf(58, (index) => [hours(index)]),
    1,
  );
  const { checkpoint } = certified(list, BY_UPDATE);
  list.put(...rowsOf(7, (index) => [hours(100 + index)]).map((one) => ({ ...one, key: `new ${one.key}` })));
  list.answer = (page) => ({ ...page, records: page.records.slice(0, Math.max(0, 60 - page.at.offset)) });
  const options = { limit: 20, cap: 60, orders: BY_UPDATE, hint: null, version: 'update_time', appendOnly: false };
  expect(drive(poll({ ...options, checkpoint }, new WalkState(BY_UPDATE)), list).kind).toBe('full');
});

test('a list whose newest rows fill all that its cap shows is read in full: older changed rows can be behind the cap', () => {
  const list = new HandList(
    rowsOf(58, (index) => [hours(index)]),
    -1,
  );
  const { checkpoint } = certified(list, BY_UPDATE);
  list.put(...rowsOf(70, (index) => [hours(100 + index)]).map((one) => ({ ...one, key: `new ${one.key}` })));
  list.answer = (page) => ({ ...page, records: page.records.slice(0, Math.max(0, 60 - page.at.offset)) });
  for (const cap of [60, null]) {
    const options = { limit: 20, cap, orders: BY_UPDATE, hint: null, version: 'update_time', appendOnly: false };
    expect(drive(poll({ ...options, checkpoint }, new WalkState(BY_UPDATE)), list).kind, `cap ${cap}`).toBe('full');
  }
});

test('a row that comes up behind the reader of an ascending list is noticed by the next poll, whatever the hint says', () => {
  const list = new HandList(
    rowsOf(30, (index) => [hours(index)]),
    1,
  );
  list.hint = hours(0);
  const walkState = new WalkState(BY_UPDATE);
  const walk = { limit: 20, cap: null, orders: BY_UPDATE };
  // After the page that shows the end of the list, before the last one.
  const before = { 3: () => list.put(row('late', hours(100))), 4: () => list.put(row('late', hours(100))) };
  expect(drive(fullWalk(walk, walkState), list, before).certificate.kind).toBe('complete');
  const options = { ...walk, hint: null, version: 'update_time', appendOnly: false };
  drive(poll({ ...options, checkpoint: checkpointOf(walkState) }, new WalkState(BY_UPDATE)), list);
  expect(list.table.has('late')).toBe(true);
});
