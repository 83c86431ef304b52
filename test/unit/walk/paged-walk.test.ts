import { expect, test } from 'vitest';
import type { KnownLength } from '../../../src/core/walk/capped.ts';
import { numberedGrid } from '../../../src/core/walk/observed-page.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { walkFor } from '../../../src/sync/run/walk-listing.ts';
import { driveWalk } from '../../support/drive-walk.ts';
import { type ListOptions, MovingList, ORDERS, type ServerOptions } from '../../support/moving-list.ts';
import { random } from '../../support/random.ts';
import { drive, HandList, rowsOf } from './hand-list.ts';

function walk(
  list: Partial<ListOptions>,
  server: Partial<ServerOptions> = {},
  {
    wholeRefused = false,
    between = () => {},
  }: { wholeRefused?: boolean; between?: (list: MovingList, at: number) => void } = {},
) {
  const moving = new MovingList(list, server, random(1));
  const walkState = new WalkState(ORDERS);
  const options = { limit: 100, cap: null, orders: ORDERS, wholeRefused };
  const result = driveWalk(walkFor('page', options, walkState), moving, { between });
  const { certificate } = result;
  return {
    outcome: certificate.kind === 'complete' ? certificate.proof : certificate.reason,
    wholeRefused: result.wholeRefused,
    requests: walkState.requests,
    moved: walkState.moved,
    seen: walkState.seen.size,
    missed: moving.listedThroughout.filter((key) => !walkState.seen.has(key)),
  };
}

test('a list of at most one page takes one request', () => {
  expect(walk({ rows: 99, sorting: 'shuffled' })).toMatchObject({ outcome: 'atomic', requests: 1 });
});

test('a list longer than a page is requested as a whole', () => {
  expect(walk({ rows: 750, sorting: 'shuffled' })).toMatchObject({
    outcome: 'atomic',
    requests: 2,
    wholeRefused: false,
  });
});

test('if the server limits the page size, pages of different sizes overlap, and the limit is remembered', () => {
  const server = { clamp: 100 };
  expect(walk({ rows: 1000, handled: 0.1 }, server)).toMatchObject({
    outcome: 'order',
    missed: [],
    wholeRefused: true,
  });
  expect(walk({ rows: 999, handled: 0.1 }, server, { wholeRefused: true }).requests).toBeLessThanOrEqual(13);
});

test('an empty response after pages with rows does not prove that the other rows are gone', () => {
  const slipped = walk({ rows: 750, sorting: 'shuffled' }, { slips: [2] });
  expect(slipped).toMatchObject({ outcome: 'atomic', seen: 750, requests: 3 });
  // Twice is believed, but not as a list that stood still: a sweep waits for the next walk.
  expect(walk({ rows: 750, sorting: 'shuffled' }, { slips: [2, 3] })).toMatchObject({ outcome: 'atomic', moved: true });
});

test('a list that lost a row before it was requested as a whole counts as moved', () => {
  const between = (list: MovingList) => list.change('deleteNew');
  expect(walk({ rows: 750 }, {}, { between })).toMatchObject({ outcome: 'atomic', seen: 750, moved: true });
  expect(walk({ rows: 750 })).toMatchObject({ moved: false });
});

test.each([
  { clamp: 50, clampMoves: true },
  { clamp: 70, clampMoves: true },
  { clamp: 50, clampMoves: false },
  { clamp: 70, clampMoves: false },
])('pages that are cut down to a size of the server leave no row out of a complete list: %o', (server) => {
  const lengths = [110, 140, 150, 170, 200, 270];
  for (const sorting of ['update', 'create', 'id', 'unknown'] as const) {
    for (const rows of lengths) {
      const { outcome, missed } = walk({ rows, sorting }, server, { wholeRefused: true });
      expect(outcome, `${rows} rows by ${sorting}`).toMatch(sorting === 'unknown' ? /quiet|unordered/ : /quiet|order/);
      if (outcome !== 'unordered') expect(missed, `${rows} rows by ${sorting}, ${outcome}`).toEqual([]);
    }
  }
});

test('a list that moves is proven by its order', () => {
  const between = (list: MovingList) => {
    list.pass(30_000);
    list.change('delete', 2);
    list.change('handle', 2);
  };
  expect(walk({ rows: 900 }, { clamp: 100 }, { between })).toMatchObject({ outcome: 'order', missed: [] });
});

test('a list on a server with a single page size is read twice', () => {
  const onlySize = { size: 100, otherwise: 'refused' } as const;
  expect(walk({ rows: 450 }, { onlySize })).toMatchObject({ outcome: 'quiet', missed: [], wholeRefused: true });
  const moved = walk({ rows: 450 }, { onlySize }, { between: (list) => list.change('deleteNew') });
  expect(moved.outcome).not.toMatch(/quiet|order|atomic/);
});

