import { z } from 'zod';
import { REFUSALS, type Refusal, SyncError } from './errors.ts';

/**
 * What a walk proved about a list, with the evidence. `complete`: every row that was in the list during the whole walk
 * was read (invariant I11).
 */
export type Certificate =
  | {
      readonly kind: 'complete';
      /** Null for a certificate that is older than the stored kind of proof. */
      readonly proof: Proof | null;
      readonly evidence: Evidence;
    }
  | { readonly kind: 'incomplete'; readonly reason: Reason; readonly evidence: Evidence };

/**
 * `atomic`: the list fitted one page. `order`: its sort keys are covered. `quiet`: it stood still. `split`: all parts
 * are complete.
 */
export type Proof = 'atomic' | 'order' | 'quiet' | 'split';

/** Why a certificate is incomplete. */
export type Reason =
  /** No order fits and the list moved. */
  | 'unordered'
  /** More rows share one sort key than fit a page, and the list moved. */
  | 'ties'
  /** The list moved faster than it could be read. */
  | 'moving'
  /** The list's own count promises more rows than were read, and a second pass did not explain it. */
  | 'count'
  /** The API shows only the first rows of the list, and the list could not be split. */
  | 'capped'
  /** An implausible number of rows disappeared at once. */
  | 'suspicious-shrink'
  /** Two records of a list that stood still have the same key and different content: the stream defines a wrong key. */
  | 'key'
  /** Rows contradict the request, so the answer belongs to another request. */
  | 'other-list'
  /** The answer was generated before the request was sent: by a cache or a lagging server. */
  | 'old-answer'
  /** The answer has an error code beside the rows, so rows may be missing. */
  | 'partial-answer'
  /**
   * The list is empty for all enterprise projects but has rows for the default one, so other projects may be hidden.
   */
  | 'default-project'
  /** The API refused to show the list. */
  | 'refused'
  /** A parent is not certified, so there may be lists that were not read. */
  | 'parents'
  /** Some lists have no certificate, because they have not been read to the end yet. */
  | 'not-asked'
  /** The run ended before the list was read. */
  | 'interrupted';

/** Why an answer that has rows proves nothing. */
export type Suspicion = Extract<Reason, 'other-list' | 'old-answer' | 'partial-answer' | 'default-project'>;

/** The counts and facts that a certificate is based on. */
export interface Evidence {
  readonly requests: number;
  /** The list's own count of its rows on the first page and on the last page; null if the API gives none. */
  readonly totalFirst: number | null;
  readonly totalLast: number | null;
  /** Distinct keys, including those of rejects with a readable key. */
  readonly distinct: number;
  /** Rejects without a readable key. */
  readonly unreadable: number;
  /** Records with the key of another record of their page. */
  readonly repeats: number;
  readonly rejects: number;
  /** The order that fitted every page, such as `update_time desc`. */
  readonly order?: string;
  /** Gaps between pages that were closed by reading again. */
  readonly gapsClosed?: number;
  /** The list changed while it was read. */
  readonly moved?: boolean;
  /** `total_num` differs from the result of two identical passes, or from the end of the list. */
  readonly totalContradicted?: boolean;
  /** Number of answers that prove nothing: old, partial, or belonging to another request. */
  readonly suspect?: number;
  /** Row at which the list was cut off. */
  readonly cap?: number;
  /** Rows by which the list's own count exceeds the rows that could be read; absent if it does not. */
  readonly outOfSight?: number;
  /** Number of parts that the list was split into. */
  readonly parts?: number;
  /** Number of lists of a run; absent in the evidence of one list. */
  readonly listings?: number;
  /**
   * Live rows that were missing from the walk and are not marked as gone yet, because their removal is not confirmed.
   */
  readonly unconfirmed?: number;
  /** Earliest time at which another full walk counts as confirmation, in ms since 1970. */
  readonly confirmFrom?: number;
  /** Number of lists of a run that were not read: not due, or cut off by time or an outage; absent if there were none. */
  readonly notAsked?: number;
  /** Set if all lists of a run were refused for a permanent reason. */
  readonly refusal?: Refusal;
  /** Number of lists by kind of proof; absent for a run with one list. */
  readonly proofs?: Readonly<Partial<Record<Proof, number>>>;
  /** What the proof assumes about the server, one sentence each. */
  readonly premises?: readonly string[];
}

/** Evidence as stored; earlier versions lack some members. Members of later versions are kept. */
export const evidenceSchema: z.ZodType<Evidence> = z.looseObject({
  requests: z.number().default(0),
  totalFirst: z.number().nullable().default(null),
  totalLast: z.number().nullable().default(null),
  distinct: z.number().default(0),
  unreadable: z.number().default(0),
  repeats: z.number().default(0),
  rejects: z.number().default(0),
  order: z.exactOptional(z.string()),
  gapsClosed: z.exactOptional(z.number()),
  moved: z.exactOptional(z.boolean()),
  totalContradicted: z.exactOptional(z.boolean()),
  suspect: z.exactOptional(z.number()),
  cap: z.exactOptional(z.number()),
  outOfSight: z.exactOptional(z.number()),
  parts: z.exactOptional(z.number()),
  listings: z.exactOptional(z.number()),
  unconfirmed: z.exactOptional(z.number()),
  confirmFrom: z.exactOptional(z.number()),
  notAsked: z.exactOptional(z.number()),
  refusal: z.exactOptional(z.enum(REFUSALS)),
  proofs: z.exactOptional(z.record(z.string(), z.number())),
  premises: z.exactOptional(z.array(z.string())),
});

