import type { Clock } from '../../src/core/ports.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that jumps to the next awaited time as soon as all other work is done. */
export class VirtualTime implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];
  /** Work that waits for something outside of this process, such as a response. */
  readonly #outside = new Set<Promise<unknown>>();

  constructor(start: number) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number): Promise<void> {
    if (ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push({ at: this.#now + ms, wake: resolve });
    await promise;
  }

  /** Time stands still until this work is done. */
  async outside<T>(work: Promise<T>): Promise<T> {
    this.#outside.add(work);
    try {
      return await work;
    } finally {
      this.#outside.delete(work);
    }
  }

  /** Runs all work until `end`. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      await idle();
      if (this.#outside.size > 0) {
        await Promise.allSettled(this.#outside);
        continue;
      }
      const next = this.#sleepers.reduce<Sleeper | null>(
        (first, one) => (first === null || one.at < first.at ? one : first),
        null,
      );
      if (next === null || next.at > end) break;
      this.#now = next.at;
      this.#sleepers = this.#sleepers.filter((one) => one !== next);
      next.wake();
    }
    this.#now = end;
  }
}

/** Resolves when every promise that does not wait for time has settled. */
function idle(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

/** Slots of one API operation; each is free again one window after its response. */
export class VirtualQuota {
  readonly #clock: VirtualTime;
  readonly #perMinute: number;
  readonly #free = new Map<string, number[]>();
  readonly #sent = new Map<string, number[]>();
  /** Most requests of an operation that the server received within a minute. */
  most = 0;

  constructor(clock: VirtualTime, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Time in ms until a request of the operation may be sent. */
  waitMs(operation: string): number {
    return Math.max(0, Math.min(...(this.#free.get(operation) ?? [0])) - this.#clock.now());
  }

  /** Senders get their slots in the order in which they ask. */
  async send(operation: string, latencyMs: number): Promise<void> {
    const free = this.#free.get(operation) ?? Array.from({ length: this.#perMinute }, () => 0);
    this.#free.set(operation, free);
    const slot = free.indexOf(Math.min(...free));
    const at = Math.max(free[slot] ?? 0, this.#clock.now());
    free[slot] = at + latencyMs + 61_000;
    await this.#clock.sleep(at - this.#clock.now());
    const sent = (this.#sent.get(operation) ?? []).filter((one) => one > this.#clock.now() - 60_000);
    sent.push(this.#clock.now());
    this.#sent.set(operation, sent);
    this.most = Math.max(this.most, sent.length);
    await this.#clock.sleep(latencyMs);
  }
}
