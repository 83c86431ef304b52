import { expect, test } from 'vitest';
import { sideBySide } from '../../src/sync/side-by-side.ts';

const forever = new AbortController().signal;

test('does everything once, begun in order, and never more at a time than told', async () => {
  const begun: number[] = [];
  let most = 0;
  let now = 0;
  await sideBySide([1, 2, 3, 4, 5], 2, forever, async (item) => {
    begun.push(item);
    now += 1;
    most = Math.max(most, now);
    await new Promise((done) => setImmediate(done));
    now -= 1;
  });
  expect([begun, most, now]).toEqual([[1, 2, 3, 4, 5], 2, 0]);
});

test('a failure stops the others, begins nothing more, and is thrown when all have ended', async () => {
  const begun: number[] = [];
  const ended: string[] = [];
  const failing = sideBySide([1, 2, 3, 4], 2, forever, async (item, signal) => {
    begun.push(item);
    if (item === 1) throw new Error('the first');
    while (!signal.aborted) await new Promise((done) => setImmediate(done));
    ended.push(`${item} was told to stop`);
    throw new Error('the second');
  });
  await expect(failing).rejects.toThrow('the first');
  expect([begun, ended]).toEqual([[1, 2], ['2 was told to stop']]);
});

test('begins nothing once the caller wants to stop, and says why', async () => {
  const stop = new AbortController();
  const begun: number[] = [];
  const stopped = sideBySide([1, 2, 3], 1, stop.signal, async (item) => {
    begun.push(item);
    stop.abort(new Error('enough'));
  });
  await expect(stopped).rejects.toThrow('enough');
  expect(begun).toEqual([1]);
});

test('nothing to do is done', async () => {
  await expect(sideBySide([], 3, forever, () => Promise.reject(new Error('never')))).resolves.toBeUndefined();
});
