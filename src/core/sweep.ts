/**
 * Decides which rows a certified full walk may mark as gone. Marking a row that is still listed is the worst error,
 * because no later walk is certain to correct it. So a few rows are marked at once, more than a few only after later
 * walks confirm it, some time apart, and doubtful rows stay (docs/decisions.md D3).
 *
 * @module
 */

import { areFew, type Certificate, type Evidence, isImplausibleLoss } from './certificate.ts';
import type { SweepBasis } from './store.ts';
import { constantsOf, type Listing } from './stream/endpoint.ts';
import { KEY_SEPARATOR } from './stream/record.ts';
import type { Stream } from './stream/stream.ts';
import { isRound } from './walk/capped.ts';

/** A live row of the listing that was missing from the walk. */
export interface MissingRow {
  /** Key columns in the order of the stream's key. */
  readonly key: readonly string[];
  /** Null if the row has none. */
  readonly enterpriseProjectId: string | null;
  /**
   * The row moved to another list of its stream, for example from unhandled to handled: it first appeared there at
   * least `LEAST_DISTANCE_MS` after it first appeared in this list, and at most one `reconcileEvery` before the last
   * certificate of this list. So there is a reason why it is missing.
   */
  readonly isRelocated?: boolean;
}

/** Rows that certified walks did not contain and that are not marked as gone yet. */
export interface Doubt {
  /** Number of walks that missed all of them, counting only walks far enough apart. */
  readonly walks: number;
  /** When the last of these walks ended, in ms since 1970. */
  readonly lastAt: number;
  readonly keys: readonly string[];
}

/**
 * Evidence from outside the list that its rows can be gone. `likely`: the list is a part whose value was not listed
 * just now, or the whole list lost no implausible number of rows. `certain`: the value was not listed just now, and its
 * row was marked as gone at least `LEAST_DISTANCE_MS` before.
 */
export type Explanation = 'none' | 'likely' | 'certain';

/** The facts that decide which rows to mark. */
export interface SweepInput {
  /** Number of live rows of the listing, including the missing ones. */
  readonly live: number;
  /** Number of live rows by enterprise project; empty if rows do not name one. */
  readonly liveByEnterprise: ReadonlyMap<string, number>;
  readonly missing: readonly MissingRow[];
  /** Keys that the walk saw. */
  readonly seen: { has(key: string): boolean };
  /** Number of distinct rows that the walk saw. */
  readonly listed: number;
  /** Rows missed by certified walks before this one. */
  readonly doubts: readonly Doubt[];
  /** The list changed during the walk. */
  readonly moved: boolean;
  /** Number of rejects without a readable key. Any missing row may be one of them. */
  readonly unreadable: number;
  /** Rows by which the list's own count exceeds the rows read. Any missing row may be one of them. */
  readonly surplus: number;
  readonly explained: Explanation;
  /** The list can be read in parts, which show rows that a cap hides. Only parts may mark more than a few rows. */
  readonly hasParts: boolean;
  /**
   * The widest setting of enterprise projects that stored rows may come from (null if the list was never walked), and
   * the setting of this walk.
   */
  readonly scopeBefore: string | null;
  readonly scopeNow: string;
  /** Rows may be marked as gone without confirmation (`sync --accept-shrink`). */
  readonly acceptShrink: boolean;
  /** Maximum time between two full walks of each hot list. */
  readonly reconcileEveryMs: number;
  /** In ms since 1970. */
  readonly now: number;
}

/** The decision about the missing rows of a list. */
export interface SweepDecision {
  readonly sweep: readonly MissingRow[];
  /** To be stored until the next certified walk. */
  readonly doubts: readonly Doubt[];
  /** Number of rows that are missing but not marked. */
  readonly unconfirmed: number;
  /** Earliest time at which another full walk counts as confirmation, in ms; null if the next regular one is enough. */
  readonly confirmFrom: number | null;
  /** An implausible number of rows is missing, so the certificate is withheld. */
  readonly isImplausible: boolean;
}

/** Certified walks that have to miss a row: for few rows, for few rows of a moving list, and for more rows. */
const WALKS = { few: 1, fewMoving: 2, more: 3 };
/**
 * Minimum time between walks that confirm each other: longer than caches of ten minutes and failovers last, and shorter
 * than two ticks of lists with a schedule of ten or fifteen minutes.
 */
export const LEAST_DISTANCE_MS = 12 * 60_000;
/** Minimum time between such walks as a share of `reconcileEvery`: three walks fit well into two intervals. */
const DISTANCE = { plausible: 1 / 12, implausible: 1 / 3 };
/** The setting under which the rows of all enterprise projects are listed. */
export const ALL_ENTERPRISE_PROJECTS = 'all_granted_eps';

/** A key as one text, equal to `keyOf` of the row. */
export function keyText(key: readonly string[]): string {
  return key.join(KEY_SEPARATOR);
}

