import { type Evidence, gravest, rowsOnTheMove, type Suspicion } from '../certificate.ts';
import {
  endOf,
  fingerprint,
  keysInOrder,
  ListCount,
  type ObservedPage,
  OVERLAP_ROWS,
  type PageGrid,
} from './observed-page.ts';
import { candidates, Lateness, type Order, type OrderColumn } from './order.ts';
import { SeenKeys } from './row-digest.ts';

/** Hard limit for endless lists: ten million rows at 200 a page. */
const MOST_REQUESTS = 50_000;

/** The walk stops after this number of pages of other lists, because the server ignores the list's parameters. */
const MOST_OTHER_LISTS = 3;

/** What the pages of one walk have shown: seen keys, fitting orders, counts, and whether the list moved. */
export class WalkState {
  readonly orders: readonly Order[];
  readonly lateness: Lateness;
  /** The list's own counts. */
  readonly count = new ListCount();
  readonly seen = new SeenKeys();
  readonly #unreadable = new SeenKeys();
  readonly #contents = new SeenKeys();
  readonly #newest = new Map<Order, number>();
  #pageSize: number | null = null;
  /** Server time of the latest answer, in ms; null if answers have none. */
  #serverTime: number | null = null;
  #longest = 0;
  #furthest = 0;
  #clamp = Number.POSITIVE_INFINITY;
  #requests = 0;
  #rejects = 0;
  #inserted = 0;
  /** Records of the pass that repeat a key of their own page. */
  #repeats = 0;
  #gapsClosed = 0;
  #showedTwo = false;
  #isKeyBroken = false;
  #moved = false;
  #isInPlace = true;
  #ties = false;
  #lastUpdateTime: number | null = null;
  #firstPage: string | null = null;
  /** Of the first page. */
  #places: string | null = null;
  #suspect: Suspicion | null = null;
  #suspects = 0;
  #otherLists = 0;
  #downward: readonly { readonly request: number; readonly places: number }[] = [];

  /** `lateByMs`: lateness of changes that earlier walks have stored, in ms. */
  constructor(columns: readonly OrderColumn[], lateByMs = 0) {
    this.orders = candidates(columns);
    this.lateness = new Lateness(this.orders, lateByMs);
  }

  get requests(): number {
    return this.#requests;
  }

  /** Rows that were not in the table. */
  get inserted(): number {
    return this.#inserted;
  }

  get gapsClosed(): number {
    return this.#gapsClosed;
  }

  /** A key was shown with two contents: the row changed, or the key is not unique. */
  get showedTwo(): boolean {
    return this.#showedTwo;
  }

  /** Two records of one page, or of a list that stood still, have the same key and different content. */
  get isKeyBroken(): boolean {
    return this.#isKeyBroken;
  }

  /** An overlap or the first page differed, so the list changed between two requests. */
  get moved(): boolean {
    return this.#moved;
  }

  /** Wherever two pages show the same places, these have the same rows, perhaps with other content. */
  get isInPlace(): boolean {
    return this.#isInPlace;
  }

  /** A run of equal keys fills a page, so no order can prove the list. */
  get ties(): boolean {
    return this.#ties;
  }

  /** The list's own update time at the start of the walk. Later changes are not included in it. */
  get lastUpdateTime(): number | null {
    return this.#lastUpdateTime;
  }

  get firstPage(): string | null {
    return this.#firstPage;
  }

  /** The gravest reason why a page proves nothing; null if all pages are credible. */
  get suspect(): Suspicion | null {
    return this.#suspect;
  }

