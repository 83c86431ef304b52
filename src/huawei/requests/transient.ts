import type { SyncError } from '../../core/errors.ts';
import type { Throttle } from '../../core/ports.ts';

/** Thrown inside this folder only: another attempt may succeed. `failure` is what is thrown when there is none left. */
export class Transient extends Error {
  readonly failure: SyncError;
  /** The server asked not to come back earlier. */
  readonly retryAfterMs: number | null;
  /** Present on a throttled answer: time lost to the quota is not the page's. */
  readonly throttle: Throttle | null;
  /** The token was outlived and dropped: nothing to wait for before the next attempt. */
  readonly renewed: boolean;

  constructor(
    failure: SyncError,
    details: { readonly retryAfterMs?: number | null; readonly throttle?: Throttle; readonly renewed?: boolean } = {},
  ) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.throttle = details.throttle ?? null;
    this.renewed = details.renewed ?? false;
  }
}
