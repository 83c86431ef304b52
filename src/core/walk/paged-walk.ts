import { isSuspectedEnd, promisesMore } from './capped.ts';
import { checkSize, fullWalk, UNKNOWN_LENGTH, type WalkOptions } from './full-walk.ts';
import { endOf, gridOf, numberedGrid, type ObservedPage, type Step } from './observed-page.ts';
import { requestPage } from './pass.ts';
import { beyondCap, proven, provenAtOnce, unproven, type WalkResult } from './result.ts';
import { RowDigest, SeenKeys } from './row-digest.ts';
import type { WalkState } from './walk-state.ts';

/**
 * Reads a list without pages: one answer contains all of it. If the answer has fewer rows than its own count, requests
 * it once more. If it has more, the rows contradict the count.
 */
export function* wholeWalk(
  { limit, first }: WalkOptions,
  walkState: WalkState,
): Generator<Step, WalkResult, ObservedPage> {
  const grid = gridOf({ kind: 'whole', limit });
  const lacksRows = (observed: ObservedPage) => (observed.total ?? 0) > observed.records.length;
  let observed = first ?? (yield* requestPage(walkState, grid, 0));
  if (lacksRows(observed)) observed = yield* requestPage(walkState, grid, 0);
  if (lacksRows(observed)) return unproven(walkState, 'count');
  if (observed.records.length === 0) return proven(walkState, 'atomic');
  if (observed.total !== null && observed.total < observed.records.length) walkState.count.noteContradicted();
  return provenAtOnce(walkState, observed);
}

/** Options of a walk over numbered pages. */
export interface PagedOptions extends WalkOptions {
  /** The API refused a page as long as the whole list before, or returned a shorter one. */
  readonly wholeRefused: boolean;
}

/** Spare rows for records that arrive between reading the count and requesting the whole list. */
const ROOM = 20;

/**
 * Reads a list of numbered pages. First tries to read all of it in one page, which is one moment and needs no further
 * proof; the checkpoint stores a refusal. Otherwise pages of different sizes overlap as in any other list. A server
 * with only one page size is read twice, because two identical passes are the only proof available there.
 */
export function* pagedWalk(options: PagedOptions, walkState: WalkState): Generator<Step, WalkResult, ObservedPage> {
  const { limit, cap, before = UNKNOWN_LENGTH } = options;
  const { grid: asked = numberedGrid(limit) } = options;
  const first = options.first ?? (yield* requestPage(walkState, asked, 0));
  const checked = options.isUnchanged === true ? asked : yield* checkSize(walkState, asked, first);
  const grid = walkState.gridAfter(first, checked);
  let { wholeRefused } = options;
  if (
    !walkState.endsList(first) &&
    !wholeRefused &&
    (first.total ?? 0) > limit &&
    (cap === null || walkState.count.most < cap)
  ) {
    const whole = yield* askWhole(walkState, first);
    const end = endOf(whole);
    if (walkState.endsList(whole) && isSuspectedEnd(end, before)) {
      return {
        ...beyondCap(walkState, { cap: end, isDeclared: false }, before.beforeCeiling ?? before.total),
        wholeRefused,
      };
    }
    if (walkState.endsList(whole)) return { ...provenAtOnce(walkState, whole), wholeRefused };
    wholeRefused = whole.records.length < whole.at.limit;
  }
  const result = yield* fullWalk({ ...options, grid, first, isUnchanged: true }, walkState);
  const done =
    result.certificate.kind === 'complete' || (result.capped !== null && cap !== null) || walkState.isKeyBroken;
  if (done) return { ...result, wholeRefused };
  let { limit: size } = grid;
  let once = yield* plainPages(walkState, { limit: size, mayRefuse: size !== asked.limit });
  // A short first page may be the whole list instead of the size that the server returns, which may accept no other.
  if (once === 'refused') {
    size = asked.limit;
    once = yield* plainPages(walkState, { limit: size, mayRefuse: false });
  }
  if (once === null || once === 'refused') return { ...result, wholeRefused };
  const twice = yield* plainPages(walkState, { limit: size, mayRefuse: false });
  const isRead = twice !== null && twice !== 'refused';
  if (!isRead || once.digest !== twice.digest || once.total !== twice.total) return { ...result, wholeRefused };
  walkState.noteRepeats(twice.repeats);
  if (twice.hasKeyWithTwoContents) walkState.noteKeyBroken();
  if (promisesMore(walkState, before)) {
    return { ...beyondCap(walkState, { cap: twice.rows, isDeclared: false }), wholeRefused };
  }
  if (twice.total !== twice.rows) walkState.count.noteContradicted();
  return { ...proven(walkState, 'quiet'), wholeRefused };
}

function* askWhole(walkState: WalkState, first: ObservedPage): Generator<Step, ObservedPage, ObservedPage> {
  let observed = first;
  for (let tries = 0; tries < 2; tries += 1) {
    observed = yield {
      at: { offset: 0, limit: Math.max(first.total ?? 0, observed.total ?? 0) + ROOM },
      mayRefuse: true,
    };
    walkState.note(observed);
    // Full page: more rows arrived than there was room for. Empty page: a fault, or all rows left since the first page.
    if (observed.refused || (observed.records.length > 0 && observed.records.length < observed.at.limit)) break;
  }
  return observed;
}

interface PlainResult {
  readonly digest: string;
  readonly rows: number;
  readonly repeats: number;
  readonly hasKeyWithTwoContents: boolean;
  readonly total: number | null;
}

/**
 * Reads pages of one size without overlap. `refused` if the API refuses the size, which only `mayRefuse` allows; null if
 * it refuses a later page, the count changed meanwhile, or the list does not end. A server with
 * a smaller page size of its own returns every page short, and one that filters its pages leaves some short or empty. So
 * a short page is the end only if the rows read so far match the count, and an empty page only behind the count. Without
 * a count, only an empty page is the end.
 */
function* plainPages(
  walkState: WalkState,
  { limit, mayRefuse }: { readonly limit: number; readonly mayRefuse: boolean },
): Generator<Step, PlainResult | 'refused' | null, ObservedPage> {
  const rowDigest = new RowDigest(new SeenKeys());
  let total: number | null | undefined;
  let rows = 0;
  // Limit for a server that ignores the page number.
  for (let offset = 0; offset <= 2 * walkState.seen.size + 10 * limit; offset += limit) {
    const observed: ObservedPage = yield { at: { offset, limit }, mayRefuse: mayRefuse || offset > 0 };
    if (observed.refused && offset === 0) return 'refused';
    walkState.note(observed);
    total ??= observed.total;
    if (observed.refused || observed.total !== total) return null;
    rowDigest.add(observed);
    rows += observed.records.length;
    const isBehindCount = offset >= (total ?? 0);
    const isCounted = rows === total && !walkState.count.isTooLow;
    const isEnd = observed.records.length === 0 ? isBehindCount : observed.records.length < limit && isCounted;
    if (isEnd)
      return {
        digest: rowDigest.digest(),
        rows,
        repeats: rowDigest.repeats,
        hasKeyWithTwoContents: rowDigest.hasKeyWithTwoContents,
        total,
      };
  }
  return null;
}
