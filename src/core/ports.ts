import type { Scope, Service } from './account.ts';
import type { Refusal } from './errors.ts';
import type { Listing } from './stream/endpoint.ts';
import type { Stream } from './stream/stream.ts';
import type { ValidRow } from './stream/validate.ts';

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

/** At or above this number of requests a minute, requests are not metered. */
export const PLENTY_PER_MINUTE = 6_000;

/** What the caller makes of an answer, and the signal that ends the wait for it. */
export interface Reading<T> {
  readonly parse: (text: string) => T;
  readonly signal: AbortSignal;
}

/** Reads the API for a scope. Retries, quota and credentials are inside; what comes out is an answer or a SyncError. */
export interface PageSource {
  /**
   * `parse` turns the text of the answer into what the caller needs; a `SyntaxError` or a `MalformedAnswer` it throws is
   * retried like a reset connection, because a body that ends early looks exactly like that.
   */
  read<T>(scope: Scope, call: ApiCall, reading: Reading<T>): Promise<Answer<T>>;
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

/** The requests that an account may send to one operation. */
export interface RequestBudget {
  readonly account: string;
  /** Method and path template, as in `ApiCall.operation`. */
  readonly operation: string;
  readonly requestsPerMinute: number;
}

/** The budgets of accounts, shared by every process that uses them. */
export interface Quota {
  /** Waits for a free slot. Rejects with the signal's reason when aborted. */
  acquire(budget: RequestBudget, signal: AbortSignal): Promise<QuotaSlot>;
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

/**
 * Lanes one process serves side by side; more of them wait for their turn or for another replica. Each holds a database
 * connection while it runs.
 */
export const LANES_AT_ONCE = 16;

/** Account + stream: what one quota serves and one worker reads at a time. */
export interface Lane {
  readonly account: string;
  readonly stream: string;
}

/** What the queue knows a lane by; also fit for sets. */
export function laneKey({ account, stream }: Lane): string {
  return `${account}/${stream}`;
}

export interface SendOptions {
  /** Higher goes first. */
  readonly priority: number;
  /** Not before this. */
  readonly delayMs: number;
}

/** Does the work of a lane. A rejection gives the lane back to the queue, which hands it out again. */
export type LaneHandler = (lane: Lane, signal: AbortSignal) => Promise<void>;

/** Hands lanes to the processes that share a database: every lane is queued or worked on at most once. */
export interface LaneQueue {
  /** Rejects while the database is away; may be called again then. */
  start(handle: LaneHandler): Promise<void>;
  /** False when the lane is queued or worked on already. */
  send(lane: Lane, options: SendOptions): Promise<boolean>;
  /** Keys of the lanes that are queued or worked on, by any process. */
  pending(): Promise<ReadonlySet<string>>;
  /** Takes no further lane and waits for the handlers; safe to call twice, and before `start`. */
  stop(): Promise<void>;
}

/** When a stream was last tried in a scope, by the database's clock. */
export interface Attempt {
  readonly stream: string;
  readonly projectId: Scope['projectId'];
  /** Since a run began that was not cut short; null when there was none. */
  readonly ageMs: number | null;
  /** Since any run began. */
  readonly servedMs: number;
  /** Why all of its lists were refused then; null where they were not. */
  readonly refusal: Refusal | null;
  /** Whether it was ever proven complete, as far back as runs are kept. */
  readonly wasComplete: boolean;
}

/** What the runs in the database say about who is due. */
export interface RunLog {
  lastAttempts(): Promise<readonly Attempt[]>;
}

/** A stored record that was no row when it came. */
export interface PendingReject {
  readonly fingerprint: string;
  readonly account: string;
  readonly region: string;
  readonly projectId: string;
  readonly listing: Listing;
  readonly payload: string;
  readonly lastSeenAt: Date;
  /** Another record of its list had the same key, and is the row. */
  readonly isRival: boolean;
}

/** `superseded`: the table has newer content under the key, so nothing of the reject is missing. */
export type Replayed =
  | { readonly kind: 'written' }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The rejects of one stream in one project, while no other process writes its rows. */
export interface RejectAccess {
  /** The newest first, from behind the given one. */
  pending(after: PendingReject | null): Promise<readonly PendingReject[]>;
  /** Writes what a reject has become, unless the table knows better, and marks it: both or nothing. */
  write(reject: PendingReject, row: ValidRow): Promise<Replayed>;
}

export interface RejectStore {
  /** Where there are rejects that were not replayed, and how many. */
  count(): Promise<readonly { readonly stream: string; readonly projectId: string; readonly rejects: number }[]>;
  /** `busy` while another process runs the stream in the project. */
  open<T>(stream: Stream, projectId: string, work: (desk: RejectAccess) => Promise<T>): Promise<T | 'busy'>;
}