test('two different readings on a server with a single page size prove nothing, even if the count agrees', () => {
  const onlySize = { size: 100, otherwise: 'refused' } as const;
  const shuffled = walk({ rows: 450, sorting: 'shuffled' }, { onlySize });
  expect(shuffled.outcome).not.toMatch(/quiet|order|atomic/);
});

test('a list on a server that replaces other page sizes by its own is not proven by its order', () => {
  const onlySize = { size: 100, otherwise: 'clamped' } as const;
  expect(walk({ rows: 450 }, { onlySize })).toMatchObject({ outcome: 'quiet', missed: [] });
});

test('every page contains the requested row and begins at a multiple of its size', () => {
  const grid = numberedGrid(100);
  for (let offset = 1; offset < 3000; offset += 1) {
    const at = grid.at(offset);
    expect(at.offset % at.limit).toBe(0);
    expect(at.offset <= offset && at.offset + at.limit > offset && at.limit <= 100).toBe(true);
  }
});

test('numbered pages that the server shortens to its own size do not count as the end of the list', () => {
  // Page 2 of size 10 begins at row 9, and every page is short: only the count or an empty page shows where the list ends.
  const list = new HandList(
    rowsOf(27, (index) => [`id ${index}`]),
    null,
  );
  const all = list.rows;
  list.answer = (observed) => {
    const page = Math.floor(observed.at.offset / observed.at.limit);
    return { ...observed, records: all.slice(page * 9, page * 9 + 9) };
  };
  const walkState = new WalkState([]);
  const options = { limit: 10, cap: null, orders: [], wholeRefused: true };
  const { certificate } = drive(walkFor('page', options, walkState), list);
  expect(certificate.kind === 'complete' ? walkState.seen.size : 27).toBe(27);
});

test.each([5, 8, 10])('a page of numbered pages that are cut to %i rows is not asked for twice in a row', (clamp) => {
  const moving = new MovingList({ rows: 60, sorting: 'unknown' }, { clamp }, random(1));
  const asked: string[] = [];
  const answer = moving.observed.bind(moving);
  moving.observed = (at) => {
    asked.push(`${at.offset}+${at.limit}`);
    return answer(at);
  };
  const options = { limit: 10, cap: null, orders: ORDERS, wholeRefused: true };
  driveWalk(walkFor('page', options, new WalkState(ORDERS)), moving);
  // The first page is asked for again at the end of a reading, and by the reading that follows.
  const repeated = asked.filter((at, index) => at === asked[index - 1] && !at.startsWith('0+'));
  expect(repeated).toEqual([]);
});

test('a short page of numbered pages without a count is not the end: the server may have filtered a row of it', () => {
  const list = new HandList(
    rowsOf(350, (index) => [index]),
    -1,
  );
  list.total = null;
  const all = list.rows;
  list.answer = (observed) => {
    // One size only, and the tenth row of each page is hidden.
    const page = Math.floor(observed.at.offset / 100);
    const records = all.slice(page * 100, page * 100 + 100).filter((_, index) => page !== 1 || index !== 9);
    return observed.at.limit === 100 ? { ...observed, records } : { ...observed, records: [], refused: true };
  };
  const walkState = new WalkState(ORDERS);
  const options = { limit: 100, cap: null, orders: ORDERS, wholeRefused: true };
  const { certificate } = drive(walkFor('page', options, walkState), list);
  expect(certificate.kind === 'complete' ? walkState.seen.size : 349).toBe(349);
});

test('a list of one page that became much shorter is suspected of a lower cap, and stays suspected', () => {
  const list = new HandList(
    rowsOf(150, (index) => [index]),
    -1,
  );
  const read = (before: KnownLength) => {
    const options = { limit: 100, cap: null, orders: ORDERS, wholeRefused: false, before };
    return drive(walkFor('page', options, new WalkState(ORDERS)), list);
  };
  const before = { total: 300, ceiling: null, beforeCeiling: null, surplus: 0 };
  const first = read(before);
  expect(first).toMatchObject({
    certificate: { kind: 'incomplete', reason: 'capped', evidence: { outOfSight: 150 } },
    capped: { cap: 150, isDeclared: false },
  });
  const known = { ...before, total: 150, ceiling: 150, beforeCeiling: 300 };
  expect(read(known)).toMatchObject({ certificate: { reason: 'capped', evidence: { outOfSight: 150 } } });
  expect(read({ ...before, total: 155 })).toMatchObject({ certificate: { kind: 'complete', proof: 'atomic' } });
});

test('a list shorter than a page with a wrong count is read to its end if the API accepts only one page size', () => {
  const server = { total: { off: -14 }, onlySize: { size: 100, otherwise: 'refused' } } as const;
  expect(walk({ rows: 17 }, server, { wholeRefused: true })).toMatchObject({ seen: 17, missed: [] });
});