  note(observed: ObservedPage): void {
    this.#requests += 1;
    if (observed.refused) return;
    if (observed.suspect !== undefined) this.#noteSuspect(observed.suspect);
    this.#noteClaims(observed);
    this.#rejects += observed.rejects;
    this.#inserted += observed.inserted ?? 0;
    this.lateness.observe(observed);
    this.#longest = Math.max(this.#longest, observed.records.length);
    if (observed.records.length > 0) this.#furthest = Math.max(this.#furthest, endOf(observed));
    this.#pageSize ??= observed.at.limit;
    if (observed.at.offset === 0 && observed.at.limit === this.#pageSize) {
      const [page, places] = [fingerprint(observed), keysInOrder(observed)];
      if (this.#firstPage !== null && this.#firstPage !== page) this.noteMoved({ isInPlace: this.#places === places });
      [this.#firstPage, this.#places] = [page, places];
    }
    for (const { key, content } of observed.records) {
      if (key === null) this.#unreadable.add(content);
      else this.#noteContent(observed, key, content);
    }
    for (const order of this.orders) {
      order.observe(observed, this.#requests);
      const newest = order.newest(observed);
      if (newest !== null) this.#newest.set(order, Math.max(newest, this.#newest.get(order) ?? newest));
    }
  }

  #noteContent({ records, suspect }: ObservedPage, key: string, content: string): void {
    const isFirst = this.seen.add(key);
    const isOther = this.#contents.add(content);
    if (isFirst || !isOther || suspect !== undefined) return;
    this.#showedTwo = true;
    // One page is one moment, at which a row has one content.
    if (records.some((other) => other.key === key && other.content !== content)) this.#isKeyBroken = true;
  }

  /** A record with this content was shown. */
  hasShown(content: string): boolean {
    return this.#contents.has(content);
  }

  #noteSuspect(suspect: Suspicion): void {
    this.#suspects += 1;
    if (suspect === 'other-list') this.#otherLists += 1;
    this.#suspect = gravest([suspect, ...(this.#suspect === null ? [] : [this.#suspect])]);
  }

  /** Records the list's own counts and times. */
  #noteClaims(observed: ObservedPage): void {
    this.count.observe(observed);
    if (observed.serverTime !== null && observed.serverTime !== undefined) {
      this.#serverTime = Math.max(observed.serverTime, this.#serverTime ?? observed.serverTime);
    }
    if (this.#requests === 1) this.#lastUpdateTime = observed.lastUpdateTime;
  }

  /** Orders that fit every page; empty if runs of equal keys make them useless. */
  fitting(): Order[] {
    return this.#ties ? [] : this.orders.filter(({ fits }) => fits);
  }

  /** An overlap, the first page or the count differed: the list changed between two requests, perhaps only in place. */
  noteMoved({ isInPlace } = { isInPlace: false }): void {
    this.#moved = true;
    if (!isInPlace) this.#isInPlace = false;
  }

  /** A run of equal keys fills a page. */
  noteTies(): void {
    this.#ties = true;
  }

  /** The walk stepped back until its pages joined. */
  noteGapClosed(): void {
    this.#gapsClosed += 1;
  }

  /** Records of the last pass that repeat a key of their page. */
  noteRepeats(repeats: number): void {
    this.#repeats = repeats;
  }

  /** A list that stood still showed two records with one key. */
  noteKeyBroken(): void {
    this.#isKeyBroken = true;
  }

  /** The list had moved down by these places just before the last page. */
  noteDownward(places: number): void {
    if (places > 0) this.#downward = [...this.#downward, { request: this.#requests, places }];
  }

  /** A new pass proves the list on its own, so movements of the earlier one do not count. */
  forgetDownward(): void {
    this.#downward = [];
  }

  /**
   * Places by which the list moved down at moments when rows may have moved up to any place: because a moving key was
   * set to an old time, or because the server switched orders. Rows that move up regularly do so at the head, where the
   * walk finds them. A row anywhere else above the reader would not be found.
   */
  get downward(): number {
    const fitting = this.fitting();
    const other = this.orders.filter(
      ({ column }) => fitting.length > 1 || fitting.some((order) => order.column !== column),
    );
    const isMoving = fitting.some(({ moving }) => moving);
    const isOpen = (request: number) => isMoving || other.some((order) => order.fitsOneSideOf(request));
    return this.#downward.reduce((sum, { request, places }) => sum + (isOpen(request) ? places : 0), 0);
  }

  /**
   * For orders by time: keys assigned later lie at most the slack below this. It is the newest key of any page, or the
   * server time if that is earlier (a row may be dated ahead).
   */
  newest(): ReadonlyMap<Order, number> {
    return new Map([...this.#newest].map(([order, key]) => [order, this.bounded(key)]));
  }

  /** The earlier of the key and the server time of the latest answer. */
  bounded(key: number): number {
    return Math.min(key, this.#serverTime ?? key);
  }

  /** The page has fewer rows than it could have. */
  isShort(observed: ObservedPage): boolean {
    return observed.records.length < Math.min(observed.at.limit, this.#clamp);
  }

  /**
   * The list ends with this page: it is short, and the list's count agrees. Any other count, even a lower one, is
   * doubtful, and the walk requests the end once more.
   */
  endsList(observed: ObservedPage): boolean {
    if (observed.records.length === 0) return observed.at.offset === 0 && observed.total === 0;
    return this.isShort(observed) && endOf(observed) === observed.total && !this.count.isTooLow;
  }

  /** The grid for the pages after the first one: a short first page shows the size that the server returns. */
  gridAfter(first: ObservedPage, grid: PageGrid): PageGrid {
    const isCutDown = this.isShort(first) && first.records.length > 0 && !this.endsList(first);
    return isCutDown ? grid.ofSize(first.records.length) : grid;
  }

  /** Number of rows that the server puts on a page, as far as known. */
  sizeOf({ limit }: PageGrid): number {
    return Math.min(limit, this.#clamp);
  }

  /** Rows followed a page that was shorter than requested, so the server has a smaller page size. */
  learnPageSize(): void {
    this.#clamp = this.#longest;
  }

  /**
   * Guarantees that a walk ends (invariant I6). Four times the requests that the list's length needs means that the
   * server ignores the offset, or that the list changes as fast as it is read. If the count is absent or too low, the
   * rows seen and the furthest offset reached replace it.
   */
  exhausted(limit: number): boolean {
    if (this.#otherLists >= MOST_OTHER_LISTS) return true;
    const seen = this.seen.size + this.unreadable;
    const said = this.count.first === null || this.count.isTooLow ? Number.POSITIVE_INFINITY : this.count.first;
    const rows = Math.min(seen, this.#furthest, said);
    const step = Math.max(1, Math.min(limit, this.#clamp) - OVERLAP_ROWS);
    return this.#requests >= Math.min(MOST_REQUESTS, 40 + 4 * Math.ceil(rows / step));
  }

  get unreadable(): number {
    return this.#unreadable.size;
  }

  /** The list's own count never changed and equals the rows seen. */
  get countAgrees(): boolean {
    return this.count.isConstant && this.seen.size + this.unreadable + this.#repeats === this.count.last;
  }

  /**
   * The list's count promises more rows than were read, beyond its growth during the walk and, if the list moved,
   * beyond the rows that may have been in motion.
   */
  get lacksRows(): boolean {
    const total = this.count.last ?? 0;
    const grown = Math.max(0, total - (this.count.first ?? total));
    return this.surplus > grown + (this.#moved ? rowsOnTheMove(total) : 0);
  }

  /** Length of the list: its last count or, if that was too low, the furthest row shown. 0 if nothing is known. */
  get length(): number {
    return this.count.isTooLow ? this.#furthest : (this.count.last ?? 0);
  }

  /** Rows by which the list's count exceeds the rows read; 0 if it does not, or if there is no count. */
  get surplus(): number {
    return Math.max(0, (this.count.last ?? 0) - this.seen.size - this.unreadable - this.#repeats);
  }

  /** What a proof by these orders assumes about the server, as text for people. */
  #premises(orders: readonly Order[]): readonly string[] {
    const [moving] = orders.filter((order) => order.moving);
    if (moving === undefined) return [];
    const limit = this.#serverTime === null ? 'the newest row' : 'the newest row or the time of the server';
    const minutes = (ms: number) => `${Math.ceil(ms / 60_000)} min`;
    const seen = this.lateness.ms === 0 ? '' : ` (${minutes(this.lateness.ms)} were seen)`;
    return [`changes are dated at most ${minutes(moving.slackMs)} before ${limit}${seen}`];
  }

  evidence(extra: Partial<Evidence> = {}): Evidence {
    const fitting = this.fitting();
    const [order] = fitting;
    const premises = this.#premises(fitting);
    return {
      requests: this.#requests,
      totalFirst: this.count.first,
      totalLast: this.count.last,
      distinct: this.seen.size,
      unreadable: this.unreadable,
      repeats: this.#repeats,
      rejects: this.#rejects,
      ...(order === undefined ? {} : { order: order.name }),
      ...(premises.length === 0 ? {} : { premises }),
      ...(this.#gapsClosed === 0 ? {} : { gapsClosed: this.#gapsClosed }),
      ...(this.#moved ? { moved: true } : {}),
      ...(this.#suspects > 0 ? { suspect: this.#suspects } : {}),
      ...(this.count.isContradicted ? { totalContradicted: true } : {}),
      ...extra,
    };
  }
}
