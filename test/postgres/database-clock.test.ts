import { expect, test } from 'vitest';
import { systemClock } from '../../src/app.ts';
import { DatabaseClock } from '../../src/postgres/connection/readiness.ts';
import { testNow } from '../support/clock.ts';
import { quietLogger } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { pool } = await createTestDatabase();

test('a machine with a wrong clock uses the time of the database, and logs the difference once', async () => {
  let aheadMs = 3_600_000;
  const warnings: object[] = [];
  const clock = new DatabaseClock({
    pool,
    own: { ...systemClock, now: () => testNow() + aheadMs },
    logger: { ...quietLogger, warn: (fields) => warnings.push(fields) },
  });
  await clock.measure();
  await clock.measure();
  expect(Math.abs(clock.now() - testNow())).toBeLessThan(1_000);
  expect(warnings).toEqual([{ aheadSeconds: 3_600 }]);
  aheadMs = 0;
  await clock.measure();
  expect(Math.abs(clock.now() - testNow())).toBeLessThan(1_000);
  expect(warnings).toHaveLength(1);
});
