import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeenKeys } from '../../../src/core/walk/row-digest.ts';

test('each key of a set is new once and known afterwards', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 8 })), (keys) => {
      const seen = new SeenKeys();
      const set = new Set<string>();
      const answers = keys.map((key) => {
        const isKnown = set.has(key);
        set.add(key);
        return { key, isKnown, answer: { has: seen.has(key), isNew: seen.add(key), size: seen.size }, size: set.size };
      });
      // One comparison for all of them: a call of expect takes longer than thousands of questions.
      expect(answers.map(({ answer }) => answer)).toEqual(
        answers.map(({ isKnown, size }) => ({ has: isKnown, isNew: !isKnown, size })),
      );
    }),
    { numRuns: 30 },
  );
});

test.each<[string, (index: number) => string]>([
  ['numbers', String],
  ['padded numbers', (index) => `vul-${String(index).padStart(9, '0')}`],
  ['vulnerabilities', (index) => `CVE-20${String(index % 100).padStart(2, '0')}-${Math.floor(index / 100)}`],
  ['two columns', (index) => `${index % 1000}\u0001${Math.floor(index / 1000).toString(16)}`],
])('%s that differ in few digits are told apart: 200,000 of them', (_name, keyAt) => {
  const seen = new SeenKeys();
  for (let index = 0; index < 200_000; index += 1) seen.add(keyAt(index));
  expect(seen.size).toBe(200_000);
  expect(seen.has(keyAt(199_999))).toBe(true);
  expect(seen.has(keyAt(200_000))).toBe(false);
});
