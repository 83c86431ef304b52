import { test } from 'vitest';
import { outage } from '../support/outage.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool, url } = await createTestDatabase();

test('an outage of two minutes costs two minutes', async () => {
  await outage({ pool, url, awayMs: 120_000 });
}, 300_000);
