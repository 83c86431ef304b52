import { test } from 'vitest';
import { startAndStop } from '../support/handles.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('nothing is left of a service that was started and stopped 4 times', async () => {
  await startAndStop(database, 4);
}, 180_000);
