import { expect, test } from 'vitest';
import { coerceError } from '../../src/core/errors.ts';

test('an object that only looks like an error keeps its message, name and code', () => {
  const emitted = { message: 'Connection terminated unexpectedly', code: '57P01', queue: 'lanes', worker: 'w' };
  expect(coerceError(emitted)).toMatchObject({ message: emitted.message, code: '57P01', cause: emitted });
  expect(coerceError({ name: 'Odd', message: 'no' }).name).toBe('Odd');
});

test('no thrown value becomes "[object Object]"', () => {
  expect(coerceError({ errno: 5, queue: 'lanes' }).message).toBe('an object with errno, queue');
  expect(coerceError('text').message).toBe('text');
  expect(coerceError(null).message).toBe('null');
});
