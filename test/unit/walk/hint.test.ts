import { expect, test } from 'vitest';
import type { Hint } from '../../../src/core/store.ts';
import { confirm, isRestless, isSilent, judge } from '../../../src/core/walk/poll.ts';

const changes = (hint: Hint | null, moved: boolean, times = 1): Hint | null =>
  times === 0 ? hint : changes(judge(hint, moved, true), moved, times - 1);

test('an update time that stood still once while rows changed is not trusted until it was right ten times', () => {
  const silent = changes(null, false);
  expect(isSilent(silent)).toBe(true);
  expect(isSilent(changes(silent, true, 9))).toBe(true);
  expect(isSilent(changes(silent, true, 10))).toBe(false);
});

test('full walks that find nothing changed speak for an update time that stood still', () => {
  let hint = changes(null, false) ?? { silent: 0, restless: 0, right: 0 };
  for (let walk = 0; walk < 10; walk += 1) hint = confirm(hint);
  expect(isSilent(hint)).toBe(false);
});

test('one that stands still again and again while rows change is never trusted for long', () => {
  const often = changes(changes(changes(null, false, 3), true, 10), false, 2);
  expect(isSilent(often)).toBe(true);
});

test('an update time without any history is trusted, and one that moves for nothing three times is restless', () => {
  expect(isSilent(null)).toBe(false);
  expect(isRestless(judge(judge(judge(null, true, false), true, false), true, false))).toBe(true);
});
