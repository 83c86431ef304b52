import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fullWalk } from '../../src/core/walk/full-walk.ts';
import { WalkState } from '../../src/core/walk/walk-state.ts';
import { driveWalk, eachSeed } from '../support/drive-walk.ts';
import { type Change, MovingList, ORDERS } from '../support/moving-list.ts';
import { random } from '../support/random.ts';
import {
  type Cost,
  claimsNothingFalse,
  costOfOrdered,
  pagedClaimsNothingFalse,
  pollsLoseNothing,
} from '../support/walk-checks.ts';

const FILE = 'test/property/walks.test.ts';
const SEEDS = Number(process.env.SEEDS ?? 200);

test('a walk that claims to be complete saw every row that was listed all the time', () => {
  const seen = new Set<string>();
  eachSeed('a walk that claims', { file: FILE, seeds: SEEDS }, (seed) => seen.add(claimsNothingFalse(seed)));
  if (process.env.SEED === undefined)
    expect([...seen].sort()).toEqual(['atomic', 'capped', 'count', 'moving', 'order', 'quiet', 'ties', 'unordered']);
}, 120_000);

test('a certified walk over numbered pages saw every row that was listed all the time, for any page size', () => {
  const seen = new Set<string>();
  eachSeed('a certified walk over numbered pages', { file: FILE, seeds: SEEDS / 3 }, (seed) =>
    seen.add(pagedClaimsNothingFalse(seed)),
  );
  if (process.env.SEED === undefined) for (const proof of ['atomic', 'order', 'quiet']) expect(seen).toContain(proof);
}, 120_000);

test('polls of a certified list miss no change, even if they crash between pages', () => {
  const seen = new Set<string>();
  eachSeed('polls of a certified', { file: FILE, seeds: SEEDS / 3 }, (seed) => {
    for (const kind of pollsLoseNothing(seed)) seen.add(kind);
  });
  if (process.env.SEED === undefined)
    for (const kind of ['probe', 'head', 'full', 'crash']) expect(seen).toContain(kind);
}, 120_000);

test('ordered lists are certified while they change, with few more requests than an unchanged list', () => {
  const costs: Cost[] = [];
  eachSeed('ordered lists are', { file: FILE, seeds: Math.max(100, SEEDS / 10) }, (seed) =>
    costs.push(costOfOrdered(seed)),
  );
  if (process.env.SEED !== undefined) return;
  expect(costs.filter(({ claimed }) => claimed).length / costs.length).toBeGreaterThan(0.99);
  expect(costs.reduce((sum, { ratio }) => sum + ratio, 0) / costs.length).toBeLessThan(1.25);
}, 120_000);

const CHANGES: readonly Change[] = [
  'insert',
  'delete',
  'deleteOld',
  'deleteNew',
  'handle',
  'handleOld',
  'retire',
  'late',
];

test('no sequence of changes makes a walk of an ordered list certify a row it never saw', () => {
  const gap = fc.array(fc.constantFrom(...CHANGES), { maxLength: 6 });
  const script = fc.record({
    rows: fc.integer({ min: 0, max: 70 }),
    sorting: fc.constantFrom('update', 'create'),
    direction: fc.constantFrom(1, -1),
    minutes: fc.integer({ min: 0, max: 10 }),
    gaps: fc.array(gap, { maxLength: 12 }),
  });
  fc.assert(
    fc.property(script, ({ rows, sorting, direction, minutes, gaps }) => {
      const list = new MovingList({ rows, sorting, direction, spacingMs: 60_000 }, {}, random(rows));
      const walkState = new WalkState(ORDERS);
      const { certificate } = driveWalk(fullWalk({ limit: 12, cap: null, orders: ORDERS }, walkState), list, {
        between: (_, request) => {
          for (const change of gaps[request - 1] ?? []) list.change(change);
          list.pass(minutes * 60_000);
        },
      });
      if (certificate.kind === 'complete')
        expect(list.listedThroughout.filter((key) => !walkState.seen.has(key))).toEqual([]);
    }),
    { numRuns: Math.max(200, SEEDS / 3) },
  );
}, 120_000);
