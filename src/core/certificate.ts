import type { Refusal } from './errors.ts';

/**
 * What a walk proved about a list, stored with what it rests on. `complete` means: every row that was in the list during
 * the whole walk was read (invariant I11).
 */
export type Certificate =
  | {
      readonly kind: 'complete';
      /** Null for a standing certificate that was earned before the kind of proof was stored. */
      readonly proof: Proof | null;
      readonly evidence: Evidence;
    }
  | { readonly kind: 'incomplete'; readonly reason: Reason; readonly evidence: Evidence };

/** `atomic`: the list fitted one page. `order`: its sort key is covered. `quiet`: it stood still. `split`: its parts are complete. */
export type Proof = 'atomic' | 'order' | 'quiet' | 'split';

export type Reason =
  /** No order fits and the list moved. */
  | 'unordered'
  /** More rows share one sort key than fit a page, and the list moved. */
  | 'ties'
  /** The list moved faster than it could be read. */
  | 'moving'
  /** The list's own count promises more rows than could be read, and no second reading explained it. */
  | 'count'
  /** The API shows only the first rows of the list, and it could not be split. */
  | 'capped'
  /** More rows vanished at once than is believable. */
  | 'suspicious-shrink'
  /** Two records of a list that stood still have the same key and another content: the key of the definition is wrong. */
  | 'key'
  /** Rows of an answer contradict what was asked for: it is the answer to another question. */
  | 'other-list'
  /** An answer from before the request was sent: from a cache, or from a server that lags. */
  | 'old-answer'
  /** An error code came beside the rows, so there may be rows that were left out. */
  | 'partial-answer'
  /** The list shows nothing for all enterprise projects but rows for the default one, so others may be out of sight. */
  | 'default-project'
  /** The API refused to show the list. */
  | 'refused'
  /** A parent is not certified, so there may be lists that were not read. */
  | 'parents'
  /** Lists that were not due or not affordable yet. */
  | 'not-asked'
  /** The run ended before the list was read. */
  | 'interrupted';

/** Why an answer proves nothing although it has rows. */
export type Suspicion = Extract<Reason, 'other-list' | 'old-answer' | 'partial-answer' | 'default-project'>;

export interface Evidence {
  readonly requests: number;
  readonly totalFirst: number | null;
  readonly totalLast: number | null;
  /** Distinct keys seen, rejects with a readable key included. */
  readonly distinct: number;
  /** Rejects without a readable key. */
  readonly unreadable: number;
  /** Records that had the same key as another of their page. */
  readonly repeats: number;
  readonly rejects: number;
  /** Order that fitted every page, such as `update_time desc`. */
  readonly order?: string;
  /** Gaps between pages that were read again and closed. */
  readonly gapsClosed?: number;
  /** The list changed while it was read. */
  readonly moved?: boolean;
  /** `total_num` says something else than two identical readings, or than the end of the list. */
  readonly totalContradicted?: boolean;
  /** Answers that prove nothing: old ones, partial ones, and answers to another question. */
  readonly suspect?: number;
  /** Rows at which the list was cut off. */
  readonly cap?: number;
  /** Rows that the list's own count has beyond those that could be read; absent where the count says nothing of the kind. */
  readonly outOfSight?: number;
  /** Parts the list was split into to get below the cap. */
  readonly parts?: number;
  readonly listings?: number;
  /** Live rows that the walk did not contain and that are not marked as gone: their vanishing is not confirmed yet. */
  readonly unconfirmed?: number;
  /** From when on another full walk counts as the confirmation, in ms since 1970. */
  readonly confirmFrom?: number;
  readonly notAsked?: number;
  /** Of a run whose lists were all refused, for a reason that lasts. */
  readonly refusal?: Refusal;
  /** How many lists of a run stand on each kind of proof, where a run has more than one list. */
  readonly proofs?: Readonly<Partial<Record<Proof, number>>>;
  /** What the proof takes for granted about the server, a sentence each. */
  readonly premises?: readonly string[];
}

export const NO_EVIDENCE: Evidence = {
  requests: 0,
  totalFirst: null,
  totalLast: null,
  distinct: 0,
  unreadable: 0,
  repeats: 0,
  rejects: 0,
};

/** The proof of several lists together: the one they share, `several` where they differ, null where there is none. */
export type RunProof = Proof | 'several';

/** What the certificates of a run's lists stand on together. `standing` has one entry for each list that is complete. */
export function proofOf(standing: readonly { readonly proof: Proof | null; readonly evidence: Evidence | null }[]): {
  readonly proof: RunProof | null;
  readonly evidence: Pick<Evidence, 'proofs' | 'premises'>;
} {
  const kinds = standing.flatMap(({ proof }) => proof ?? []);
  const counted = Object.fromEntries([...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => [kind, all.length]));
  const premises = [...new Set(standing.flatMap(({ evidence }) => evidence?.premises ?? []))];
  const [first] = kinds;
  return {
    proof: first === undefined ? null : kinds.every((kind) => kind === first) ? first : 'several',
    evidence: {
      ...(standing.length > 1 && kinds.length > 0 ? { proofs: counted } : {}),
      ...(premises.length > 0 ? { premises } : {}),
    },
  };
}

/** Reasons from the one that needs a person most to the one that needs patience. */
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

/** The gravest of several reasons; null when there is none. */
export function gravest<R extends Reason>(reasons: Iterable<R>): R | null {
  const rank = (reason: R) => GRAVITY.indexOf(reason);
  return [...new Set(reasons)].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** For people: `complete`, `complete (split: 12 parts; 3 missing, unconfirmed)`, `incomplete (capped)`. */
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

/**
 * How many rows a list may lack before its answer is doubted instead of believed. All limits of this kind are here, each as
 * a number of rows and as a share of the list: what a walk may conclude, and which lists are suspected of a cap.
 */

/** Rows that may be marked as gone on the word of one walk: at most this number, and at most this share of the list. */
const AT_ONCE = { rows: 20, share: 0.02 };
/** Rows by which a list may become shorter between two walks, or its count be ahead of it: the greater of the two. */
const ORDINARY = { rows: 10, share: 0.05 };
/** A loss beyond this share of a list is rather a broken answer than a deletion. */
const BELIEVABLE_SHARE = 0.1;

/** Few enough rows of a list of `length` rows to go at once. */
export function areFew(rows: number, length: number): boolean {
  return rows <= AT_ONCE.rows && rows <= length * AT_ONCE.share;
}

/** The list has lost so much of its length that its count alone is not to be believed. */
export function isMuchShorter(before: number | null, now: number | null): boolean {
  return before !== null && now !== null && before - now > Math.max(ORDINARY.rows, before * ORDINARY.share);
}

/** Rows that a count may be ahead of what was read of a list of that length, in a list that moved while it was read. */
export function rowsOnTheMove(length: number): number {
  return 1 + length * ORDINARY.share;
}

/** A count is ahead of what was read by more rows than one that is merely wrong by `before`. */
export function isMoreSurplus(surplus: number, before: number | null): boolean {
  return before !== null && surplus > before + ORDINARY.rows;
}

/** A loss of this many rows of a list of `length` rows, or of all of them, is to be doubted. One row alone can always go. */
export function isBeyondBelief(rows: number, length: number): boolean {
  return (rows > 1 && rows > length * BELIEVABLE_SHARE) || rows === length;
}
