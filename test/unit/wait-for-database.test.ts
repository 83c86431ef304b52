import { expect, onTestFinished, test } from 'vitest';
import type { Clock, Logger } from '../../src/core/ports.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { waitForDatabase } from '../../src/postgres/connection/readiness.ts';
import { quietLogger } from '../support/engine.ts';
import { freePort } from '../support/replica.ts';

test('waiting for a database that is away is logged when it begins and once a minute, and ends with the reason', async () => {
  const url = `postgres://u:p@127.0.0.1:${await freePort()}/d`;
  const pool = createPool(url, { max: 1, applicationName: 'test', onError: () => {} });
  onTestFinished(() => pool.end());
  let now = 0;
  const clock: Clock = {
    now: () => now,
    async sleep(ms) {
      now += ms;
    },
  };
  const logged: [at: number, message: string][] = [];
  const logger: Logger = { ...quietLogger, warn: (_, message) => logged.push([now, String(message)]) };
  const signal = new AbortController().signal;
  await expect(waitForDatabase({ pool, clock, logger, signal, patienceMs: 150_000 })).rejects.toThrow(
    'no Postgres answers at',
  );
  expect(now).toBe(150_000);
  expect(logged).toEqual([0, 60_000, 120_000].map((at) => [at, 'waiting for the database']));
});
