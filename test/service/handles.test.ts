import { test } from 'vitest';
import { startAndStop } from '../support/handles.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('a service that was started and stopped 4 times leaves no handles open', async () => {
  await startAndStop(database, 4);
}, 180_000);
