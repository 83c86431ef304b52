import { test } from 'vitest';
import { startAndStop } from '../support/handles.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('a service that was started and stopped twice leaves no handles open', async () => {
  await startAndStop(database, 2);
}, 180_000);
