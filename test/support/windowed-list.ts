import type { Scope } from '../../src/core/account.ts';
import { ParameterRefused } from '../../src/core/errors.ts';
import type { Answer, ApiCall, PageSource, ResponseParser } from '../../src/core/ports.ts';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { instant, text } from '../../src/core/stream/fields.ts';
import { defineStream, type Stream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { timeWindow } from '../../src/core/stream/time.ts';
import { fixed, moving } from '../../src/core/walk/order.ts';
import type { Random } from './random.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export interface WindowedOptions {
  readonly limit: number;
  readonly maxDays: number;
  readonly marginMs: number;
  /** Three of ten rows are listed up to so long after their time. */
  readonly lateMs: number;
  /** How far back the server keeps rows; null if forever. */
  readonly keepDays: number | null;
  /** Whether the declaration says so. */
  readonly keepIsDeclared: boolean;
  readonly appendOnly: boolean;
  /** Rows that change take a later time. */
  readonly movesOn: boolean;
  readonly begins: 'inclusive' | 'exclusive';
  readonly ends: 'inclusive' | 'exclusive';
  /** Rows the server shows of an answer at most; its declaration says so. */
  readonly cap: number | null;
  readonly sorting: 'newest first' | 'oldest first' | 'by id';
  /** A span that is too long is answered for its first day, as a document of HSS has it. */
  readonly refusesAhead: boolean;
  /** How far the server's clock is ahead of ours, in ms. */
  readonly clockMs: number;
}

/** A row of the list, and since when and until when it was in it. */
export interface Listed {
  readonly id: string;
  time: number;
  readonly listedAt: number;
  goneAt: number | null;
  handledAt: number | null;
}

export function windowedStream(options: WindowedOptions): Stream {
  const { limit, maxDays, marginMs, keepDays, keepIsDeclared, appendOnly, movesOn, cap } = options;
  return defineStream({
    name: 'windowed_events',
    group: 'hosts',
    about: 'Events.',
    document: 'https://example.com',
    endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/events'], enterpriseProjects: false },
    paging: offsetPaging({ list: 'data_list', limit, ...(cap === null ? {} : { cap }) }),
    order: [movesOn ? moving('occur_time') : fixed('occur_time'), fixed('event_id')],
    ...(appendOnly ? { appendOnly } : {}),
    window: timeWindow({
      begin: 'begin_time',
      end: 'end_time',
      unit: 'ms-text',
      column: 'occur_time',
      maxDays,
      margin: `${marginMs / 60_000}m`,
      ...(keepDays !== null && keepIsDeclared ? { keepDays } : {}),
    }),
    schedule: '* * * * *',
    reconcileEveryMs: DAY,
    targetMs: HOUR,
    table: {
      schema: hss,
      name: 'windowed_events',
      key: ['event_id'],
      fields: {
        event_id: text('Id.'),
        occur_time: instant('When it happened.'),
        handle_time: instant('When it was handled.', { optional: true }),
      },
    },
  });
}

interface Answered {
  readonly begin: number;
  readonly end: number;
  readonly changes: number;
  /** Then another row is listed. */
  readonly until: number;
  readonly found: readonly Listed[];
}

/** A list API that filters by time, in memory: every answer shows one moment, and takes some time. */
export class WindowedList implements PageSource {
  readonly #options: WindowedOptions;
  readonly rows: Listed[] = [];
  now: number;
  requests = 0;
  /** Rows that were added or changed so far. */
  changes = 0;
  #last: Answered | null = null;
  /** What happens while a request is under way. */
  between: () => void = () => {};

  constructor(options: WindowedOptions, now: number) {
    this.#options = options;
    this.now = now;
  }

  add(time: number, listedAt: number): void {
    this.changes += 1;
    this.rows.push({
      id: `e${String(this.rows.length).padStart(6, '0')}`,
      time,
      listedAt,
      goneAt: null,
      handledAt: null,
    });
  }

  isListed(row: Listed, at: number): boolean {
    const { keepDays, clockMs } = this.#options;
    // By the clock of the server.
    const kept = keepDays === null ? Number.NEGATIVE_INFINITY : at + clockMs - keepDays * DAY;
    return row.listedAt <= at && (row.goneAt === null || row.goneAt > at) && row.time >= kept;
  }

  isPlentiful(): boolean {
    return false;
  }

