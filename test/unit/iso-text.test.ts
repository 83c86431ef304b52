import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoText } from '../../src/core/stream/time.ts';

test('the text of a time is that of toISOString', () => {
  const day = 86_400_000;
  const edges = [0, 1, day - 1, day, -1, -day, 253_402_300_799_999, 253_402_300_800_000, 8.64e15, -8.64e15];
  for (const at of edges) expect(isoText(new Date(at))).toBe(new Date(at).toISOString());
  const near = fc.integer({ min: -3 * day, max: 3 * day });
  const far = fc.integer({ min: -100 * 365 * day, max: 9_000 * 365 * day });
  fc.assert(
    fc.property(fc.array(fc.oneof(near, far), { minLength: 2 }), (times) => {
      for (const at of times) expect(isoText(new Date(at))).toBe(new Date(at).toISOString());
    }),
    { numRuns: 2_000 },
  );
});

test('an invalid date is refused, as by toISOString', () => {
  expect(() => isoText(new Date(Number.NaN))).toThrow(RangeError);
});
