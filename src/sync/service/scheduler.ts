import { type Clock, type Lane, type LaneQueue, type Logger, laneKey } from '../../core/ports.ts';
import { prerequisites } from '../../core/stream/stream.ts';
import { onTicks } from './cron.ts';
import type { DueLane, DueLanes, ScheduledStream } from './due-lanes.ts';

export interface SchedulerParts {
  readonly streams: readonly ScheduledStream[];
  readonly dueLanes: DueLanes;
  readonly queue: LaneQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ticks of many installations fall on the same second; each lane waits up to this long. */
  readonly jitterMs: number;
  /** 0 to 1; `Math.random` unless a test wants to know the waits. */
  readonly random?: () => number;
}

const RETRY_MS = 5_000;
const HIGHEST_PRIORITY = 2_147_483_647;

/**
 * Puts lanes with work into the queue: at their ticks, when the lane they need has ended, and after a start whatever was
 * missed, once. Which lanes those are is the agenda's to say, so a tick that comes twice or to several replicas is harmless.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #stop = new AbortController();
  #ticks: (() => void)[] = [];
  /** A round that failed is being tried again; it looks at all streams, so one is enough. */
  #retrying = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Catches up, then follows the schedules. */
  async start(): Promise<void> {
    const { streams, clock } = this.#parts;
    await this.#enqueue(() => true);
    this.#ticks = streams.map(({ stream, schedule }) =>
      onTicks(schedule, clock, () => void this.#enqueue((due) => due.stream === stream.name)),
    );
  }

  /** Its dependants may start now. `again`: it ran out of time, not of work. */
  async ended(lane: Lane, { again }: { readonly again: boolean }): Promise<void> {
    const dependants = this.#parts.dueLanes.dependants(lane.stream);
    const mayStart = (due: DueLane) => due.account === lane.account && dependants.includes(due.stream);
    if (dependants.length > 0) await this.#enqueue(mayStart, laneKey(lane));
    if (again) this.#sendWhenFree(lane);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const stop of this.#ticks.splice(0)) stop();
  }

  /** Never rejects: without a database it comes back until there is one. */
  async #enqueue(wanted: (due: DueLane) => boolean, ended?: string): Promise<void> {
    const { dueLanes, queue, logger } = this.#parts;
    if (this.#stop.signal.aborted) return;
    try {
      const due = await dueLanes.due();
      const blocking = new Set([...(await queue.pending()), ...due.map(laneKey)]);
      if (ended !== undefined) blocking.delete(ended);
      const ready = due.filter((lane) => wanted(lane) && !this.#needs(lane).some((key) => blocking.has(key)));
      for (const lane of ready) await this.#send(lane, lane.waitedMs);
    } catch (error) {
      logger.warn({ err: error }, 'no work could be queued; trying again');
      void this.#retry();
    }
  }

  async #retry(): Promise<void> {
    const { clock, random = Math.random } = this.#parts;
    if (this.#retrying) return;
    this.#retrying = true;
    const slept = await clock.sleep(RETRY_MS * (0.5 + random()), this.#stop.signal).then(
      () => true,
      () => false,
    );
    this.#retrying = false;
    if (slept) await this.#enqueue(() => true);
  }

  /** Keys of the lanes whose rows a lane reads: it waits for those that have work themselves. */
  #needs({ account, stream }: Lane): readonly string[] {
    const definition = this.#parts.dueLanes.stream(stream);
    return definition === null ? [] : prerequisites(definition).map(({ name }) => laneKey({ account, stream: name }));
  }

  async #send(lane: Lane, waitedMs: number): Promise<void> {
    const { queue, jitterMs, random = Math.random } = this.#parts;
    const priority = Math.min(HIGHEST_PRIORITY, Math.floor(waitedMs / 1000));
    await queue.send(
      { account: lane.account, stream: lane.stream },
      { priority, delayMs: Math.round(jitterMs * random()) },
    );
  }

  /** A lane cannot be queued while it is worked on, and it is until its handler has returned. Its next tick is the fallback. */
  #sendWhenFree(lane: Lane): void {
    const { clock, logger } = this.#parts;
    const send = async () => {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await clock.sleep(1_000, this.#stop.signal);
        if (await this.#parts.queue.send(lane, { priority: 0, delayMs: 0 })) return;
      }
    };
    send().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) logger.debug({ err: error, ...lane }, 'the lane waits for its next tick');
    });
  }
}
