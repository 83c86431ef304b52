import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../src/core/store.ts';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import { moving } from '../../../src/core/walk/order.ts';
import { poll } from '../../../src/core/walk/poll.ts';
import { checkpointOf } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { drive, HandList, hours, row, rowsOf } from './hand-list.ts';

const WALK = { limit: 20, cap: null, orders: [moving('update_time')] };
const POLL = { ...WALK, hint: null, version: 'update_time', appendOnly: false };
const NEWEST = 100;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** 100 rows an hour apart, and `ahead` rows that a wrong clock dated later than all of them. */
function listAhead(direction: 1 | -1, aheadMs: number, ahead = 1): HandList {
  const wrong = Array.from({ length: ahead }, (_, index) => row(`ahead${index}`, hours(NEWEST) + aheadMs + index));
  return new HandList([...rowsOf(NEWEST, (index) => [hours(index + 1)]), ...wrong], direction);
}

function certify(list: HandList): Checkpoint {
  const walkState = new WalkState(WALK.orders);
  expect(drive(fullWalk(WALK, walkState), list).certificate.kind).toBe('complete');
  return checkpointOf(walkState);
}

/** One poll, and where it has to be the full walk after it; answers with the checkpoint that follows. */
function observed(list: HandList, checkpoint: Checkpoint): { readonly kind: string; readonly checkpoint: Checkpoint } {
  const walkState = new WalkState(WALK.orders, checkpoint.lateByMs);
  const result = drive(poll({ ...POLL, checkpoint }, walkState), list);
  if (result.kind === 'head') return result;
  if (result.kind === 'probe') return { kind: 'probe', checkpoint };
  const walked = drive(fullWalk({ ...WALK, first: result.first }, walkState), list);
  return { kind: `full ${walked.certificate.kind}`, checkpoint: checkpointOf(walkState) };
}

const unread = (list: HandList) => list.rows.filter(({ key, content }) => list.table.get(key ?? '') !== content);

/** 30 rows are handled now: they come to the newest end, below the rows that are dated ahead. */
function handle(list: HandList, from: number, at: number): void {
  list.put(...Array.from({ length: 30 }, (_, index) => row(`r${from + index}`, at + index)));
}

const AHEAD = { 'a minute': MINUTE, 'fifteen minutes': 15 * MINUTE, 'a day': 24 * HOUR, 'a year': 8760 * HOUR };

describe.each([-1, 1] as const)('direction %i: rows dated ahead hide no change from a poll', (direction) => {
  test.each(Object.entries(AHEAD))('by %s, with a server that sends its time', (_, at) => {
    const list = listAhead(direction, at);
    list.clock = hours(NEWEST) + 1;
    const checkpoint = certify(list);
    handle(list, 10, hours(NEWEST) + 1000);
    list.clock = hours(NEWEST) + 5000;
    const result = observed(list, checkpoint);
    expect([result.kind, unread(list)]).toEqual(['head', []]);
  });

  test.each(Object.entries(AHEAD))('by %s, with a server that does not send its time', (_, at) => {
    const list = listAhead(direction, at);
    const checkpoint = certify(list);
    handle(list, 10, hours(NEWEST) + 1000);
    const first = observed(list, checkpoint);
    expect(unread(list)).toEqual([]);
    handle(list, 50, hours(NEWEST) + 2000);
    observed(list, first.checkpoint);
    expect(unread(list)).toEqual([]);
  });

  test('more rows dated ahead than fit a page', () => {
    const list = listAhead(direction, 24 * HOUR, 50);
    list.clock = hours(NEWEST) + 1;
    const checkpoint = certify(list);
    handle(list, 10, hours(NEWEST) + 1000);
    observed(list, checkpoint);
    expect(unread(list)).toEqual([]);
  });

  test('a row that is handled during a full walk is found when the walk reads the newest end again', () => {
    const list = listAhead(direction, 24 * HOUR);
    list.clock = hours(NEWEST) + 1;
    const walkState = new WalkState(WALK.orders);
    const move = () => list.put(row('r50', hours(NEWEST) + 500));
    const { certificate } = drive(fullWalk(WALK, walkState), list, { 4: move });
    expect(certificate.kind === 'incomplete' || walkState.seen.has('r50')).toBe(true);
    expect(certificate.kind).toBe('complete');
  });
});

test('polls read twenty minutes below the newest key after a row that is twenty minutes late', () => {
  const list = listAhead(-1, 0, 0);
  const checkpoint = certify(list);
  list.put(row('late', hours(NEWEST) - 20 * MINUTE), row('r5', hours(NEWEST) + 1000));
  const first = observed(list, checkpoint);
  expect([first.kind, first.checkpoint.lateByMs, unread(list)]).toEqual(['head', 20 * MINUTE, []]);
});

test('a list whose rows come a day late is read in full whenever it changes, until full walks see none for a while', () => {
  const list = listAhead(-1, 0, 0);
  let checkpoint = certify(list);
  list.put(row('late', hours(NEWEST - 24) + 1), row('r5', hours(NEWEST) + 1000));
  const kinds: string[] = [];
  for (let round = 1; round <= 8; round += 1) {
    const result = observed(list, checkpoint);
    kinds.push(result.kind);
    expect(unread(list)).toEqual([]);
    checkpoint = result.checkpoint;
    list.put(row(`new${round}`, hours(NEWEST) + 2000 * round));
  }
  expect(kinds.slice(0, 3)).toEqual(['full complete', 'full complete', 'full complete']);
  expect(kinds.at(-1)).toBe('head');
});

test('a poll does not use a checkpoint of an earlier version, because a row dated ahead may have raised it', () => {
  const list = listAhead(-1, 24 * HOUR);
  const { bounded: _, ...checkpoint } = certify(list);
  handle(list, 10, hours(NEWEST) + 1000);
  expect(observed(list, checkpoint).kind).toBe('full complete');
  expect(unread(list)).toEqual([]);
});

test('a certificate states its premise about times and the lateness that was observed', () => {
  const list = listAhead(-1, 0, 0);
  const premisesOf = (lateByMs: number) => {
    const walkState = new WalkState(WALK.orders, lateByMs);
    return drive(fullWalk(WALK, walkState), list).certificate.evidence.premises;
  };
  expect(premisesOf(0)).toEqual(['changes are dated at most 5 min before the newest row']);
  list.clock = hours(NEWEST);
  expect(premisesOf(20 * MINUTE)).toEqual([
    'changes are dated at most 40 min before the newest row or the time of the server (20 min were seen)',
  ]);
});