  async read<T>(_scope: Scope, call: ApiCall, { parse }: ResponseParser<T>): Promise<Answer<T>> {
    this.requests += 1;
    this.between();
    const { query = {} } = call;
    const body = this.#answer({
      begin: Number(query.begin_time),
      end: Number(query.end_time),
      offset: Number(query.offset),
      limit: Number(query.limit),
    });
    const serverTime = Math.floor((this.now + this.#options.clockMs) / 1000) * 1000;
    const value = parse(JSON.stringify(body));
    return { value, requestId: null, serverTime, isOld: false, attempts: 1, throttled: 0, durationMs: 1 };
  }

  #answer(asked: { begin: number; end: number; readonly offset: number; readonly limit: number }) {
    const { maxDays, keepDays, cap, refusesAhead, clockMs } = this.#options;
    const { offset, limit } = asked;
    const serverNow = this.now + clockMs;
    if (refusesAhead && asked.end > serverNow) throw refusal('end_time lies ahead');
    const begin = Math.max(asked.begin, keepDays === null ? 0 : serverNow - keepDays * DAY);
    const end = asked.end - begin > maxDays * DAY ? begin + DAY : asked.end;
    if (begin >= end) return { total_num: 0, data_list: [] };
    const found = this.#inside(begin, end);
    const total = Math.min(found.length, cap ?? Number.POSITIVE_INFINITY);
    if (cap !== null && offset >= cap) return { total_num: total, data_list: [] };
    const shown = found.slice(offset, Math.min(offset + limit, cap ?? Number.POSITIVE_INFINITY));
    return {
      total_num: total,
      data_list: shown.map((row) => ({
        event_id: row.id,
        occur_time: row.time,
        handle_time: row.handledAt ?? 0,
      })),
    };
  }

  /** The rows between two times as they are listed now; taken over from the last answer where nothing changed since. */
  #inside(begin: number, end: number): readonly Listed[] {
    const { begins, ends, sorting, keepDays } = this.#options;
    const same = this.#last?.begin === begin && this.#last.end === end && this.#last.changes === this.changes;
    if (same && this.#last !== null && keepDays === null && this.now < this.#last.until) return this.#last.found;
    const found = this.rows.filter(
      (row) =>
        (begins === 'inclusive' ? row.time >= begin : row.time > begin) &&
        (ends === 'inclusive' ? row.time <= end : row.time < end) &&
        this.isListed(row, this.now),
    );
    const direction = sorting === 'newest first' ? -1 : 1;
    found.sort((a, b) => (sorting === 'by id' ? 0 : direction * (a.time - b.time)) || (a.id < b.id ? -1 : 1));
    const until = this.rows.reduce((at, row) => (row.listedAt > this.now ? Math.min(at, row.listedAt) : at), Infinity);
    this.#last = { begin, end, changes: this.changes, until, found };
    return found;
  }
}

function refusal(message: string): ParameterRefused {
  return new ParameterRefused(message, { status: 400, code: 'HSS.0004', apiMessage: message, requestId: null });
}

/** Changes of the list during so much time, on average `perDay` of each kind. */
export function change(
  list: WindowedList,
  random: Random,
  {
    ms,
    perDay,
    options,
  }: {
    readonly ms: number;
    readonly perDay: Readonly<Record<'events' | 'handled' | 'deleted', number>>;
    readonly options: WindowedOptions;
  },
): void {
  const from = list.now;
  list.now += ms;
  const times = (rate: number) => random.count((rate * ms) / DAY);
  for (let left = times(perDay.events); left > 0; left -= 1) {
    const time = Math.floor(random.between(from, list.now));
    list.add(time, random.chance(0.7) ? time : Math.floor(time + random() * options.lateMs));
  }
  if (options.appendOnly || list.rows.length === 0) return;
  const anyListed = () => {
    const row = list.rows[random.int(list.rows.length)];
    return row !== undefined && list.isListed(row, list.now) ? row : undefined;
  };
  for (let left = times(perDay.handled); left > 0; left -= 1) {
    const row = anyListed();
    if (row === undefined) continue;
    list.changes += 1;
    row.handledAt = list.now;
    if (options.movesOn) row.time = list.now;
  }
  for (let left = times(perDay.deleted); left > 0; left -= 1) {
    const row = anyListed();
    if (row !== undefined) row.goneAt ??= list.now;
    list.changes += 1;
  }
}
