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