/** Evidence without any requests. */
export const NO_EVIDENCE: Evidence = {
  requests: 0,
  totalFirst: null,
  totalLast: null,
  distinct: 0,
  unreadable: 0,
  repeats: 0,
  rejects: 0,
};

/** The kind of proof of a whole run: that of its lists, or `several` if they differ. */
export type RunProof = Proof | 'several';

/** Combines the proofs of a run's lists. `complete`: one entry for each complete list. `proof` is null without any. */
export function proofOf(complete: readonly { readonly proof: Proof | null; readonly evidence: Evidence | null }[]): {
  readonly proof: RunProof | null;
  readonly evidence: Pick<Evidence, 'proofs' | 'premises'>;
} {
  const kinds = complete.flatMap(({ proof }) => proof ?? []);
  const counted = Object.fromEntries([...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => [kind, all.length]));
  const premises = [...new Set(complete.flatMap(({ evidence }) => evidence?.premises ?? []))];
  const [first] = kinds;
  return {
    proof: first === undefined ? null : kinds.every((kind) => kind === first) ? first : 'several',
    evidence: {
      ...(complete.length > 1 && kinds.length > 0 ? { proofs: counted } : {}),
      ...(premises.length > 0 ? { premises } : {}),
    },
  };
}

/** Reasons by urgency: from those that need a person to those that pass by themselves. */
const GRAVITY: readonly Reason[] = [
  'refused',
  'key',
  'capped',
  'suspicious-shrink',
  'default-project',
  'other-list',
  'partial-answer',
  'old-answer',
  'unordered',
  'ties',
  'count',
  'moving',
  'interrupted',
  'parents',
  'not-asked',
];

/** The most urgent of several reasons; null for none. */
export function gravest<R extends Reason>(reasons: Iterable<R>): R | null {
  const rank = (reason: R) => GRAVITY.indexOf(reason);
  return [...new Set(reasons)].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** Text for people: `complete`, `complete (split: 12 parts; 3 missing, unconfirmed)`, `incomplete (capped)`. */
export function describeCertificate(certificate: {
  kind: string;
  reason?: string | null;
  evidence?: Evidence | null;
}): string {
  if (certificate.kind !== 'complete') return `incomplete (${certificate.reason ?? 'unknown'})`;
  const { parts, unconfirmed = 0 } = certificate.evidence ?? {};
  const notes = [
    ...(parts === undefined ? [] : [`split: ${parts} parts`]),
    ...(unconfirmed === 0 ? [] : [`${unconfirmed} missing, unconfirmed`]),
  ];
  return notes.length === 0 ? 'complete' : `complete (${notes.join('; ')})`;
}

// How many rows a list may lack before its answer counts as doubtful. All limits of this kind are here, each as a
// number of rows and a share of the list. The sweep and the detection of caps use them.

/** Rows that one walk alone may mark as gone: at most this number and at most this share of the list. */
const AT_ONCE = { rows: 20, share: 0.02 };
/** Rows that a list may lose between two walks, or that its count may be ahead: the greater of the two. */
const ORDINARY = { rows: 10, share: 0.05 };
/** A loss beyond this share of a list is more likely a broken answer than a deletion. */
const PLAUSIBLE_SHARE = 0.1;

/** `rows` of a list of `length` rows may be marked as gone after one walk. */
export function areFew(rows: number, length: number): boolean {
  return rows <= AT_ONCE.rows && rows <= length * AT_ONCE.share;
}

/** The list lost too many rows for its count alone to be credible. */
export function isMuchShorter(before: number | null, now: number | null): boolean {
  return before !== null && now !== null && before - now > Math.max(ORDINARY.rows, before * ORDINARY.share);
}

/** Rows by which the count may be ahead of the rows read, in a list of `length` rows that moved while it was read. */
export function rowsOnTheMove(length: number): number {
  return 1 + length * ORDINARY.share;
}

/** The surplus of the count is greater than the inaccuracy known from `before` (null: unknown). */
export function isMoreSurplus(surplus: number, before: number | null): boolean {
  return before !== null && surplus > before + ORDINARY.rows;
}

/**
 * A loss of `rows` of a list of `length` rows is implausible: too large a share, or all of them. One row of several is
 * not.
 */
export function isImplausibleLoss(rows: number, length: number): boolean {
  return (rows > 1 && rows > length * PLAUSIBLE_SHARE) || rows === length;
}

/** The totals of the evidence of several listings. */
export function sumOfEvidence(all: readonly Evidence[]): Evidence {
  const add = (pick: (evidence: Evidence) => number) => all.reduce((total, evidence) => total + pick(evidence), 0);
  const unconfirmed = add((evidence) => evidence.unconfirmed ?? 0);
  return {
    ...NO_EVIDENCE,
    requests: add(({ requests }) => requests),
    totalFirst: add(({ totalFirst }) => totalFirst ?? 0),
    totalLast: add(({ totalLast }) => totalLast ?? 0),
    distinct: add(({ distinct }) => distinct),
    unreadable: add(({ unreadable }) => unreadable),
    repeats: add(({ repeats }) => repeats),
    rejects: add(({ rejects }) => rejects),
    ...(unconfirmed === 0 ? {} : { unconfirmed }),
  };
}

/** Reason of a run that ended early. After refused credentials, the next run would fail as well. */
export function reasonOf(error: Error | null): Reason {
  return error instanceof SyncError && error.recovery === 'stop-account' ? 'refused' : 'interrupted';
}
