import { type Pool, withClient } from './pool.ts';

const LOCK = 4_242_003;

/** A process that was killed keeps its lock until the server has noticed. */
const TRIES = 20;

/**
 * Runs `work` while no other process does the same on this database; `not alone` where one does. What throws in `work` is thrown
 * on.
 */
export function whileAlone<T>(pool: Pool, work: () => Promise<T>): Promise<T | 'not alone'> {
  return withClient(pool, async (client) => {
    for (let tries = 1; ; tries += 1) {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [LOCK]);
      if (rows[0]?.mine === true) break;
      if (tries === TRIES) return 'not alone';
      await client.query('select pg_sleep(0.1)');
    }
    const result = await work();
    await client.query('select pg_advisory_unlock($1)', [LOCK]);
    return result;
  });
}
