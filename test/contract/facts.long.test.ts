import { expect, test } from 'vitest';
import { inOrder } from '../../src/core/stream/stream.ts';
import { streams } from '../../src/streams/index.ts';
import { exchanges, problemsOf } from '../support/exchanges.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('every request of every stream, and every response of the sandbox to it, is documented', async () => {
  const kept = await exchanges(database, {}, inOrder(streams));
  expect(new Set(kept.map(({ call }) => call.operation)).size).toBeGreaterThanOrEqual(streams.length);
  expect([...new Set(kept.flatMap(problemsOf))]).toEqual([]);
});
