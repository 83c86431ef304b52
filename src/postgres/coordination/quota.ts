import type pg from 'pg';
import { type Clock, PLENTY_PER_MINUTE, type Quota, type QuotaSlot, type Throttle } from '../../core/ports.ts';
import { withClient } from '../connection/pool.ts';
import { ACQUIRE, ENSURE, MARGIN_MS, SETTLE, THROTTLED, WINDOW_MS } from './quota-statements.ts';

export interface QuotaOptions {
  /** The server's window: 60 s, as documented for HSS; small in tests. */
  readonly windowMs?: number;
  /** Added to the window, because requests need unequally long to arrive. */
  readonly marginMs?: number;
  /** After this a request has been given up; the slot of a process that crashed frees one window later. */
  readonly requestDeadlineMs?: number;
  /** The bucket of the address all accounts share, since the API counts per user and per IP. */
  readonly egress?: string;
  /** A virtual clock for tests; otherwise the database's clock decides, which all processes share. */
  readonly now?: () => number;
}

interface Verdict {
  readonly buckets: number;
  readonly wait: number;
  readonly lease: string | null;
}

const UNCOUNTED: QuotaSlot = { done: async () => {} };

/**
 * The request budget in Postgres. `pool` should be a small one of its own, so that no writer's queue delays a slot.
 * A `done` that fails for want of a database may be ignored: the slot then frees later than it could, never earlier.
 */
export function createQuota(pool: pg.Pool, clock: Clock, options: QuotaOptions = {}): Quota {
  const { windowMs = WINDOW_MS, marginMs = MARGIN_MS, requestDeadlineMs = 60_000, egress = '*', now } = options;
  const at = () => (now === undefined ? null : new Date(now()));

  async function ask(account: string, operation: string, budget: number): Promise<Verdict> {
    return withClient(pool, async (client) => {
      const values = [account, operation, budget, egress, windowMs, marginMs, requestDeadlineMs, at()];
      const { rows } = await client.query<Verdict>(ACQUIRE, values);
      const [verdict] = rows;
      if (verdict?.buckets === 2) return verdict;
      await client.query(ENSURE, [account, operation, budget, egress]);
      return { buckets: 0, wait: 0, lease: null };
    });
  }

  function slot(account: string, operation: string, lease: string): QuotaSlot {
    let settled: Promise<void> | undefined;
    const settle = async (throttle?: Throttle) => {
      await withClient(pool, async (client) => {
        await client.query(SETTLE, [account, operation, egress, lease, at()]);
        if (throttle === undefined) return;
        const { retryAfterMs, limit, windowMs: learnt, dimension } = throttle;
        // A limit per IP or per API holds for every account of ours.
        const bucket = dimension === 'ip' || dimension === 'api' ? egress : account;
        const said = [retryAfterMs, limit, learnt, dimension];
        await client.query(THROTTLED, [bucket, operation, ...said, windowMs, marginMs, at()]);
      });
    };
    return {
      done(throttle) {
        settled ??= settle(throttle);
        return settled;
      },
    };
  }

  return {
    async acquire(account, operation, requestsPerMinute, signal) {
      if (requestsPerMinute >= PLENTY_PER_MINUTE) return UNCOUNTED;
      for (;;) {
        signal.throwIfAborted();
        const { buckets, wait, lease } = await ask(account, operation, requestsPerMinute);
        if (lease !== null) return slot(account, operation, lease);
        // Never longer than a window at a time: a hold may be lifted, and a limit recovers.
        if (buckets > 0) await clock.sleep(Math.max(1, Math.ceil(Math.min(wait, windowMs + marginMs))), signal);
      }
    },
  };
}
