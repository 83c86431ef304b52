import { expect, test } from 'vitest';
import type { Hint } from '../../../src/core/store.ts';
import { confirm, isRestless, isSilent, judge } from '../../../src/core/walk/poll.ts';

const changes = (hint: Hint | null, moved: boolean, times = 1): Hint | null =>
  times === 0 ? hint : changes(judge(hint, moved, true), moved, times - 1);

test('an update time that did not change once although rows did is not trusted until it was right ten times', () => {
  const silent = changes(null, false);
  expect(isSilent(silent)).toBe(true);
  expect(isSilent(changes(silent, true, 9))).toBe(true);
  expect(isSilent(changes(silent, true, 10))).toBe(false);
});

test('full walks without changes confirm an update time that did not change', () => {
  let hint = changes(null, false) ?? { silent: 0, restless: 0, right: 0 };
  for (let walk = 0; walk < 10; walk += 1) hint = confirm(hint);
  expect(isSilent(hint)).toBe(false);
});

test('an update time that repeatedly does not change although rows do is never trusted for long', () => {
  const often = changes(changes(changes(null, false, 3), true, 10), false, 2);
  expect(isSilent(often)).toBe(true);
});

test('an update time without history is trusted, and one that changes three times without a changed row is restless', () => {
  expect(isSilent(null)).toBe(false);
  expect(isRestless(judge(judge(judge(null, true, false), true, false), true, false))).toBe(true);
});
