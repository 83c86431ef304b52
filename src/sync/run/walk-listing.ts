import type { Certificate, Suspicion } from '../../core/certificate.ts';
import type { PlannedListing } from '../../core/due.ts';
import type { Checkpoint, Hint, ListingState, WalkKind } from '../../core/store.ts';
import type { Paging } from '../../core/stream/endpoint.ts';
import type { Row } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { Explanation } from '../../core/sweep.ts';
import { isRaisedCap, type KnownLength } from '../../core/walk/capped.ts';
import { fullWalk, UNKNOWN_LENGTH, type WalkOptions } from '../../core/walk/full-walk.ts';
import { gridOf, type ObservedPage, type Step } from '../../core/walk/observed-page.ts';
import type { Order } from '../../core/walk/order.ts';
import { type PagedOptions, pagedWalk, wholeWalk } from '../../core/walk/paged-walk.ts';
import { requestPage } from '../../core/walk/pass.ts';
import { confirm, poll } from '../../core/walk/poll.ts';
import { beyondCap, type Capped, checkpointOf, pageHash, type WalkResult } from '../../core/walk/result.ts';
import { WalkState } from '../../core/walk/walk-state.ts';
import { rowsCanLeaveWindow } from '../../core/windows.ts';
import type { KeyVerdict } from './page-filters.ts';
import { type FlowParts, type PageFlow, SequentialFlow } from './page-flow.ts';
import { PrefetchingFlow } from './prefetching-flow.ts';

/** Everything that the walk of a listing needs. */
export interface ListingWalk extends PlannedListing, Omit<FlowParts, 'mode' | 'walkState' | 'doubled' | 'refuseOlder'> {
  /** Time in ms since 1970. */
  readonly now: () => number;
  /** Rows may be marked as gone without confirmation (`sync --accept-shrink`). */
  readonly acceptShrink: boolean;
  /** Maximum time between two full walks of each hot list. */
  readonly reconcileEveryMs: number;
  /** Read a capped list up to its cap, even if it could be read in parts. */
  readonly readsToCap?: boolean;
  /** Evidence from outside the list that its rows can be gone; default none. */
  readonly explained?: Explanation;
  /** Of a part: the row at which a cap is suspected in the whole list; null or absent if none is. */
  readonly wholeEnd?: number | null;
  /** The list can be read in parts, as far as known before the walk. */
  readonly hasParts?: boolean;
}

/** Result of the walk of a listing. */
export interface ListingResult {
  readonly certificate: Certificate;
  readonly walk: WalkKind;
  /** The list exceeds, or may exceed, what the API shows; null if not. */
  readonly capped: Capped | null;
  /** The list has to be read in parts, because the whole could not be proven or lacks more than a few rows. */
  readonly needsParts: boolean;
  readonly checkpoint: Checkpoint;
  /** The walk showed every change of the list up to its start. */
  readonly showsAll: boolean;
  /** Rows were new, or differed from the stored ones. */
  readonly changed: boolean;
  /** Rows of its first and last page. */
  readonly sample: readonly Row[];
  /** Why its pages prove nothing; null if all are credible. */
  readonly suspect: Suspicion | null;
}

/** Reads one listing in the planned mode. Writes each page, then stores what the walk proved. */
export async function walkListing(walk: ListingWalk): Promise<ListingResult> {
  const { mode, state } = walk;
  if (mode === 'first-page' && state !== null) return readFirstPage(walk, state);
  // The newest rows of a capped list are visible, and a list with missing rows still shows the others. So changes in
  // them are found at the newest end, as in any other list.
  const isPollable =
    state?.certificate === 'complete' || state?.reason === 'capped' || state?.reason === 'suspicious-shrink';
  const checkpoint = isPollable ? state.checkpoint : null;
  const walkState = new WalkState(walk.stream.order, state?.checkpoint?.lateByMs);
  // In a list without pages one answer contains everything, so a poll is a full walk.
  if (mode === 'full' || state === null || checkpoint === null || walk.stream.paging.kind === 'whole') {
    if (checkpoint?.bounded === true) walkState.lateness.compareWith(checkpoint, showingOrders(walk.stream, walkState));
    return walkInFull(walk, walkState);
  }
  return pollListing(walk, walkState, { state, checkpoint });
}

