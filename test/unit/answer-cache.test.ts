import { expect, test } from 'vitest';
import { createAnswerCache } from '../../src/ops/readings.ts';

test('concurrent callers share one answer, and so do callers soon after', async () => {
  let made = 0;
  const { promise, resolve } = Promise.withResolvers<number>();
  const answer = createAnswerCache(60_000, () => {
    made += 1;
    return promise;
  });
  const waiting = Promise.all(Array.from({ length: 1_000 }, () => answer('')));
  resolve(7);
  expect(new Set(await waiting)).toEqual(new Set([7]));
  expect(await answer('')).toBe(7);
  expect(made).toBe(1);
});

test('answers are cached by key, and an answer kept for 0 ms is made again for each call', async () => {
  const made: string[] = [];
  const answer = createAnswerCache(-1, async (key) => made.push(key));
  await answer('a');
  await answer('b');
  await answer('a');
  expect(made).toEqual(['a', 'b', 'a']);
});

test('all waiting callers get the same failure, and the next caller tries again', async () => {
  let made = 0;
  const answer = createAnswerCache(-1, async () => {
    made += 1;
    if (made === 1) throw new Error('no database');
    return made;
  });
  const both = await Promise.allSettled([answer(''), answer('')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await answer('')).toBe(2);
});
