import type { Clock, PendingReject, RejectAccess, RejectStore, Replayed } from '../../core/ports.ts';
import { parseJson } from '../../core/stream/json.ts';
import { originOf } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { validate } from '../../core/stream/validate.ts';

/** What became of a stream's rejects in one project, in the words of `replay --json`. */
export interface ReplayReport {
  readonly stream: string;
  readonly project_id: string;
  /** Rejects that are rows now. */
  readonly rows: number;
  /** Rejects whose row has newer content already. */
  readonly superseded: number;
  /** Rejects that are none still, and why. */
  readonly left: number;
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
}

export interface ReplayParts {
  readonly rejects: RejectStore;
  readonly clock: Clock;
  readonly timeZone: string;
  readonly signal: AbortSignal;
}

/** How long to wait before looking again whether another process has finished with a stream. */
const BUSY_POLL_MS = 1_000;

/** Puts the stored rejects of the streams through their definitions of today. `known` tells which streams there are. */
export async function replayRejects(
  { rejects, clock, timeZone, signal }: ReplayParts,
  known: readonly Stream[],
  names: readonly string[],
): Promise<readonly ReplayReport[]> {
  const reports: ReplayReport[] = [];
  for (const { stream: name, projectId, rejects: count } of await rejects.count()) {
    if (names.length > 0 && !names.includes(name)) continue;
    const stream = known.find((one) => one.name === name);
    const tally = new Tally(name, projectId);
    if (stream === undefined) tally.leave('this version has no such stream', count);
    while (stream !== undefined) {
      signal.throwIfAborted();
      const done = await rejects.open(stream, projectId, (access) =>
        replayAll({ access, stream, timeZone }, tally, signal),
      );
      if (done !== 'busy') break;
      await clock.sleep(BUSY_POLL_MS, signal);
    }
    reports.push(tally.report());
  }
  return reports;
}

interface Replaying {
  readonly access: RejectAccess;
  readonly stream: Stream;
  readonly timeZone: string;
}

async function replayAll(replaying: Replaying, tally: Tally, signal: AbortSignal): Promise<'done'> {
  let after: PendingReject | null = null;
  for (;;) {
    const slice: readonly PendingReject[] = await replaying.access.pending(after);
    // The newest come first, so that of several versions of a record the last one becomes the row.
    for (const reject of slice) {
      signal.throwIfAborted();
      tally.take(await replayOne(replaying, reject));
    }
    after = slice.at(-1) ?? null;
    if (after === null) return 'done';
  }
}

async function replayOne({ access, stream, timeZone }: Replaying, reject: PendingReject): Promise<Replayed> {
  const { listing, payload } = reject;
  const origin = originOf(reject, listing, timeZone);
  const { rows, rejects } = validate(stream, [parseJson(payload)], origin, listing.key);
  const [row] = rows;
  if (row !== undefined) return access.write(reject, row);
  const issues = rejects.flatMap((one) => one.issues.map(({ field, message }) => `${field}: ${message}`));
  return { kind: 'refused', reason: issues.join(', ') };
}

class Tally {
  readonly #stream: string;
  readonly #projectId: string;
  readonly #reasons = new Map<string, number>();
  #rows = 0;
  #superseded = 0;

  constructor(stream: string, projectId: string) {
    this.#stream = stream;
    this.#projectId = projectId;
  }

  take(replayed: Replayed): void {
    if (replayed.kind === 'written') this.#rows += 1;
    else if (replayed.kind === 'superseded') this.#superseded += 1;
    else this.leave(replayed.reason, 1);
  }

  leave(reason: string, count: number): void {
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + count);
  }

  report(): ReplayReport {
    const reasons = [...this.#reasons].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count);
    return {
      stream: this.#stream,
      project_id: this.#projectId,
      rows: this.#rows,
      superseded: this.#superseded,
      left: reasons.reduce((sum, { count }) => sum + count, 0),
      reasons,
    };
  }
}
