import { expect, test } from 'vitest';
import { forEachConcurrently } from '../../src/sync/run/split-listing.ts';

const turn = () => new Promise((done) => setImmediate(done));

test('processes every item once, in order, and never more at a time than allowed', async () => {
  const begun: number[] = [];
  let most = 0;
  let now = 0;
  await forEachConcurrently([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    now += 1;
    most = Math.max(most, now);
    await turn();
    now -= 1;
  });
  expect([begun, most, now]).toEqual([[1, 2, 3, 4, 5], 2, 0]);
});

test('after a failure no further item starts, running ones finish, and then the failure is thrown', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const failing = forEachConcurrently([1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('the first');
    await turn();
    await turn();
    ended.push(item);
  });
  await expect(failing).rejects.toThrow('the first');
  expect([begun, ended]).toEqual([[1, 2], [2]]);
});

test('an empty list is done at once', async () => {
  await expect(forEachConcurrently([], 3, () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
});