/** Reads the newest rows of a list whose last full walk proved nothing. Its stored certificate and walk time stay. */
async function readFirstPage(walk: ListingWalk, state: ListingState): Promise<ListingResult> {
  const walkState = new WalkState(walk.stream.order);
  const flow = openFlow(flowParts(walk, walkState, { refuseOlder: true }));
  await drive(requestPage(walkState, gridOf(walk.stream.paging), 0), flow);
  const evidence = state.evidence ?? walkState.evidence();
  return {
    certificate: { kind: 'incomplete', reason: state.reason ?? 'not-asked', evidence },
    walk: 'probe',
    capped: null,
    needsParts: false,
    checkpoint: checkpointOf(walkState),
    showsAll: false,
    changed: flow.changes.rows > 0,
    sample: flow.sample,
    suspect: walkState.suspect,
  };
}

/** Stored state of a listing that can be polled. */
interface PollableState {
  readonly state: ListingState;
  readonly checkpoint: Checkpoint;
}

/**
 * Reads a listing only as far as something changed. The stored certificate is returned, not renewed, even one that is
 * withheld because of missing rows.
 */
async function pollListing(
  walk: ListingWalk,
  walkState: WalkState,
  { state, checkpoint }: PollableState,
): Promise<ListingResult> {
  const { stream, listing, sink, proveContent = false } = walk;
  const began = beganAt(walk);
  const flow = openFlow(flowParts(walk, walkState, { refuseOlder: true }));
  const { hint } = state;
  const version = stream.version ?? null;
  const appendOnly = stream.appendOnly === true;
  const options = { ...walkOptions(stream), checkpoint, hint, version, appendOnly, proveContent };
  const result = await drive(poll(options, walkState), flow);
  if (result.kind === 'full') {
    // After a version dated ahead, a row's version may go back. Only a full walk stores that, so it has to read the
    // page again.
    const first = flow.hasKeptNewer ? {} : { first: result.first };
    return walkInFull(walk, walkState, {
      ...first,
      hint: result.hint,
      distrustedHint: result.distrustedHint,
      sample: flow.sample,
      arrived: flow.changes.arrived,
      began,
    });
  }
  // If a key has several records, the certificate cannot be kept.
  if (walkState.isKeyBroken) return walkInFull(walk, new WalkState(stream.order, checkpoint.lateByMs));
  const { suspect } = walkState;
  const read = { capped: null, needsParts: false, changed: flow.changes.rows > 0, sample: flow.sample, suspect };
  if (suspect !== null) {
    await sink.recordPoll(listing, { hint: null, checkpoint: null, contentForMs: null });
    const certificate = { kind: 'incomplete', reason: suspect, evidence: walkState.evidence() } as const;
    return { ...read, certificate, walk: result.kind, checkpoint, showsAll: false };
  }
  const arrived = (checkpoint.arrived ?? 0) + flow.changes.arrived;
  const since = checkpoint.ceiling === undefined || arrived === 0 ? {} : { arrived };
  const after = result.kind === 'head' ? { ...result.checkpoint, ...since } : null;
  const showsAll = result.kind === 'head' || result.showsAll;
  await sink.recordPoll(listing, {
    hint: result.hint,
    checkpoint: after,
    contentForMs: showsAll ? walk.now() - began : null,
  });
  const { proof } = state;
  const evidence = state.evidence ?? walkState.evidence();
  const certificate: Certificate =
    state.certificate === 'complete'
      ? { kind: 'complete', proof, evidence }
      : { kind: 'incomplete', reason: state.reason ?? 'suspicious-shrink', evidence };
  return { ...read, certificate, walk: result.kind, checkpoint: after ?? checkpoint, showsAll };
}

/** The first page of a poll that needs a full walk. */
interface Polled {
  /** Absent if it has to be read again. */
  readonly first?: ObservedPage;
  readonly hint: Hint | null;
  readonly distrustedHint: Hint | null;
  readonly sample: readonly Row[];
  readonly began: number;
  /** New and returned rows that it has shown. */
  readonly arrived: number;
}