/** Decides which missing rows to mark as gone, by the table in docs/decisions.md D3. */
export function judgeSweep(input: SweepInput): SweepDecision {
  const { missing, unreadable, acceptShrink, explained, now } = input;
  // An absence that proves nothing must not count for the next walk either.
  const nothing = { sweep: [], doubts: [], unconfirmed: 0, confirmFrom: null, isImplausible: false };
  if (missing.length === 0 || unreadable > 0) return { ...nothing, unconfirmed: missing.length };
  // With a narrower setting, rows of other enterprise projects are not listed but still exist.
  const narrower =
    input.scopeBefore !== null && input.scopeBefore !== input.scopeNow && input.scopeNow !== ALL_ENTERPRISE_PROJECTS;
  if (narrower && !acceptShrink) return nothing;
  if (input.surplus > 0 && !acceptShrink) return { ...nothing, unconfirmed: missing.length };
  if (acceptShrink || explained === 'certain') return { ...nothing, sweep: missing };
  const relocated = missing.filter(({ isRelocated }) => isRelocated === true);
  if (relocated.length > 0) {
    const others = missing.filter(({ isRelocated }) => isRelocated !== true);
    const decision = judgeSweep({ ...input, missing: others, live: input.live - relocated.length });
    // If an implausible number of rows is missing, rows that are in both lists may be among them.
    if (!decision.isImplausible && missing.length * 2 < input.live) {
      return { ...decision, sweep: [...relocated, ...decision.sweep] };
    }
    // Rows can be in both lists for good, and one faulty answer lacks them all: a later walk has to agree.
    if (!decision.isImplausible) return confirmed(input, { needed: WALKS.fewMoving, isPlausible: true });
  }
  const few = mayGoAtOnce(input, missing);
  const implausible = isImplausible(input, missing);
  const distance = distanceOf(input, implausible);
  const isCut = isRound(input.listed);
  if (!few && (input.hasParts || isCut)) {
    // Walks that agree prove nothing here, because a cap hides the same rows every time.
    return {
      ...nothing,
      unconfirmed: missing.length,
      confirmFrom: now + distance,
      isImplausible: isCut || implausible,
    };
  }
  const needed = !few ? WALKS.more : input.moved ? WALKS.fewMoving : WALKS.few;
  return confirmed(input, { needed, isPlausible: false });
}

/** How often missing rows have to be missed. */
interface Confirmation {
  readonly needed: number;
  /** Something explains the number of missing rows, so the certificate is not withheld. */
  readonly isPlausible: boolean;
}

/** Marks the rows that enough walks missed, far enough apart, and remembers the others. */
function confirmed(input: SweepInput, { needed: usual, isPlausible }: Confirmation): SweepDecision {
  const { missing } = input;
  const distance = distanceOf(input, !isPlausible && isImplausible(input, missing));
  const { doubts, cameBack } = advance(input, distance);
  const needed = cameBack ? Math.max(usual, WALKS.fewMoving) : usual;
  const settled = new Set(doubts.flatMap(({ walks, keys }) => (walks >= needed ? keys : [])));
  const sweep = missing.filter(({ key }) => settled.has(keyText(key)));
  const left = missing.filter(({ key }) => !settled.has(keyText(key)));
  const open = doubts.filter(({ walks }) => walks < needed);
  const waits = open.length > 0 && !mayGoAtOnce(input, left);
  return {
    sweep,
    doubts: open,
    unconfirmed: left.length,
    confirmFrom: waits ? Math.min(...open.map(({ lastAt }) => lastAt)) + distance : null,
    isImplausible: left.length > 0 && !isPlausible && isImplausible(input, left),
  };
}

/** Updates the doubts with the result of this walk: each is confirmed, unchanged or refuted. */
function advance(
  { missing, doubts, seen, now, ...input }: SweepInput,
  distance: number,
): { readonly doubts: readonly Doubt[]; readonly cameBack: boolean } {
  const open = new Set(missing.map(({ key }) => keyText(key)));
  // Answers that miss some rows now and others later are evidence for neither. Every count starts over.
  const cameBack = doubts.some(({ keys }) => keys.some((key) => seen.has(key)));
  if (cameBack) return { doubts: [{ walks: 1, lastAt: now, keys: [...open] }], cameBack };
  const before = doubts
    .map((doubt) => ({ ...doubt, keys: doubt.keys.filter((key) => open.has(key)) }))
    .filter(({ keys }) => keys.length > 0);
  const known = new Set(before.flatMap(({ keys }) => keys));
  const fresh = missing.filter(({ key }) => !known.has(keyText(key)));
  // An answer that misses almost everything agrees with any doubt, so it confirms only another answer of that kind.
  const isEmpty = missing.length === input.live;
  const whole = { ...input, missing, doubts, seen, now };
  const confirms = fresh.length === 0 || !(isEmpty || isImplausible(whole, fresh));
  const counted = before.map((doubt): Doubt => {
    // The clock was set back: the distance counts from now.
    if (now < doubt.lastAt) return { ...doubt, lastAt: now };
    const isLater = confirms && now - doubt.lastAt >= distance;
    return isLater ? { ...doubt, walks: doubt.walks + 1, lastAt: now } : doubt;
  });
  const begun = fresh.length === 0 ? [] : [{ walks: 1, lastAt: now, keys: fresh.map(({ key }) => keyText(key)) }];
  return { doubts: [...counted, ...begun], cameBack };
}

