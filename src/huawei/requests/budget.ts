import type { Clock } from '../../core/ports.ts';
import { Transient } from './transient.ts';

/** The time one page may take: its requests and the waits between them, but nothing that the quota took. */
export class Budget {
  readonly #clock: Clock;
  #remainingMs: number;

  constructor(clock: Clock, totalMs: number) {
    this.#clock = clock;
    this.#remainingMs = totalMs;
  }

  get remainingMs(): number {
    return Math.max(0, this.#remainingMs);
  }

  /** Runs `work` at the page's expense, unless it turns out to be throttled. */
  async pay<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.now();
    let free = false;
    try {
      return await work();
    } catch (error) {
      free = error instanceof Transient && error.throttle !== null;
      throw error;
    } finally {
      // A clock that is set back during the request must not make time.
      if (!free) this.#remainingMs -= Math.max(0, this.#clock.now() - startedMs);
    }
  }
}
