import type { Logger } from '../../core/ports.ts';

const TOLERATED_MS = 5 * 60_000;

/**
 * Compares this machine's clock with the `Date` header of answers. The gateway refuses signatures more than 15 minutes
 * off, with the same code as a wrong key, so the difference is worth saying before and when that happens.
 */
export class ClockSkew {
  readonly #account: string;
  readonly #logger: Logger;
  #offMs = 0;
  #reported = false;

  constructor(account: string, logger: Logger) {
    this.#account = account;
    this.#logger = logger;
  }

  /** `server`: when the answer was given, by the server's clock, in ms; null when it did not say. */
  observe(server: number | null, nowMs: number): void {
    if (server === null) return;
    this.#offMs = nowMs - server;
    const note = this.note();
    if (note === null || this.#reported) return;
    this.#reported = true;
    this.#logger.warn({ account: this.#account, clockOffMs: this.#offMs }, note);
  }

  /** The API's clock while this machine's is off by more than five minutes, else null. */
  serverNow(nowMs: number): Date | null {
    return agree(this.#offMs, 0) ? null : new Date(nowMs - this.#offMs);
  }

  /** `Your clock is 7 minutes ahead: …`, or null while it is right to 5 minutes. */
  note(): string | null {
    if (agree(this.#offMs, 0)) return null;
    const minutes = Math.round(Math.abs(this.#offMs) / 60_000);
    const direction = this.#offMs > 0 ? 'ahead' : 'behind';
    return `Your clock is ${minutes} minutes ${direction}: set it right, signatures are refused from 15 minutes on.`;
  }
}

/** Whether two clocks are close enough for a signature, in ms since the epoch. */
export function agree(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERATED_MS;
}
