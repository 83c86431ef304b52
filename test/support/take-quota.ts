import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/app.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { createQuota } from '../../src/postgres/coordination/quota.ts';

/**
 * A process that spends a budget on a server: takes slots in `lanes` loops until `untilMs` from now, one request each.
 * Tells when it is ready and starts at the first line of its input, so that several start together.
 */
const [, , databaseUrl = '', serverUrl = '', windowMs = '0', lanes = '0', untilMs = '0'] = process.argv;
const pool = createPool(databaseUrl, { max: 2, applicationName: 'take-quota' });
// The slot of a request that takes longer than the deadline is given away, and on a loaded machine one takes half a second.
const quota = createQuota(pool, systemClock, { windowMs: Number(windowMs), marginMs: 40, requestDeadlineMs: 30_000 });
await pool.query('select 1');
console.log('ready');
for await (const _ of process.stdin) break;
const over = AbortSignal.timeout(Number(untilMs));
await Promise.allSettled(
  Array.from({ length: Number(lanes) }, async (_, lane) => {
    while (!over.aborted) {
      const slot = await quota.acquire({ account: 'a', operation: 'GET /x', requestsPerMinute: 5 }, over);
      await fetch(serverUrl, { method: 'POST' });
      await slot.done();
      if (lane === 0) await sleep(Number(windowMs) * Math.random()); // bursts after pauses
    }
  }),
);
await pool.end();
process.exit(0);
