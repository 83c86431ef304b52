import { expect, test } from 'vitest';
import type { Checkpoint, Hint } from '../../../src/core/store.ts';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import type { OrderColumn } from '../../../src/core/walk/order.ts';
import { poll } from '../../../src/core/walk/poll.ts';
import { checkpointOf } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { driveWalk } from '../../support/drive-walk.ts';
import { type ListOptions, MovingList, ORDERS, type ServerOptions } from '../../support/moving-list.ts';
import { random } from '../../support/random.ts';

/** A certified list, and polls of it. */
function certified(
  options: Partial<ListOptions>,
  server: Partial<ServerOptions> = { hint: 'honest' },
  orders: readonly OrderColumn[] = ORDERS,
) {
  const list = new MovingList({ rows: 1000, handled: 0.2, ...options }, server, random(7));
  const table = new Map<string, string>();
  const walkState = new WalkState(orders);
  const walk = { limit: 200, cap: null, orders };
  const { certificate } = driveWalk(fullWalk(walk, walkState), list, { table });
  expect(certificate.kind).toBe('complete');
  list.pass(3_600_000);
  return {
    list,
    table,
    checkpoint: checkpointOf(walkState),
    poll(
      checkpoint: Checkpoint,
      hint: Hint | null = null,
      between: (list: MovingList, at: number) => unknown = () => {},
    ) {
      const again = new WalkState(orders);
      const steps = poll({ ...walk, checkpoint, hint, version: 'update_time', appendOnly: false }, again);
      return { ...driveWalk(steps, list, { between, table }), requests: again.requests };
    },
  };
}

test('a list in which nothing moved costs one request', () => {
  const { poll: observed, checkpoint } = certified({});
  expect(observed(checkpoint)).toMatchObject({ kind: 'probe', requests: 1 });
});

test('3 new and 2 handled rows at the head cost at most 2 requests', () => {
  const { list, table, poll: observed, checkpoint } = certified({ rows: 9900 });
  list.change('insert', 3);
  list.change('handle', 2);
  const result = observed(checkpoint);
  expect(result.kind).toBe('head');
  expect(result.requests).toBeLessThanOrEqual(2);
  expect(table).toEqual(new Map([...list.contents]));
});

test('a head walk reads to below the certified keys, even if it meets only known rows', () => {
  const { list, table, poll: observed, checkpoint } = certified({});
  for (let row = 0; row < 250; row += 1) list.change('handle');
  // A crash after one page: the rows at the head are known now.
  for (const { key, content } of list.observed({ offset: 0, limit: 200 }).records)
    if (key !== null) table.set(key, content);
  expect(observed(checkpoint)).toMatchObject({ kind: 'head' });
  expect(table).toEqual(new Map([...list.contents]));
});

test('keys down to five minutes below the certified ones are read again, so a slow clock hides nothing', () => {
  // The first page spans three minutes; a row that was handled with a clock four minutes behind lies below it.
  const {
    list,
    table,
    poll: observed,
    checkpoint,
  } = certified({ spacingMs: 1000, skewMs: 299_000 }, { hint: 'absent' });
  for (let change = 0; change < 20; change += 1) {
    list.pass(-list.now + (checkpoint.orders[0]?.newest ?? 0) + 1);
    list.change('handle');
  }
  expect(observed(checkpoint).kind).toBe('head');
  expect(table).toEqual(new Map([...list.contents]));
});

test('an ascending list is read from its end', () => {
  const { list, table, poll: observed, checkpoint } = certified({ direction: 1 });
  list.change('insert', 3);
  list.change('handle', 2);
  expect(observed(checkpoint)).toMatchObject({ kind: 'head', requests: 2 });
  expect(table).toEqual(new Map([...list.contents]));
});

test('an ascending list is read back from its end until a page begins below what was certified', () => {
  const { list, table, poll: observed, checkpoint } = certified({ direction: 1 });
  for (let row = 0; row < 250; row += 1) list.change('handle');
  expect(observed(checkpoint)).toMatchObject({ kind: 'head' });
  expect(table).toEqual(new Map([...list.contents]));
});

test('an unchanged first page that does not reach five minutes back hides what a slow clock put below it', () => {
  const options = { spacingMs: 1000, skewMs: 299_000 };
  const { list, table, poll: observed, ...before } = certified(options, { hint: 'absent' });
  let { checkpoint } = before;
  for (let change = 0; change < 20; change += 1) {
    list.pass(-list.now + (checkpoint.orders[0]?.newest ?? 0) + 1);
    list.change('handle');
    const result = observed(checkpoint);
    if (result.kind === 'head') checkpoint = result.checkpoint;
    expect(table, result.kind).toEqual(new Map([...list.contents]));
  }
});

test('the first page of an ascending list says nothing about its end, so without a hint the end is read', () => {
  const { list, table, poll: observed, checkpoint } = certified({ direction: 1 }, { hint: 'absent' });
  list.change('delete');
  list.change('insert');
  expect(observed(checkpoint).kind).toBe('head');
  expect([...list.contents].every(([key, content]) => table.get(key) === content)).toBe(true);
});

