import { isDoubtfulEnd, promisesMore } from './capped.ts';
import { pageCut } from './cut.ts';
import { fullWalk, UNKNOWN_LENGTH, type WalkOptions } from './full-walk.ts';
import { endOf, type Look, type Step } from './look.ts';
import { take } from './pass.ts';
import { beyondCap, proven, provenAtOnce, type WalkResult } from './result.ts';
import { SeenKeys } from './seen-keys.ts';
import { Sequence } from './sequence.ts';
import type { Witness } from './witness.ts';

export interface PagedOptions extends WalkOptions {
  /** The API has refused, or cut down, a page as long as the whole list before. */
  readonly wholeRefused: boolean;
}

/** Rows that may come in between asking how many there are and asking for all of them. */
const ROOM = 20;

/**
 * Reads a list of numbered pages. All of it in one page is one moment and needs no further proof, so that is tried first;
 * a refusal is remembered. Else pages of different sizes overlap like those of any other list. A server that knows only
 * one size is read twice, because two identical readings are all that can be had there.
 */
export function* pagedWalk(options: PagedOptions, witness: Witness): Generator<Step, WalkResult, Look> {
  const { limit, cap, before = UNKNOWN_LENGTH } = options;
  const { cut = pageCut(limit) } = options;
  const first = options.first ?? (yield* take(witness, cut, 0));
  let { wholeRefused } = options;
  if (
    !witness.endsList(first) &&
    !wholeRefused &&
    (first.total ?? 0) > limit &&
    (cap === null || witness.totalMost < cap)
  ) {
    const whole = yield* askWhole(witness, first);
    const end = endOf(whole);
    if (witness.endsList(whole) && isDoubtfulEnd(end, before)) {
      return {
        ...beyondCap(witness, { cap: end, isDeclared: false }, before.beforeCeiling ?? before.total),
        wholeRefused,
      };
    }
    if (witness.endsList(whole)) return { ...provenAtOnce(witness, whole), wholeRefused };
    wholeRefused = whole.records.length < whole.at.limit;
  }
  const result = yield* fullWalk({ ...options, cut, first }, witness);
  const done =
    result.certificate.kind === 'complete' || (result.capped !== null && cap !== null) || witness.isKeyBroken;
  if (done) return { ...result, wholeRefused };
  const once = yield* plainPages(witness, limit);
  const twice = yield* plainPages(witness, limit);
  const same = once !== null && twice !== null && once.digest === twice.digest && once.total === twice.total;
  if (!same) return { ...result, wholeRefused };
  witness.repeats = twice.repeats;
  if (twice.doubled) witness.isKeyBroken = true;
  if (promisesMore(witness, before)) {
    return { ...beyondCap(witness, { cap: twice.rows, isDeclared: false }), wholeRefused };
  }
  if (twice.total !== twice.rows) witness.totalContradicted = true;
  return { ...proven(witness, 'quiet'), wholeRefused };
}

function* askWhole(witness: Witness, first: Look): Generator<Step, Look, Look> {
  let look = first;
  for (let tries = 0; tries < 2; tries += 1) {
    look = yield { at: { offset: 0, limit: Math.max(first.total ?? 0, look.total ?? 0) + ROOM }, mayRefuse: true };
    witness.note(look);
    // Full: more came in than there was room for. Empty: a slip, or all of it is gone since the first page.
    if (look.refused || (look.records.length > 0 && look.records.length < look.at.limit)) break;
  }
  return look;
}

interface Reading {
  readonly digest: string;
  readonly rows: number;
  readonly repeats: number;
  readonly doubled: boolean;
  readonly total: number | null;
}

/**
 * Pages of the one size, end to end; null when the count changed meanwhile or the list does not end. A server that has a
 * smaller size of its own answers every page short, so a short page is the end only where the rows so far are as many as
 * the count says, and an empty page always.
 */
function* plainPages(witness: Witness, limit: number): Generator<Step, Reading | null, Look> {
  const sequence = new Sequence(new SeenKeys());
  let total: number | null | undefined;
  let rows = 0;
  // Twice what was seen: a server that ignores the page number is left there.
  for (let offset = 0; offset <= 2 * witness.seen.size + 10 * limit; offset += limit) {
    const look: Look = yield { at: { offset, limit }, mayRefuse: offset > 0 };
    witness.note(look);
    total ??= look.total;
    if (look.refused || look.total !== total) return null;
    sequence.add(look);
    rows += look.records.length;
    const isEnd = look.records.length === 0 || (look.records.length < limit && rows === (total ?? rows));
    if (isEnd) return { digest: sequence.digest(), rows, repeats: sequence.repeats, doubled: sequence.doubled, total };
  }
  return null;
}
