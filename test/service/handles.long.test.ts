import { test } from 'vitest';
import { startAndStop } from '../support/handles.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('a service that was started and stopped 50 times leaves no handles open', async () => {
  await startAndStop(database, 50);
}, 180_000);
