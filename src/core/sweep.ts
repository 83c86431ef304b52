import { areFew, type Certificate, type Evidence, isBeyondBelief } from './certificate.ts';
import type { SweepBasis } from './store.ts';
import { constantsOf, type Listing } from './stream/endpoint.ts';
import type { Stream } from './stream/stream.ts';
import { isRound } from './walk/capped.ts';

/**
 * Which rows a certified full walk may mark as listed no longer. A row that is marked while it is still there is the worst
 * mistake of all, because no later reading has to show it. So a few rows go at once; more than a few go only when later walks
 * agree, some time apart; whatever is in doubt stays (docs/decisions.md D3).
 */

/** A live row of the listing that the walk did not contain. */
export interface MissingRow {
  /** Key columns in the order of the stream's key. */
  readonly key: readonly string[];
  readonly enterpriseProjectId: string | null;
  /**
   * The row went to another list of its stream, such as from unhandled to handled: it came up in the other one at least
   * `LEAST_DISTANCE_MS` after it came up in this one, and at most one `reconcileEvery` before this one was last certified. It is
   * not missing without a reason.
   */
  readonly isRelocated?: boolean;
}

/** Rows that certified walks did not contain, and that are not marked yet. */
export interface Doubt {
  /** Walks that missed all of them and count: each far enough after the one before. */
  readonly walks: number;
  /** When the last of these walks ended, in ms. */
  readonly lastAt: number;
  readonly keys: readonly string[];
}

/**
 * Whether something besides the list itself says that its rows can be gone. `likely`: the list is a part, and its cluster was
 * not listed a moment ago, or the whole lost no more than is believable. `certain`: the cluster was not listed a moment ago,
 * and its row was marked at least `LEAST_DISTANCE_MS` before.
 */
export type Explanation = 'none' | 'likely' | 'certain';

export interface SweepQuestion {
  /** Live rows of the listing, the missing ones included. */
  readonly live: number;
  /** Live rows for each enterprise project; empty where the rows name none. */
  readonly liveByEnterprise: ReadonlyMap<string, number>;
  readonly missing: readonly MissingRow[];
  /** Keys that the walk saw. */
  readonly seen: { has(key: string): boolean };
  /** Distinct rows that the walk saw. */
  readonly listed: number;
  /** What the certified walks before this one missed. */
  readonly doubts: readonly Doubt[];
  /** The list changed while it was walked. */
  readonly moved: boolean;
  /** Rejects whose key cannot be read: any missing row might be one of them. */
  readonly unreadable: number;
  /** Rows that the list's own count has beyond those that were read: any missing row might be one of them, too. */
  readonly promised: number;
  readonly explained: Explanation;
  /** The list can be read in parts, which show rows that a cap hides: only they may mark more than a few. */
  readonly hasParts: boolean;
  /** The widest setting of enterprise projects that stored rows may have come from, and the one of this walk. */
  readonly scopeBefore: string | null;
  readonly scopeNow: string;
  readonly acceptShrink: boolean;
  readonly reconcileEveryMs: number;
  readonly now: number;
}

export interface SweepAnswer {
  readonly sweep: readonly MissingRow[];
  /** To be remembered until the next certified walk. */
  readonly doubts: readonly Doubt[];
  /** Rows that are missing and not marked. */
  readonly unconfirmed: number;
  /** From when on another full walk counts as a confirmation, in ms; null where the next regular one will do. */
  readonly confirmFrom: number | null;
  /** More vanished than is believable: the certificate is withheld. */
  readonly suspicious: boolean;
}

/** Certified walks that have to miss a row: where there are few, calm or moving, and where there are more. */
const WALKS = { few: 1, fewMoving: 2, more: 3 };
/**
 * Walks that confirm each other are at least so far apart: longer than caches of ten minutes and failovers last, and shorter
 * than two ticks of the lists that are read every ten or fifteen minutes.
 */
export const LEAST_DISTANCE_MS = 12 * 60_000;
/** Shares of `reconcileEvery` between such walks: three walks are through well before a second `reconcileEvery` is over. */
const DISTANCE = { believable: 1 / 12, beyondBelief: 1 / 3 };
/** The setting under which rows of every enterprise project are listed. */
export const WIDEST = 'all_granted_eps';

export function keyText(key: readonly string[]): string {
  return key.join('\u0001');
}

