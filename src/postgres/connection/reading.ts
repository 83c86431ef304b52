import type { ClientBase, Pool } from 'pg';
import { withClient } from './pool.ts';

/** Longer than any reading of the bookkeeping takes, and short beside the patience of those who wait for it. */
const LIMIT = '15s';

/**
 * Ends a statement when its client is gone (Postgres then looks after its socket every second). Postgres refuses the setting
 * on systems that cannot tell, such as Windows: there only the time limit holds.
 */
const WATCH_CLIENT = `do $$ begin
  perform set_config('client_connection_check_interval', '1s', true);
exception when others then null;
end $$`;

/** Lends a connection for questions that change nothing: each ends by itself when it takes too long, or its client is gone. */
export function withReading<T>(pool: Pool, fn: (client: ClientBase) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query(`begin read only; set local statement_timeout = '${LIMIT}'; ${WATCH_CLIENT}`);
    const result = await fn(client);
    await client.query('commit');
    return result;
  });
}
