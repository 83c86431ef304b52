import { expect, test } from 'vitest';
import {
  compareOverlap,
  type ObservedPage,
  offsetGrid,
  type SeenRecord,
} from '../../../src/core/walk/observed-page.ts';
import { pass, requestPage } from '../../../src/core/walk/pass.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { driveWalk } from '../../support/drive-walk.ts';
import { type Change, MovingList, ORDERS } from '../../support/moving-list.ts';
import { random } from '../../support/random.ts';

function page(offset: number, keys: string): ObservedPage {
  const records = [...keys].map((key): SeenRecord => ({ key, content: key.toLowerCase(), sort: [] }));
  return { at: { offset, limit: 10 }, records, total: null, lastUpdateTime: null, rejects: 0 };
}

test('two pages that share the same rows in the same places have an equal overlap', () => {
  expect(compareOverlap(page(0, 'abcdef'), page(3, 'defghi'))).toEqual({
    equal: true,
    isInPlace: true,
    shift: 0,
    downward: 0,
  });
});

test.each([
  ['a row that went above', page(3, 'efghij'), { shift: -1, downward: 0 }],
  ['a row that came above', page(3, 'cdefgh'), { shift: 1, downward: 1 }],
  ['a shared row that went up', page(3, 'cdefhi'), { shift: 1, downward: 1 }],
  ['a read row from the shared part that went up', page(3, 'cdfghi'), { shift: 0, downward: 0 }],
  ['nothing in common', page(3, 'uvwxyz'), { shift: -3, downward: 0 }],
])('an overlap shows %s', (_, next, overlap) => {
  expect(compareOverlap(page(0, 'abcdef'), next)).toEqual({ equal: false, isInPlace: false, ...overlap });
});

test('a row that changed in its place makes an overlap unequal, but its places stay equal', () => {
  const next = page(3, 'defghi');
  const changed = { ...next, records: next.records.map((record) => ({ ...record, content: `${record.content}!` })) };
  expect(compareOverlap(page(0, 'abcdef'), changed)).toMatchObject({ equal: false, isInPlace: true });
});

test.each<Change>(['insert', 'deleteNew', 'handleOld'])(
  'a pass during which the list moved (%s) is not quiet',
  (change) => {
    const list = new MovingList({ rows: 300, sorting: 'unknown' }, {}, random(3));
    for (const isMoving of [false, true]) {
      const walkState = new WalkState(ORDERS);
      const grid = offsetGrid(50);
      const steps = (function* () {
        const start = yield* requestPage(walkState, grid, 0);
        return yield* pass({ walkState, grid, coverages: [], start });
      })();
      // Ten changes at random places: some are above the reader.
      const { quiet } = driveWalk(steps, list, { between: (_, at) => isMoving && at === 4 && list.change(change, 10) });
      expect([quiet, walkState.moved]).toEqual([
        !isMoving || change === 'handleOld',
        isMoving && change !== 'handleOld',
      ]);
    }
  },
);
