import type { Cover } from './cover.ts';
import type { Cut } from './cut.ts';
import { endOf, identityOf, type Look, type Step } from './look.ts';
import { compareSeam } from './seam.ts';
import { Sequence } from './sequence.ts';
import type { Witness } from './witness.ts';

/** Rows two pages share at least, so that a seam can be compared. */
const OVERLAP = 5;

interface PassOptions {
  readonly witness: Witness;
  readonly cut: Cut;
  /** What has to be covered without a gap, under every order that fits. */
  readonly covers: readonly Cover[];
  /** The first page, already taken. */
  readonly start: Look;
  /** An earlier look at the end of a list that is appended to: a pass over a list that stood still ends where it meets it. */
  readonly tail?: Look | null;
  /** Whether the pass has gone far enough with this page. */
  readonly stop?: (look: Look) => boolean;
  readonly sequence?: Sequence;
}

export interface PassResult {
  /** `end`: the list ended. `stopped`: far enough. `circles`: too many requests. `refused`: the API shows no more. */
  readonly outcome: 'end' | 'stopped' | 'circles' | 'refused';
  readonly pages: number;
  /** The page after the first one. */
  readonly second: Look | null;
  readonly last: Look;
  /** Every seam was equal: the list did not move between two pages. */
  readonly quiet: boolean;
  readonly sequence: Sequence;
}

/**
 * Reads on from a page to the end of the list, or far enough. Pages overlap; where a page does not begin strictly inside
 * what is covered, rows may have slipped through between the two, and it steps back until it does.
 */
export function* pass(options: PassOptions): Generator<Step, PassResult, Look> {
  const { witness, cut, covers, start, tail = null, stop = () => false, sequence = new Sequence() } = options;
  const live = () => (witness.ties ? [] : covers.filter(({ order }) => order.fits));
  const result = (outcome: PassResult['outcome']): PassResult => {
    return { outcome, pages, second, last: page, quiet, sequence };
  };
  const disturbed = () => {
    quiet = false;
    witness.moved = true;
  };
  let page = start;
  let second: Look | null = null;
  let pages = 1;
  let overlap = OVERLAP;
  let quiet = true;
  for (;;) {
    const end = witness.endsList(page);
    for (const cover of live()) cover.add(page, end);
    sequence.add(page);
    if (end) return result('end');
    if (tail !== null && witness.endsList(tail) && !witness.moved && compareSeam(page, tail).equal) {
      for (const cover of live()) cover.add(tail, true);
      sequence.add(tail);
      page = tail;
      return result('end');
    }
    if (stop(page)) return result('stopped');
    if (witness.exhausted(cut.limit)) return result('circles');

    const short = witness.isShort(page);
    const run = Math.max(0, ...live().map(({ order }) => order.tieRun(page)));
    if (run + 2 >= page.records.length && !short) witness.ties = true;
    const wanted = witness.ties || short ? OVERLAP : Math.max(overlap, run + 1);
    // A server whose pages are shorter than the overlap has to be got on with as well.
    const shared = Math.min(wanted, Math.max(run + 1, Math.floor(page.records.length / 2)), page.records.length - 1);
    let next = yield* take(witness, cut, nextOffset(page, shared, cut.limit, tail !== null));
    if (next.refused) return result('refused');
    if (short && showsNothingAfter(page, next) && live().every((cover) => cover.joins(next))) {
      const beyond = yield* lookBeyond(witness, cut, page);
      if (beyond === 'refused') return result('refused');
      if (beyond === 'nothing') {
        if (!compareSeam(page, next).equal) disturbed();
        for (const cover of live()) cover.add(next, true);
        if (witness.totalLast !== null) witness.totalContradicted = true;
        return result('end');
      }
    }
    if (short && endOf(next) > endOf(page) && next.records.length > 0) witness.learnPageSize();
    const seam = compareSeam(page, next);
    if (!seam.equal) disturbed();
    witness.noteDownward(seam.downward);
    overlap = Math.max(OVERLAP, Math.ceil(overlap * 0.9), roomFor(seam.shift, cut.limit));

    let back = 0;
    const apart = () => next.records.length === 0 || !live().every((cover) => cover.joins(next));
    while (next.at.offset > 0 && apart()) {
      if (witness.exhausted(cut.limit)) return result('circles');
      disturbed();
      back += 1;
      const from = next.records.length === 0 ? (next.total ?? next.at.offset) - cut.limit : next.at.offset;
      next = yield* take(witness, cut, Math.min(from, next.at.offset) - 25 * 2 ** back);
      if (next.refused) return result('refused');
    }
    if (back > 0) {
      witness.gapsClosed += 1;
      overlap = Math.max(overlap, roomFor(compareSeam(page, next).shift / (back + 1), cut.limit));
    }
    page = next;
    second ??= next;
    pages += 1;
  }
}

/** The overlap that a list moving up this fast needs, with half as much again to spare. */
function roomFor(shift: number, limit: number): number {
  return Math.min(Math.floor(limit / 2), OVERLAP + Math.ceil(Math.max(0, -shift) * 1.5));
}

/**
 * Where the next page begins. When it would come out exactly full although the count says the list ends there, one row
 * less is shared, so that the end shows itself as a short page without another request. The last page of a list that is
 * appended to shares as much as it can, because it has to reach from old rows to the end at one moment.
 */
function nextOffset(page: Look, shared: number, limit: number, isAppended: boolean): number {
  const offset = Math.max(0, endOf(page) - shared);
  const rest = page.total === null ? Number.POSITIVE_INFINITY : page.total - offset;
  if (rest === limit && shared === OVERLAP) return offset + 1;
  const room = Math.floor(limit * 0.9);
  return isAppended && rest < room ? Math.max(page.at.offset + 1, offset - (room - rest)) : offset;
}

/**
 * Whether the later page shows rows of the earlier one and none behind them. An empty page says nothing of the kind: a
 * list that promises rows and shows none is at fault.
 */
function showsNothingAfter(page: Look, next: Look): boolean {
  const known = new Set(page.records.map(identityOf));
  const from = next.records.findIndex((record) => known.has(identityOf(record)));
  return from >= 0 && next.records.slice(from).every((record) => known.has(identityOf(record)));
}

/**
 * A short page that the count disagrees with ends the list when nothing follows it, neither behind the places it was asked
 * for (a server that filters its pages leaves gaps) nor where the count sees the end (one that has a page size of its own
 * stops early).
 */
function* lookBeyond(witness: Witness, cut: Cut, page: Look): Generator<Step, 'nothing' | 'rows' | 'refused', Look> {
  const known = new Set(page.records.map(identityOf));
  const behind = page.at.offset + page.at.limit;
  const promised = (page.total ?? 0) - Math.ceil(cut.limit / 2);
  for (const offset of promised > endOf(page) ? [behind, promised] : [behind]) {
    const look = yield* take(witness, cut, offset);
    if (look.refused) return 'refused';
    if (look.records.some((record) => !known.has(identityOf(record)))) return 'rows';
  }
  return 'nothing';
}

/**
 * Asks for a page and notes what it shows. A list that has shown rows and is empty now is asked once more: such an answer
 * may be a slip, and would prove that everything is gone.
 */
export function* take(witness: Witness, cut: Cut, offset: number): Generator<Step, Look, Look> {
  const at = cut.at(offset);
  const step = { at, mayRefuse: at.offset > 0 };
  const hasShownRows = witness.seen.size + witness.unreadable > 0;
  let look = yield step;
  witness.note(look);
  if (at.offset === 0 && look.records.length === 0 && hasShownRows) {
    look = yield step;
    witness.note(look);
  }
  return look;
}