export function judgeSweep(question: SweepQuestion): SweepAnswer {
  const { missing, unreadable, acceptShrink, explained, now } = question;
  // An absence that proves nothing must not speak for the next walk either.
  const nothing = { sweep: [], doubts: [], unconfirmed: 0, confirmFrom: null, suspicious: false };
  if (missing.length === 0 || unreadable > 0) return { ...nothing, unconfirmed: missing.length };
  // Under a narrower setting rows of other enterprise projects are not listed, and still there.
  const narrower =
    question.scopeBefore !== null && question.scopeBefore !== question.scopeNow && question.scopeNow !== WIDEST;
  if (narrower && !acceptShrink) return nothing;
  if (question.promised > 0 && !acceptShrink) return { ...nothing, unconfirmed: missing.length };
  if (acceptShrink || explained === 'certain') return { ...nothing, sweep: missing };
  const relocated = missing.filter(({ isRelocated }) => isRelocated === true);
  if (relocated.length > 0) {
    const others = missing.filter(({ isRelocated }) => isRelocated !== true);
    const answer = judgeSweep({ ...question, missing: others, live: question.live - relocated.length });
    // An answer that lacks more than is believable lacks rows that are in both lists as well.
    if (!answer.suspicious) return { ...answer, sweep: [...relocated, ...answer.sweep] };
  }
  const few = mayGoAtOnce(question, missing);
  const beyondBelief = isUnbelievable(question, missing);
  const distance = distanceOf(question, beyondBelief);
  const isCut = isRound(question.listed);
  if (!few && (question.hasParts || isCut)) {
    // Walks that agree prove nothing here: a cap hides the same rows every time.
    const suspicious = isCut || beyondBelief;
    return { ...nothing, unconfirmed: missing.length, confirmFrom: now + distance, suspicious };
  }
  const { doubts, cameBack } = advance(question, distance);
  const needed = !few ? WALKS.more : question.moved || cameBack ? WALKS.fewMoving : WALKS.few;
  const settled = new Set(doubts.flatMap(({ walks, keys }) => (walks >= needed ? keys : [])));
  const sweep = missing.filter(({ key }) => settled.has(keyText(key)));
  const left = missing.filter(({ key }) => !settled.has(keyText(key)));
  const open = doubts.filter(({ walks }) => walks < needed);
  const waits = open.length > 0 && !mayGoAtOnce(question, left);
  return {
    sweep,
    doubts: open,
    unconfirmed: left.length,
    confirmFrom: waits ? Math.min(...open.map(({ lastAt }) => lastAt)) + distance : null,
    suspicious: left.length > 0 && isUnbelievable(question, left),
  };
}

/** The doubts with this walk counted in: it may confirm them, leave them as they are, or refute them. */
function advance(
  { missing, doubts, seen, now, ...question }: SweepQuestion,
  distance: number,
): { readonly doubts: readonly Doubt[]; readonly cameBack: boolean } {
  const open = new Set(missing.map(({ key }) => keyText(key)));
  // Answers that lack now these rows, now those, are no evidence of either: every count starts over.
  const cameBack = doubts.some(({ keys }) => keys.some((key) => seen.has(key)));
  if (cameBack) return { doubts: [{ walks: 1, lastAt: now, keys: [...open] }], cameBack };
  const before = doubts
    .map((doubt) => ({ ...doubt, keys: doubt.keys.filter((key) => open.has(key)) }))
    .filter(({ keys }) => keys.length > 0);
  const known = new Set(before.flatMap(({ keys }) => keys));
  const fresh = missing.filter(({ key }) => !known.has(keyText(key)));
  // An answer that lacks almost everything agrees with everything, and so confirms nothing but another one like it.
  const isEmpty = missing.length === question.live;
  const whole = { ...question, missing, doubts, seen, now };
  const confirms = fresh.length === 0 || !(isEmpty || isUnbelievable(whole, fresh));
  const counted = before.map((doubt): Doubt => {
    // A clock that was set back: the distance counts from now.
    if (now < doubt.lastAt) return { ...doubt, lastAt: now };
    const isLater = confirms && now - doubt.lastAt >= distance;
    return isLater ? { ...doubt, walks: doubt.walks + 1, lastAt: now } : doubt;
  });
  const begun = fresh.length === 0 ? [] : [{ walks: 1, lastAt: now, keys: fresh.map(({ key }) => keyText(key)) }];
  return { doubts: [...counted, ...begun], cameBack };
}

/** A walk that proves nothing, but shows a row that earlier ones missed, refutes what they said of all of them. */
export function refuted(doubts: readonly Doubt[], seen: SweepQuestion['seen']): readonly Doubt[] {
  return doubts.some(({ keys }) => keys.some((key) => seen.has(key))) ? [] : doubts;
}

