import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from './core/ports.ts';

/** Timers count in 32 bits; a longer wait would end at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    for (let left = ms; left > 0; left -= LONGEST_MS) {
      try {
        await wait(Math.min(left, LONGEST_MS), undefined, signal && { signal });
      } catch (error) {
        // Node wraps the reason in an AbortError of its own; callers compare with the reason they gave.
        signal?.throwIfAborted();
        throw error;
      }
    }
  },
};
