import type { Hint } from '../../src/core/store.ts';
import { fullWalk } from '../../src/core/walk/full-walk.ts';
import { pagedWalk } from '../../src/core/walk/paged-walk.ts';
import { poll } from '../../src/core/walk/poll.ts';
import { checkpointOf } from '../../src/core/walk/result.ts';
import { WalkState } from '../../src/core/walk/walk-state.ts';
import { driveWalk, requestBound } from './drive-walk.ts';
import { type Change, MovingList, ORDERS } from './moving-list.ts';
import { random } from './random.ts';
import { anyMovement, anyScenario } from './walk-scenarios.ts';

/** Invariant I11: a walk that claims to be complete contained every row that was listed all the time. */
export function claimsNothingFalse(seed: number): string {
  const dice = random(seed);
  const { limit, cap, list, server, between, text } = anyScenario(dice);
  const moving = new MovingList(list, server, dice);
  const walkState = new WalkState(ORDERS);
  const { certificate } = driveWalk(fullWalk({ limit, cap, orders: ORDERS }, walkState), moving, { between });
  if (certificate.kind === 'incomplete') return certificate.reason;
  const missed = moving.listedThroughout.filter((key) => !walkState.seen.has(key));
  if (missed.length > 0) throw new Error(`${certificate.proof} claims, but never saw ${missed.join(', ')} in ${text}`);
  return String(certificate.proof);
}

/** The same for lists of numbered pages, on servers that may know one size only. */
export function pagedClaimsNothingFalse(seed: number): string {
  const dice = random(seed);
  const { limit, cap, list, server, between, text } = anyScenario(dice);
  const onlySize = dice.chance(0.3) ? ({ size: limit, otherwise: dice.pick(['refused', 'clamped']) } as const) : null;
  const moving = new MovingList(list, { ...server, cap: null, clamp: null, filtered: 0, onlySize }, dice);
  const walkState = new WalkState(ORDERS);
  const options = { limit, cap: cap === null ? null : 100_000, orders: ORDERS, wholeRefused: dice.chance(0.5) };
  const { certificate } = driveWalk(pagedWalk(options, walkState), moving, { between });
  if (certificate.kind === 'incomplete') return certificate.reason;
  const missed = moving.listedThroughout.filter((key) => !walkState.seen.has(key));
  if (missed.length > 0) throw new Error(`${certificate.proof} claims, but never saw ${missed.join(', ')} in ${text}`);
  return String(certificate.proof);
}

/**
 * A certified list is polled while it moves: what a poll reads or leaves unread, the table holds every row with the content
 * it had, unless the row changed while the poll was under way.
 */
export function pollsLoseNothing(seed: number): readonly string[] {
  const dice = random(seed);
  const limit = dice.pick([20, 50]);
  const direction = dice.pick<1 | -1>([-1, -1, 1]);
  const options = {
    rows: dice.int(limit * 8),
    sorting: 'update',
    direction,
    spacingMs: dice.pick([1000, 60_000]),
    handled: dice.pick([0.05, 0.3]),
    skewMs: dice.pick([0, 299_000]),
  } as const;
  const moving = new MovingList(options, { hint: dice.pick(['honest', 'restless', 'absent']) }, dice);
  const table = new Map<string, string>();
  const walk = { limit, cap: null, orders: ORDERS };
  const first = new WalkState(ORDERS);
  const { certificate } = driveWalk(fullWalk(walk, first), moving, { table });
  if (certificate.kind !== 'complete') return ['first walk incomplete'];
  let checkpoint = checkpointOf(first);
  let hint: Hint | null = null;
  const kinds: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    const { between, text } = anyMovement(dice, limit, { switches: false });
    const kindOfChange = dice.pick<Change>(['insert', 'handle', 'handleOld', 'retire']);
    const changes = dice.pick([0, 0, 1, 5, limit, limit * 3]);
    moving.pass(dice.between(0, 3_600_000));
    for (let change = 0; change < changes; change += 1) moving.change(kindOfChange);
    const before = moving.contents;
    const crashAt = dice.chance(0.3) ? dice.int(3) : null;
    const walkState = new WalkState(ORDERS);
    const steps = poll({ ...walk, checkpoint, hint, version: 'update_time', appendOnly: false }, walkState);
    const result = driveWalk(steps, moving, { between, table, crashAt });
    if (result === 'crashed') {
      kinds.push('crash');
      continue;
    }
    hint = result.hint;
    kinds.push(result.kind);
    // Where the order of the list is unknown, an equal first page is the only evidence: that costs freshness.
    const isDecided = checkpoint.orders.every(({ name }) => name.startsWith('update_time'));
    if (result.kind === 'full') {
      const again = new WalkState(ORDERS);
      const full = driveWalk(fullWalk(walk, again), moving, { table });
      if (full.certificate.kind !== 'complete') return kinds;
      checkpoint = checkpointOf(again);
      continue;
    }
    if (result.kind === 'head') checkpoint = result.checkpoint;
    if (result.kind === 'probe' && !isDecided) continue;
    for (const [key, content] of moving.contents) {
      if (before.get(key) !== content || table.get(key) === content) continue;
      throw new Error(`a ${result.kind} poll left ${key} at ${table.get(key)} in ${JSON.stringify(options)} ${text}`);
    }
  }
  return kinds;
}

export interface Cost {
  readonly claimed: boolean;
  /** Requests against what an ordered list may cost. */
  readonly ratio: number;
}

const MIXES: readonly [readonly Change[], ...(readonly Change[])[]] = [
  ['insert', 'delete', 'handle'],
  ['insert', 'delete', 'handle'],
  ['handle'],
  ['delete'],
  ['insert'],
  ['retire'],
];

/** One walk over an ordered list of 1,000 to 3,000 rows with up to 15 changes a request. */
export function costOfOrdered(seed: number): Cost {
  const dice = random(seed);
  const sorting = dice.pick(['update', 'update', 'create']);
  const direction = dice.pick<1 | -1>([-1, -1, -1, 1]);
  const rows = dice.pick([1000, 2000, 3000]);
  const handled = sorting === 'create' ? 0.1 : dice.pick([0, 0.1]);
  const moving = new MovingList({ rows, sorting, direction, handled, spacingMs: 60_000 }, {}, dice);
  const rate = dice.pick([0, 0.3, 1, 3, 5, 15]);
  const mix = dice.pick(MIXES);
  // What changes in five minutes has to fit a page, or it is unknown what moved while a page was read.
  const gapMs = rate === 15 ? dice.pick([60_000, 120_000]) : dice.pick([50, 12_000, 60_000]);
  const walkState = new WalkState(ORDERS);
  const { certificate } = driveWalk(fullWalk({ limit: 200, cap: null, orders: ORDERS }, walkState), moving, {
    between: () => {
      const changes = dice.count(rate);
      moving.pass(gapMs / 2);
      for (let change = 0; change < changes; change += 1) {
        moving.change(mix[dice.int(mix.length)] ?? 'insert');
        moving.pass(dice.between(0, gapMs / changes));
      }
    },
  });
  const claimed = certificate.kind === 'complete';
  if (claimed && moving.listedThroughout.some((key) => !walkState.seen.has(key))) throw new Error('a false claim');
  return { claimed, ratio: walkState.requests / requestBound(moving.length, 200) };
}