async function walkInFull(walk: ListingWalk, walkState: WalkState, polled?: Polled): Promise<ListingResult> {
  const { stream, listing, sink, acceptShrink, reconcileEveryMs, explained = 'none', hasParts = false } = walk;
  const { first, hint = null, distrustedHint = null, sample: before = [], began = beganAt(walk) } = polled ?? {};
  const flow = openFlow(flowParts(walk, walkState, { refuseOlder: false }));
  const wholeRefused = walk.state?.checkpoint?.wholeRefused === true;
  const length = knownLength(walk.state?.checkpoint ?? null, acceptShrink);
  const { window } = listing;
  const canBeSplit =
    window?.canBeHalved === true || (stream.split !== undefined && !(stream.split.parameter in listing.params));
  const readsToCap = walk.readsToCap === true || !canBeSplit;
  const known = { wholeRefused, before: length, readsToCap, isUnchanged: isUnchanged(walk, walkState, first) };
  const options = { ...walkOptions(stream), ...known, ...(first === undefined ? {} : { first }) };
  const read = await drive(walkFor(stream.paging.kind, options, walkState), flow);
  const arrived = (walk.state?.checkpoint?.arrived ?? 0) + (polled?.arrived ?? 0) + flow.changes.arrived;
  const walked = unlessCut(read, walk, { walkState, length, arrived });
  const { certificate, capped } = walked;
  const doubled = await flow.release(keyVerdict(certificate));
  const surplus = capped === null ? walkState.surplus : (length.surplus ?? 0);
  const checkpoint: Checkpoint = {
    ...checkpointOf(walkState),
    ...(surplus > 0 ? { surplus } : {}),
    ...(Object.keys(doubled).length > 0 ? { doubled } : {}),
    ...(walked.wholeRefused ? { wholeRefused: true } : {}),
    ...(capped !== null && readsToCap ? { readAtMs: walk.now() } : {}),
    ...(capped === null || capped.isDeclared ? {} : ceilingOf(capped, length)),
  };
  const isComplete = certificate.kind === 'complete';
  const isTied = certificate.kind === 'incomplete' && certificate.reason === 'ties';
  // Halves of a window have the same equal times, so splitting does not help.
  const needsParts = !readsToCap && (capped !== null || (isTied && window === undefined));
  const result = {
    walk: 'full',
    capped,
    needsParts,
    checkpoint,
    showsAll: isComplete,
    changed: flow.changes.rows > 0,
    sample: [...before, ...flow.sample],
    suspect: walkState.suspect,
  } as const;
  if (needsParts) return { ...result, certificate };
  // The first page of a poll was written with another rule: rows older than the stored ones were not written.
  const isPlain = first === undefined && flow.isPlain && window === undefined;
  const stored = isPlain ? walkState.seen.size : null;
  const seen = { has: (key: string) => walkState.seen.has(key) || flow.wasPrefetched(key) };
  // A row whose time changed is in the newest window, maybe not in the table yet. So its absence proves nothing.
  const sweep =
    stream.appendOnly || (window !== undefined && rowsCanLeaveWindow(stream, window))
      ? null
      : {
          seen,
          stored,
          moved: walkState.moved,
          unreadable: walkState.unreadable,
          surplus: walkState.surplus,
          explained,
          hasParts,
          acceptShrink,
          reconcileEveryMs,
          ...(window === undefined ? {} : { within: window }),
        };
  const tookMs = walk.now() - began;
  const learnt = distrustedHint !== null && isComplete && flow.changes.rows === 0 ? confirm(distrustedHint) : hint;
  const conclusion = { listing, certificate, checkpoint, sweep, hint: learnt, tookMs };
  const concluded = await sink.conclude(conclusion);
  return { ...result, needsParts: hasParts && hasUnconfirmedRows(concluded), certificate: concluded };
}

/**
 * The result of a walk, `capped` if it may only seem complete: a suspected cap went up, or a part ends where a cap is
 * suspected in the whole list, so it does not confirm the end independently.
 */
