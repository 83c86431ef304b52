import type { Scope, Service } from './account.ts';
import type { Refusal } from './errors.ts';
import type { Listing } from './stream/endpoint.ts';
import type { Stream } from './stream/stream.ts';
import type { ValidRow } from './stream/validate.ts';

/** The only source of time and waiting, so that tests can use a virtual clock. */
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
  /** The unit of the API's quota: method and path template, such as `GET /v5/{project_id}/cluster-protect/events`. */
  readonly operation: string;
  /** Path with all placeholders filled in. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /**
   * A repeated request, because the first answer was old or belonged to another request. Its parameters are in another
   * order: equivalent for the service and the signature, but another key for most caches.
   */
  readonly again?: boolean;
}

/** A successful answer of the API. */
export interface Answer<T> {
  readonly value: T;
  /** The server's id of the request, for support cases; null if it gives none. */
  readonly requestId: string | null;
  /** Server time from the `Date` header, in ms (whole seconds). Null if it is absent. */
  readonly serverTime: number | null;
  /** The answer was generated before the request was sent: by a cache, or by a server with old data. */
  readonly isOld: boolean;
  /** Requests sent for this answer, including failed ones. */
  readonly attempts: number;
  /** How many of them were throttled: status 429, or the gateway's code APIG.0308 with any status. */
  readonly throttled: number;
  /** From the request to the end of the answer. */
  readonly durationMs: number;
}

/** From this number of requests a minute on, requests are not metered. */
export const PLENTY_PER_MINUTE = 6_000;

/** How to parse an answer, and the signal that ends the wait for it. */
export interface ResponseParser<T> {
  readonly parse: (text: string) => T;
  readonly signal: AbortSignal;
}

/**
 * Reads the API for a scope, with retries, quota and credentials. Rejects only with a SyncError or the signal's reason.
 */
export interface PageSource {
  /**
   * `parse` converts the text of the answer. A `SyntaxError` or `MalformedAnswer` from it is retried like a reset
   * connection, because a truncated body looks the same.
   */
  read<T>(scope: Scope, call: ApiCall, parser: ResponseParser<T>): Promise<Answer<T>>;
  /** Whether the quota of the scope allows requesting pages in advance, and parts of a list at the same time. */
  isPlentiful(scope: Scope): boolean;
}

/** What a throttled answer says about the limit; null for what it does not say. */
export interface Throttle {
  readonly retryAfterMs: number | null;
  readonly limit: number | null;
  readonly windowMs: number | null;
  readonly dimension: 'user' | 'ip' | 'api' | null;
}

/** The right to send one request. */
export interface QuotaSlot {
  /** Call when the response arrived, or will not. The slot becomes free one window later. */
  done(throttle?: Throttle): Promise<void>;
}

/** The requests that an account may send to one operation. */
export interface RequestBudget {
  readonly account: string;
  /** Method and path template, as in `ApiCall.operation`. */
  readonly operation: string;
  readonly requestsPerMinute: number;
}

/** The budgets of accounts, shared by all processes that use them. */
export interface Quota {
  /** Waits for a free slot. Rejects with the signal's reason when aborted. */
  acquire(budget: RequestBudget, signal: AbortSignal): Promise<QuotaSlot>;
}

/** A quota that tells when its requests are used up, so that no work is begun that would only wait. */
export interface SharedQuota extends Quota {
  /**
   * Time in ms until the accounts behind this address may send another request to an operation (as in
   * `ApiCall.operation`); 0 if they may now, or if this process has not asked. What other processes send is not known.
   */
  waitMs(operation: string): number;
  /** The same for one account, from whichever address. */
  accountWaitMs(account: string, operation: string): number;
}

/** A suspension of credentials that is in force. */
export interface Suspension {
  readonly until: Date;
  readonly reason: string;
  /** Server time, if the local clock may be the cause, else null. The suspension ends when the clock is correct. */
  readonly serverNow: Date | null;
}

/** Why credentials were refused. */
export interface RefusedCredentials {
  readonly reason: string;
  /** Server time at the refusal, set if the local clock was off by more than the API may tolerate; otherwise null. */
  readonly serverTime: Date | null;
}

/** Refused credentials, shared by all processes until the credentials change or the suspension expires. */
export interface Suspensions {
  /** The suspension in force for these credentials; null if there is none. */
  find(account: string, fingerprint: string): Promise<Suspension | null>;
  /** Suspends the credentials, or extends the suspension. Returns it. */
  suspend(account: string, fingerprint: string, refused: RefusedCredentials): Promise<Suspension>;
  /** Ends the suspension, because the credentials worked. */
  lift(account: string, fingerprint: string): Promise<void>;
}