test('the end of an ascending list is read until the update time of the list moved with a change for the first time', () => {
  const { list, table, poll: observed, checkpoint } = certified({ direction: 1 }, { hint: 'silent' });
  list.change('handle');
  expect(observed(checkpoint)).toMatchObject({ kind: 'head' });
  expect([...list.contents].every(([key, content]) => table.get(key) === content)).toBe(true);
  const quiet = certified({ direction: 1 });
  expect(quiet.poll(quiet.checkpoint)).toMatchObject({ kind: 'head', requests: 2 });
  expect(quiet.poll(quiet.checkpoint, { silent: 0, restless: 0, right: 1 })).toMatchObject({
    kind: 'probe',
    requests: 1,
  });
});

test('more rows than the new ones explain lead to a full walk', () => {
  const { list, poll: observed, checkpoint } = certified({});
  list.pass(-3_600_000 * 5);
  list.change('insert');
  expect(observed(checkpoint)).toMatchObject({ kind: 'full' });
});

test('fewer rows lead to no full walk: missing rows wait for the next regular one', () => {
  const { list, poll: observed, checkpoint } = certified({});
  list.change('deleteOld', 5);
  expect(observed(checkpoint)).toMatchObject({ kind: 'head', checkpoint: { total: 995 } });
});

test('a page that breaks the proven order leads to a full walk', () => {
  const { list, poll: observed, checkpoint } = certified({});
  list.sortBy('create', -1);
  expect(observed(checkpoint)).toMatchObject({ kind: 'full' });
});

test('while a fixed and a moving order both fit, only a page that breaks one of them decides', () => {
  const byTime = ORDERS.slice(0, 2);
  const { list, poll: observed, checkpoint } = certified({ handled: 0 }, { hint: 'honest' }, byTime);
  expect(checkpoint.orders.map(({ name }) => name)).toEqual(['update_time desc', 'create_time desc']);
  list.change('insert');
  expect(observed(checkpoint)).toMatchObject({ kind: 'full' });
  const other = certified({ handled: 0 }, { hint: 'honest' }, byTime);
  other.list.change('handle');
  expect(other.poll(other.checkpoint)).toMatchObject({ kind: 'head' });
});

test('a later page of the head that breaks the certified order leads to a full walk', () => {
  const { list, poll: observed, checkpoint } = certified({});
  for (let row = 0; row < 250; row += 1) list.change('handle');
  const between = (moving: MovingList, at: number) => at === 1 && moving.sortBy('create', -1);
  expect(observed(checkpoint, null, between)).toMatchObject({ kind: 'full' });
});

test('a list with more rows of one time than fit a page is read in full instead of by a head walk', () => {
  const { list, poll: observed, checkpoint } = certified({});
  list.change('handle', 250);
  expect(observed(checkpoint)).toMatchObject({ kind: 'full' });
});

test('a list sorted by creation time is read in full, because its head does not show handled rows', () => {
  const { list, poll: observed, checkpoint } = certified({ sorting: 'create' });
  list.change('handle');
  expect(observed(checkpoint)).toMatchObject({ kind: 'full' });
});

test('a hint that changed during the certified walk does not count as unchanged', () => {
  const list = new MovingList({ rows: 1000, sorting: 'unknown' }, { hint: 'honest' }, random(7));
  const walkState = new WalkState(ORDERS);
  driveWalk(fullWalk({ limit: 200, cap: null, orders: ORDERS }, walkState), list, {
    between: (_, at) => at === 3 && list.change('handle'),
  });
  const before = checkpointOf(walkState).lastUpdateTime;
  expect(list.observed({ offset: 0, limit: 200 }).lastUpdateTime).not.toBe(before);
});

test('a hint counts as restless only if the first page shows every change', () => {
  const newestFirst = certified({}, { hint: 'restless' });
  expect(newestFirst.poll(newestFirst.checkpoint).hint).toMatchObject({ restless: 1 });
  const byCreation = certified({ sorting: 'create' }, { hint: 'restless' });
  expect(byCreation.poll(byCreation.checkpoint).hint).toBeNull();
});

test('a first page that differs from the one stored by an earlier version is no sign that the hint missed a change', () => {
  const { poll: observed, checkpoint } = certified({}, { hint: 'silent' });
  const { fingerprints: _, ...earlier } = { ...checkpoint, firstPage: 'as another version computed it' };
  expect(observed(earlier).hint).toBeNull();
  expect(observed({ ...earlier, fingerprints: 3 }).hint).toMatchObject({ silent: 1 });
});

test('a hint that did not change while rows changed is not trusted again', () => {
  const { list, poll: observed, checkpoint } = certified({ sorting: 'create' }, { hint: 'silent' });
  list.change('insert');
  const { hint } = observed(checkpoint);
  expect(hint).toMatchObject({ silent: 1 });
  list.change('deleteNew');
  expect(observed(checkpoint, hint)).toMatchObject({ kind: 'full' });
});

test('an order that is not in the checkpoint is not used again, and the newest key never decreases', () => {
  const walkState = new WalkState(ORDERS);
  driveWalk(fullWalk({ limit: 200, cap: null, orders: ORDERS }, walkState), new MovingList({}, {}, random(7)));
  const [order] = checkpointOf(walkState).orders;
  const later = { ...checkpointOf(walkState), orders: [{ name: order?.name ?? '', newest: (order?.newest ?? 0) + 1 }] };
  expect(checkpointOf(walkState, walkState.newest(), later).orders).toEqual(later.orders);
  expect(checkpointOf(walkState, walkState.newest(), { ...later, orders: [] }).orders).toEqual([]);
});
