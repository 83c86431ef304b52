import type { Scope } from '../../core/account.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { type Pool, type PoolClient, withClient } from '../connection/pool.ts';
import { releaseLock, takeLock } from './run-lock.ts';

/** Works under the lock of a stream's runs without being one: no row in `sync.runs`, nothing for `status` to show. */
export function withStreamLock<T>(
  pool: Pool,
  stream: Stream,
  scope: Pick<Scope, 'projectId'>,
  work: (client: PoolClient) => Promise<T>,
): Promise<T | 'busy'> {
  return withClient(pool, async (client) => {
    if (!(await takeLock(pool, client, stream, scope))) return 'busy';
    const result = await work(client);
    // Where work throws, the connection is closed, and the lock goes with it.
    await releaseLock(client, stream, scope);
    return result;
  });
}