/** A walk that proves nothing but shows a row that earlier walks missed refutes all their doubts. */
export function refuted(doubts: readonly Doubt[], seen: SweepInput['seen']): readonly Doubt[] {
  return doubts.some(({ keys }) => keys.some((key) => seen.has(key))) ? [] : doubts;
}

/** Few enough rows to mark at once, and not all rows of an enterprise project. */
function mayGoAtOnce(input: SweepInput, rows: readonly MissingRow[]): boolean {
  return areFew(rows.length, input.live) && !hasWholeProject(input, rows);
}

/**
 * All or a large part of the list is missing, or a whole enterprise project: more likely a lost permission than
 * deletions.
 */
function isImplausible(input: SweepInput, rows: readonly MissingRow[]): boolean {
  const { live, explained } = input;
  return explained === 'none' && (isImplausibleLoss(rows.length, live) || hasWholeProject(input, rows));
}

function hasWholeProject({ liveByEnterprise }: SweepInput, rows: readonly MissingRow[]): boolean {
  const gone = new Map<string, number>();
  for (const { enterpriseProjectId } of rows) {
    if (enterpriseProjectId !== null) gone.set(enterpriseProjectId, (gone.get(enterpriseProjectId) ?? 0) + 1);
  }
  return [...gone].some(([project, count]) => count === liveByEnterprise.get(project));
}

function distanceOf({ reconcileEveryMs }: SweepInput, implausible: boolean): number {
  return Math.max(LEAST_DISTANCE_MS, reconcileEveryMs * (implausible ? DISTANCE.implausible : DISTANCE.plausible));
}

/**
 * The certificate to store: with the number of missing, unconfirmed rows and the time from which a walk confirms them.
 */
export function certificateAfterSweep(
  certificate: Certificate,
  { unconfirmed, confirmFrom, isImplausible: isWithheld }: SweepDecision,
): Certificate {
  const evidence = {
    ...certificate.evidence,
    ...(unconfirmed === 0 ? {} : { unconfirmed }),
    ...(confirmFrom === null ? {} : { confirmFrom }),
  };
  return isWithheld ? { kind: 'incomplete', reason: 'suspicious-shrink', evidence } : { ...certificate, evidence };
}

/**
 * What missing, unconfirmed rows require of the next walk of their list: a full walk (`due`), waiting until one counts
 * (`waits`), or nothing.
 */
export function confirmation(evidence: Evidence | null, now: number): 'none' | 'waits' | 'due' {
  const { confirmFrom } = evidence ?? {};
  if (confirmFrom === undefined) return 'none';
  return now >= confirmFrom ? 'due' : 'waits';
}

/**
 * True if the whole list was proven with at most a few rows missing. The walk showed the rows that were missing from
 * its parts, so the doubts of the parts are deleted. Parts are read rarely, so two absences far apart would otherwise
 * count as walks that agree.
 */
export function settlesParts({ split }: Stream, { params }: Listing, stored: Certificate): boolean {
  const { parts, confirmFrom } = stored.evidence;
  const isWhole = split !== undefined && !(split.parameter in params);
  return isWhole && stored.kind === 'complete' && parts === undefined && confirmFrom === undefined;
}

/** Key columns that identify a row in the other fixed lists of its stream; null if it can be in one list only. */
export function keyBesidesList(stream: Stream): readonly string[] | null {
  const { key, split } = stream;
  const constants = constantsOf(stream);
  const own = key.filter((name) => !constants.includes(name) && name !== split?.parameter);
  return constants.length > 0 && own.length > 0 && own.length < key.length ? own : null;
}

/**
 * Start of the period in which another list may have shown a missing row first, in ms. The other list may have been
 * read before the last certified walk of this one. Null if this list was never certified.
 */
export function relocatedSince(certifiedAt: number | null, { reconcileEveryMs }: SweepBasis): number | null {
  return certifiedAt === null ? null : certifiedAt - reconcileEveryMs;
}

/** Stored state of a list that contains rows of a parent stream. */
export interface ParentList {
  /** Null before its first completed walk. */
  readonly certificate: 'complete' | 'incomplete' | null;
  /** When a full walk last proved it complete, in ms since 1970; null before the first time. */
  readonly certifiedAt: number | null;
  readonly doubts: readonly Doubt[];
  /** Number of rejects in that walk. */
  readonly rejects: number;
}

/**
 * Up to which time marks of parents are confirmed, in ms; null if none are. The mark of a parent is passed on to its
 * children only when confirmed: every list that can contain the parent was certified at least `LEAST_DISTANCE_MS` after
 * the mark, without unreadable records and without doubts.
 */
export function confirmedUntil(lists: readonly (ParentList | null)[]): number | null {
  const certified = lists.map((list) => {
    if (list === null || list.certificate !== 'complete' || list.doubts.length > 0 || list.rejects > 0) return null;
    return list.certifiedAt;
  });
  const times = certified.filter((time) => time !== null);
  return times.length < lists.length || times.length === 0 ? null : Math.min(...times) - LEAST_DISTANCE_MS;
}
