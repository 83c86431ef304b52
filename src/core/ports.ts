import type { Scope, Service } from './account.ts';

/** The only source of time and waiting, so that tests run on a virtual one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** One request to a list API, ready to be signed. */
export interface ApiCall {
  readonly service: Service;
  readonly method: 'GET' | 'POST';
  /** What the API counts its quota by: method and path template, such as `GET /v5/{project_id}/cluster-protect/events`. */
  readonly operation: string;
  /** The template with its placeholders filled in. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /**
   * Asked once more, because the answer was old or to another question. Its parameters go in another order, which means
   * the same to the service and its signature and names another entry to most caches.
   */
  readonly again?: boolean;
}

export interface Answer<T> {
  readonly value: T;
  readonly requestId: string | null;
  /** When the server answered, by its own clock: its `Date` header in ms, whole seconds. Null when it sent none. */
  readonly serverTime: number | null;
  /** The answer was given before it was asked for: by a cache, or by a server that shows an old state. */
  readonly isOld: boolean;
  /** Requests sent for this answer, the failed ones included. */
  readonly attempts: number;
  /** How many of them were throttled (429). */
  readonly throttled: number;
  readonly durationMs: number;
}

/** From so many requests a minute on the quota is no scarce resource, and neither counted nor saved. */
export const PLENTY_PER_MINUTE = 6_000;

/** Reads the API for a scope. Retries, quota and credentials are inside; what comes out is an answer or a SyncError. */
export interface PageSource {
  /**
   * `parse` turns the text of the answer into what the caller needs; a `SyntaxError` or a `MalformedAnswer` it throws is
   * retried like a reset connection, because a body that ends early looks exactly like that.
   */
  read<T>(scope: Scope, call: ApiCall, parse: (text: string) => T, signal: AbortSignal): Promise<Answer<T>>;
  /** Whether requests of the scope are so plentiful that one may be spent on a guess. Without it they are not. */
  isPlentiful?(scope: Scope): boolean;
}

/** What a throttled answer said about the limit, as far as it said it. */
export interface Throttle {
  readonly retryAfterMs: number | null;
  readonly limit: number | null;
  readonly windowMs: number | null;
  readonly dimension: 'user' | 'ip' | 'api' | null;
}

export interface QuotaSlot {
  /** The response arrived (or will never): the slot frees one window after this. */
  done(throttle?: Throttle): Promise<void>;
}

/** The budget of (account, operation), shared by every process that uses the account. */
export interface Quota {
  /** Waits for a free slot. Rejects with the signal's reason when aborted. */
  acquire(account: string, operation: string, requestsPerMinute: number, signal: AbortSignal): Promise<QuotaSlot>;
}

export interface Suspension {
  readonly until: Date;
  readonly reason: string;
  /** What the API's clock shows now, where the clock of this machine may be the reason; it holds only while that is off. */
  readonly serverNow: Date | null;
}

/** Why credentials were refused. */
export interface RefusedCredentials {
  readonly reason: string;
  /** The API's clock at that moment, where the clock of this machine was off by more than the API may tolerate. */
  readonly serverTime: Date | null;
}

/** Refused credentials, remembered across processes until they change or the time is over. */
export interface Suspensions {
  find(account: string, fingerprint: string): Promise<Suspension | null>;
  suspend(account: string, fingerprint: string, refused: RefusedCredentials): Promise<Suspension>;
  /** The credentials worked. */
  lift(account: string, fingerprint: string): Promise<void>;
}

/** Structured logging, as pino has it; `core` and the floors above see only this. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
