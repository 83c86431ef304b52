import type { Scope } from './account.ts';

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
}

/** What the runs in the database say about who is due. */
export interface RunLog {
  lastAttempts(): Promise<readonly Attempt[]>;
}
