import { expect, test } from 'vitest';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { moving } from '../../../src/core/walk/order.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { drive, HandList, hours, row, rowsOf, seconds } from './hand-list.ts';

/**
 * Lists whose newest five minutes are longer than a page: any row of them may go behind the reader, into the place of
 * one that goes, while a third comes into its own. Count, overlaps and first page stay as they were.
 */

const BY_UPDATE = [moving('update_time')];

type Changes = Readonly<Record<number, () => void>>;

function walk(list: HandList, before: Changes = {}) {
  const throughout = list.rows.map(({ key }) => key);
  const walkState = new WalkState(BY_UPDATE);
  const { certificate } = drive(fullWalk({ limit: 20, cap: null, orders: BY_UPDATE }, walkState), list, before);
  const outcome = certificate.kind === 'complete' ? certificate.proof : certificate.reason;
  const listed = throughout.filter((key) => list.rows.some((own) => own.key === key));
  return { outcome, missed: listed.filter((key) => !walkState.seen.has(key ?? '')), requests: walkState.requests };
}

/** 60 rows of one minute, `r0` the oldest. */
function oneMinute(direction: 1 | -1): HandList {
  return new HandList(
    rowsOf(60, (index) => [seconds(index)]),
    direction,
  );
}

/** The same in front of 60 rows of as many hours. */
function youngAndOld(direction: 1 | -1): HandList {
  const old = rowsOf(60, (index) => [hours(index)]).map((own) => ({ ...own, key: `old ${own.key}` }));
  return new HandList([...old, ...rowsOf(60, (index) => [hours(100) + index * 1000])], direction);
}

interface Exchange {
  readonly moved: string;
  readonly gone: string;
  readonly added: string;
}

/** The row `moved` takes the place of `gone`, and the unknown row `added` takes that of `moved`. */
function exchange(list: HandList, { moved, gone, added }: Exchange): void {
  const find = (wanted: string) => list.rows.find((own) => own.key === wanted)?.sort[0] ?? 0;
  const [from, to] = [find(moved), find(gone)];
  list.drop(gone);
  list.put(row(moved, to), row(added, from));
}

test.each([null, 7])('newest first, with the update time %s of a list throughout, it is read again', (hint) => {
  const list = oneMinute(-1);
  list.hint = hint;
  expect(walk(list, { 4: () => exchange(list, { moved: 'r0', gone: 'r35', added: 'third' }) })).toMatchObject({
    outcome: 'order',
    missed: [],
  });
});

test.each([null, 7])(
  'oldest first, with the update time %s of a list throughout, another reading refutes it',
  (hint) => {
    const list = oneMinute(1);
    list.hint = hint;
    // The pass is requests 3 and 4, where it meets the end that request 2 looked at.
    expect(walk(list, { 4: () => exchange(list, { moved: 'r38', gone: 'r24', added: 'third' }) })).toMatchObject({
      outcome: 'moving',
      missed: [],
    });
  },
);

test('a head longer than a page is read twice: the first time a row may have gone behind the reader', () => {
  const list = youngAndOld(-1);
  // An old row goes behind the reader of the pass, which is requests 1 to 8, and of the head, requests 9 to 12.
  const before = {
    4: () => list.put(row('old r30', hours(100) + 20_500)),
    11: () => exchange(list, { moved: 'old r30', gone: 'r35', added: 'third' }),
  };
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

test('an end longer than a page is read twice: the first time a row may have gone behind the reader', () => {
  const list = youngAndOld(1);
  // Requests 10 to 13 look back for where the newest begin, 14 to 16 read on from there.
  const before = {
    8: () => exchange(list, { moved: 'r37', gone: 'r22', added: 'third' }),
    12: () => exchange(list, { moved: 'r37', gone: 'r33', added: 'fourth' }),
    15: () => exchange(list, { moved: 'r37', gone: 'fourth', added: 'fifth' }),
  };
  expect(walk(list, before)).toMatchObject({ outcome: 'order', missed: [] });
});

/** A row that is wherever the reader is not, by changing places with another one. */
function hiding(list: HandList, direction: 1 | -1): HandList {
  const [low, high] = direction === -1 ? ['r5', 'r35'] : ['r10', 'r30'];
  const [early, late] = [low, high].map((key) => list.rows.find((own) => own.key === key)?.sort[0] ?? 0);
  list.evade = (from, to) => {
    const shown = list.rows.slice(from, to).map(({ sort }) => sort[0]);
    if (early === undefined || late === undefined) return;
    if (shown.includes(early)) list.put(row(low, late), row(high, early));
    else if (shown.includes(late)) list.put(row(low, early), row(high, late));
  };
  return list;
}

test.each([
  ['newest first, all young', () => hiding(oneMinute(-1), -1), 'r5'],
  ['oldest first, all young', () => hiding(oneMinute(1), 1), 'r10'],
  ['newest first, before old rows', () => hiding(youngAndOld(-1), -1), 'r5'],
  ['oldest first, behind old rows', () => hiding(youngAndOld(1), 1), 'r10'],
])(
  'a row that changes places with another one in step with the reader is not claimed to be read: %s',
  (_, make, key) => {
    // Its time goes back as well as forward, which no time of one row does: it is taken for two rows with one key.
    expect(walk(make())).toMatchObject({ outcome: 'key', missed: [key] });
  },
);

test('two equal readings of a head prove nothing if it moved during one of them', () => {
  // Two rows come and go in the places where the evader is not, and a row changes in an overlap of every other reading.
  const list = youngAndOld(-1);
  const [low, high] = [hours(100) + 5_000, hours(100) + 35_000];
  list.evade = (from, to) => {
    const isLowShown = list.rows.slice(from, to).some(({ sort }) => sort[0] === low);
    list.drop('r5', 'r35', 'low', 'high');
    list.put(row('r5', isLowShown ? high : low), isLowShown ? row('low', low) : row('high', high));
  };
  list.answer = (observed, request) => {
    const isOddReading = (request < 13 && observed.at.offset > 0) || request > 16;
    const records = observed.records.map((own) =>
      own.key === 'r28' && observed.at.offset === 30 && isOddReading ? { ...own, content: 'changed' } : own,
    );
    return { ...observed, records };
  };
  const walked = walk(list);
  expect(walked).toMatchObject({ outcome: 'moving', missed: expect.arrayContaining(['r5']) });
});

test.each([
  ['newest first, all young', () => oneMinute(-1), 8],
  ['oldest first, all young', () => oneMinute(1), 8],
  ['newest first, before old rows', () => youngAndOld(-1), 16],
  ['oldest first, behind old rows', () => youngAndOld(1), 20],
])('a list that does not move is certified: %s', (_, make, requests) => {
  expect(walk(make())).toMatchObject({ outcome: expect.stringMatching('order|quiet'), missed: [], requests });
});