/** Structured logging, as pino has it. `core` and the layers above it see only this interface. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Maximum number of lanes that one process serves concurrently. Further lanes wait, or another replica takes them. Each
 * running lane holds a database connection.
 */
export const LANES_AT_ONCE = 16;

/** Account and stream, read by one worker at a time. Its requests share the quota of one operation. */
export interface Lane {
  readonly account: string;
  readonly stream: string;
}

/** Name of a lane in the queue; also a key for sets. */
export function laneKey({ account, stream }: Lane): string {
  return `${account}/${stream}`;
}

/** Highest value of `SendOptions.priority`. The queue has 31 bits; the upper half of them is for frequent lanes. */
export const HIGHEST_PRIORITY = 2 ** 30 - 1;

/** Places of a process that only frequent lanes or only the others can use. The rest is for both, frequent ones first. */
export interface KeptPlaces {
  readonly frequent: number;
  readonly others: number;
}

/** How to queue a lane. */
export interface SendOptions {
  /** 0 to {@link HIGHEST_PRIORITY}; higher goes first. */
  readonly priority: number;
  /** It may use the places kept for frequent lanes; absent if not. */
  readonly isFrequent?: boolean;
  /** Not before this. */
  readonly delayMs: number;
}

/** A lane to be queued. */
export interface LaneToSend extends SendOptions {
  readonly lane: Lane;
}

/** Does the work of a lane. If it rejects, the queue hands the lane out again. */
export type LaneHandler = (lane: Lane, signal: AbortSignal) => Promise<void>;

/** Distributes lanes among the processes that share a database. Each lane is queued or running at most once. */
export interface LaneQueue {
  /** Rejects if the database is not reachable; call it again then. */
  start(handle: LaneHandler): Promise<void>;
  /** Returns false if the lane is already queued or running. */
  send(lane: Lane, options: SendOptions): Promise<boolean>;
  /** Queues those that are neither queued nor running, in one statement. */
  sendAll(lanes: readonly LaneToSend[]): Promise<void>;
  /** Keys of the lanes that are queued or running in any process. */
  pending(): Promise<ReadonlySet<string>>;
  /** Takes no more lanes and waits for the handlers. Safe to call twice, and before `start`. */
  stop(): Promise<void>;
}

/** The last attempts at a stream in a scope, by the database clock. */
export interface Attempt {
  readonly stream: string;
  readonly projectId: Scope['projectId'];
  /** Age of the last run that was not cut short, in ms since its start; null without one. */
  readonly ageMs: number | null;
  /** Age of the last run of any kind, in ms since its start. */
  readonly servedMs: number;
  /** That run has not ended. */
  readonly isRunning: boolean;
  /** Why all of its lists were refused in that run; null if they were not. */
  readonly refusal: Refusal | null;
  /** A run was complete, as far back as runs are kept. */
  readonly wasComplete: boolean;
}

/** Reads the recorded runs, which decide what is due. */
export interface RunLog {
  /** For the given streams in the given projects; pairs that were never read are missing. */
  lastAttempts(of: {
    readonly streams: readonly string[];
    readonly projects: readonly Scope['projectId'][];
  }): Promise<readonly Attempt[]>;
}

/** A stored record that was not a valid row when it arrived. */
export interface PendingReject {
  readonly fingerprint: string;
  readonly account: string;
  readonly region: string;
  readonly projectId: string;
  readonly listing: Listing;
  readonly payload: string;
  readonly lastSeenAt: Date;
  /** Another record of the list had the same key and was stored as the row. */
  readonly hasDuplicateKey: boolean;
}

/** `superseded`: the table has newer content for the key, so the reject is not needed. */
export type Replayed =
  | { readonly kind: 'written' }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The rejects of one stream in one project, while this process holds the run lock. */
export interface RejectAccess {
  /** Rejects after the given one, newest first; null starts with the newest. */
  pending(after: PendingReject | null): Promise<readonly PendingReject[]>;
  /**
   * Writes the row that a reject became, unless the table has newer content, and marks the reject, in one transaction.
   */
  write(reject: PendingReject, row: ValidRow): Promise<Replayed>;
}

/** The stored rejects, for replaying. */
export interface RejectStore {
  /** Number of rejects that were not replayed, by stream and project. */
  count(): Promise<readonly { readonly stream: string; readonly projectId: string; readonly rejects: number }[]>;
  /** Runs `work` under the run lock; `busy` if another process holds it. */
  open<T>(stream: Stream, projectId: string, work: (access: RejectAccess) => Promise<T>): Promise<T | 'busy'>;
}

/** Semaphore: limits concurrent work, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Does the work as soon as a place is free, and frees the place whether the work resolves or rejects. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((done) => this.#waiting.push(done));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