function unlessCut(
  walked: WalkResult,
  { wholeEnd = null }: ListingWalk,
  {
    walkState,
    length,
    arrived,
  }: { readonly walkState: WalkState; readonly length: KnownLength; readonly arrived: number },
): WalkResult {
  const end = walkState.seen.size + walkState.unreadable;
  const isWhole = wholeEnd !== null && end >= wholeEnd;
  if (walked.certificate.kind === 'incomplete' || !(isWhole || isRaisedCap(end, arrived, length))) return walked;
  const capped = beyondCap(walkState, { cap: end, isDeclared: false }, length.beforeCeiling);
  return { ...capped, ...(walked.wholeRefused ? { wholeRefused: true } : {}) };
}

/** The poll before this walk showed the first page as the last certified walk left it. */
function isUnchanged({ state }: ListingWalk, walkState: WalkState, first: ObservedPage | undefined): boolean {
  const { certificate, checkpoint } = state ?? {};
  return first !== undefined && certificate === 'complete' && pageHash(walkState) === checkpoint?.firstPage;
}

/** Time for which a walk that begins now shows the rows: the newest window may end a little before now. */
function beganAt({ listing: { window }, now }: ListingWalk): number {
  const isNewest = window !== undefined && window.rows.end === window.asked.end;
  return isNewest ? Math.min(now(), window.asked.end) : now();
}

/**
 * What a checkpoint says about the length of its list. A checkpoint of an earlier version lacks the surplus of the
 * count. `acceptShrink` confirms a suspicious end, but not rows that the count still promises.
 */
function knownLength(checkpoint: Checkpoint | null, acceptShrink: boolean): KnownLength {
  if (checkpoint === null) return UNKNOWN_LENGTH;
  const { total, ceiling = null, beforeCeiling = null, surplus = 0, bounded } = checkpoint;
  const known = acceptShrink ? { total: null, ceiling: null, beforeCeiling: null } : { total, ceiling, beforeCeiling };
  return { ...known, surplus: bounded === true ? surplus : null };
}

/** Where a list was cut off, and its length before. */
function ceilingOf({ cap }: Capped, { total, beforeCeiling }: KnownLength): Partial<Checkpoint> {
  const before = beforeCeiling ?? total;
  return { ceiling: cap, ...(before === null ? {} : { beforeCeiling: before }) };
}

function keyVerdict(certificate: Certificate): KeyVerdict {
  if (certificate.kind === 'complete') return 'unique';
  return certificate.reason === 'key' ? 'broken' : 'open';
}

function flowParts(
  walk: ListingWalk,
  walkState: WalkState,
  { refuseOlder }: Pick<FlowParts, 'refuseOlder'>,
): FlowParts {
  return { ...walk, walkState, doubled: walk.state?.checkpoint?.doubled ?? {}, refuseOlder };
}

/** A poll has to know which rows of a page are new before it requests the next one, so it does not prefetch. */
export function openFlow(parts: FlowParts): PageFlow {
  return parts.reader.isPlentiful && !parts.refuseOlder ? new PrefetchingFlow(parts) : new SequentialFlow(parts);
}

/** Orders under which every change is visible: by the version or, if rows never change, by any time. */
function showingOrders({ version, appendOnly }: Stream, { orders }: WalkState): readonly Order[] {
  return orders.filter(({ column }) => (version === undefined ? appendOnly === true : column === version));
}

function walkOptions({ paging, order }: Stream): WalkOptions {
  return { limit: paging.limit, cap: paging.cap, orders: order, grid: gridOf(paging) };
}

/** Feeds the walk with the pages it requests. They are committed when it returns its result. */
async function drive<R>(steps: Generator<Step, R, ObservedPage>, flow: PageFlow): Promise<R> {
  try {
    let step = steps.next();
    while (!step.done) step = steps.next(await flow.take(step.value));
    await flow.settle();
    return step.value;
  } catch (error) {
    await flow.abandon();
    throw error;
  }
}

/** More than a few rows of the list are missing without being marked. */
export function hasUnconfirmedRows({ evidence }: Certificate): boolean {
  return evidence.confirmFrom !== undefined;
}

/** The full walk for a kind of paging. */
export function walkFor(
  kind: Paging['kind'],
  options: PagedOptions,
  walkState: WalkState,
): Generator<Step, WalkResult, ObservedPage> {
  if (kind === 'whole') return wholeWalk(options, walkState);
  return kind === 'page' ? pagedWalk(options, walkState) : fullWalk(options, walkState);
}
