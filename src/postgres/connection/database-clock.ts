import type { Pool } from 'pg';
import type { Clock, Logger } from '../../core/ports.ts';
import { withClient } from './pool.ts';

/** From here on a difference is no matter of slow answers. */
const NOTABLE_MS = 5_000;

/**
 * The time of the database, which all replicas share: what is due and how old something is must not depend on the clock of
 * one machine. It is the process's own clock, corrected by what {@link DatabaseClock.measure} found last.
 */
export class DatabaseClock implements Clock {
  readonly #pool: Pool;
  readonly #own: Clock;
  readonly #logger: Logger;
  #aheadMs = 0;
  #isNotable = false;

  constructor({ pool, own, logger }: { readonly pool: Pool; readonly own: Clock; readonly logger: Logger }) {
    this.#pool = pool;
    this.#own = own;
    this.#logger = logger;
  }

  now(): number {
    return this.#own.now() - this.#aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#own.sleep(ms, signal);
  }

  /** Compares the two clocks; to be called now and then, because either may be put right. */
  async measure(): Promise<void> {
    const { aheadMs } = await withClient(this.#pool, async (client) => {
      const before = this.#own.now();
      const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
      const middle = (before + this.#own.now()) / 2;
      return { aheadMs: middle - (rows[0]?.now.getTime() ?? middle) };
    });
    this.#aheadMs = aheadMs;
    const isNotable = Math.abs(aheadMs) > NOTABLE_MS;
    if (isNotable && !this.#isNotable) {
      this.#logger.warn(
        { aheadSeconds: Math.round(aheadMs / 1_000) },
        "this machine's clock differs from the database's: schedules and ages go by the database, but the API refuses " +
          'requests of a wrong clock. Set the clocks by NTP',
      );
    }
    this.#isNotable = isNotable;
  }
}