/** So few rows that they may go at once, and not all there are of an enterprise project. */
function mayGoAtOnce(question: SweepQuestion, rows: readonly MissingRow[]): boolean {
  return areFew(rows.length, question.live) && !hasWholeProject(question, rows);
}

/** The list is empty, a good part of it is missing, or an enterprise project as a whole: rather a lost permission than a clean-up. */
function isUnbelievable(question: SweepQuestion, rows: readonly MissingRow[]): boolean {
  const { live, explained } = question;
  return explained === 'none' && (isBeyondBelief(rows.length, live) || hasWholeProject(question, rows));
}

function hasWholeProject({ liveByEnterprise }: SweepQuestion, rows: readonly MissingRow[]): boolean {
  const gone = new Map<string, number>();
  for (const { enterpriseProjectId } of rows) {
    if (enterpriseProjectId !== null) gone.set(enterpriseProjectId, (gone.get(enterpriseProjectId) ?? 0) + 1);
  }
  return [...gone].some(([project, count]) => count === liveByEnterprise.get(project));
}

function distanceOf({ reconcileEveryMs }: SweepQuestion, beyondBelief: boolean): number {
  return Math.max(LEAST_DISTANCE_MS, reconcileEveryMs * (beyondBelief ? DISTANCE.beyondBelief : DISTANCE.believable));
}

/** The certificate that stands beside the answer: it says how many rows are missing and unconfirmed, and until when. */
export function standing(certificate: Certificate, { unconfirmed, confirmFrom, suspicious }: SweepAnswer): Certificate {
  const evidence = {
    ...certificate.evidence,
    ...(unconfirmed === 0 ? {} : { unconfirmed }),
    ...(confirmFrom === null ? {} : { confirmFrom }),
  };
  return suspicious ? { kind: 'incomplete', reason: 'suspicious-shrink', evidence } : { ...certificate, evidence };
}

/**
 * What rows that are missing and unconfirmed ask of the next walk of their list: a full walk (`due`), to wait for the time
 * at which one counts (`waits`), or nothing.
 */
export function confirmation(evidence: Evidence | null, now: number): 'none' | 'waits' | 'due' {
  const { confirmFrom } = evidence ?? {};
  if (confirmFrom === undefined) return 'none';
  return now >= confirmFrom ? 'due' : 'waits';
}

/**
 * The list as a whole was proven, with no more than a few rows missing. It shows what was missing from its parts, so their doubts
 * are over: parts are read only now and then, and two absences long apart would count as walks that agree.
 */
export function settlesParts({ split }: Stream, { params }: Listing, stands: Certificate): boolean {
  const { parts, confirmFrom } = stands.evidence;
  const isWhole = split !== undefined && !(split.parameter in params);
  return isWhole && stands.kind === 'complete' && parts === undefined && confirmFrom === undefined;
}

/** Key columns by which a row is found again in another of its stream's fixed lists; null where it can be in one only. */
export function keyBesidesList(stream: Stream): readonly string[] | null {
  const { key, split } = stream;
  const constants = constantsOf(stream);
  const own = key.filter((name) => !constants.includes(name) && name !== split?.parameter);
  return constants.length > 0 && own.length > 0 && own.length < key.length ? own : null;
}

/**
 * Since when other lists are looked at for a missing row, in ms: the other one may have been read before the last certified
 * walk of this one, which did not show the row any more. Null where this one was never certified.
 */
export function relocatedSince(certifiedAt: number | null, { reconcileEveryMs }: SweepBasis): number | null {
  return certifiedAt === null ? null : certifiedAt - reconcileEveryMs;
}

/** What is remembered of a list that rows of a parent stream are in. */
export interface ParentList {
  readonly certificate: 'complete' | 'incomplete' | null;
  /** When a full walk last proved it complete. */
  readonly certifiedAt: number | null;
  readonly doubts: readonly Doubt[];
  readonly rejects: number;
}

/**
 * The mark of a parent takes its children along when later walks agree with it: every list the parent can be in was certified
 * at least `LEAST_DISTANCE_MS` after the mark, without a record that could not be read and without rows in doubt. Answers the
 * time up to which marks are founded like that, in ms, or null where none is.
 */
export function foundedUntil(lists: readonly (ParentList | null)[]): number | null {
  const certified = lists.map((list) => {
    if (list === null || list.certificate !== 'complete' || list.doubts.length > 0 || list.rejects > 0) return null;
    return list.certifiedAt;
  });
  const times = certified.filter((time) => time !== null);
  return times.length < lists.length || times.length === 0 ? null : Math.min(...times) - LEAST_DISTANCE_MS;
}
