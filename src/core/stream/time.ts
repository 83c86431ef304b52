import type { PageParams } from './endpoint.ts';

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
export const DAY_MS = UNIT_MS.d;

/**
 * The instant of a wall-clock time (`2025-08-21T07:03:56`) in a zone: an IANA name, or an offset such as `+08:00`.
 * In the hour that a zone skips or repeats the offset just before the change is used.
 */
export function instantIn(timeZone: string, wallClock: string): Date {
  const asUtc = Date.parse(`${wallClock}Z`);
  if (timeZone === 'UTC') return new Date(asUtc);
  // Zones are less than a day away from UTC and change their offset less often than daily.
  const before = offsetMs(timeZone, asUtc - DAY_MS);
  const after = offsetMs(timeZone, asUtc + DAY_MS);
  const isBefore = offsetMs(timeZone, asUtc - before) === before;
  const isAfter = offsetMs(timeZone, asUtc - after) === after;
  return new Date(asUtc - (isAfter && !isBefore ? after : before));
}

/** The wall-clock time (`2025-08-21T07:03:56`) of an instant in a zone: the counterpart of `instantIn`. */
export function wallClockIn(timeZone: string, at: number): string {
  const ahead = timeZone === 'UTC' ? 0 : offsetMs(timeZone, at);
  return new Date(at + ahead).toISOString().slice(0, 19);
}

/**
 * A zone as the API writes it, as `instantIn` takes it: an IANA name, or an offset written `+08:00`, `UTC+8` or `GMT+08:00`
 * (the documents of HSS have `UTC+08:00`, those of DBSS say nothing). Null for what is none.
 */
export function zoneOf(text: unknown): string | null {
  if (typeof text !== 'string') return null;
  const [, sign = '', hours = '', minutes = '00'] = /^(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?$/i.exec(text.trim()) ?? [];
  const zone = sign === '' ? text.trim() : `${sign}${hours.padStart(2, '0')}:${minutes}`;
  try {
    formatter(zone);
    return zone;
  } catch {
    return null;
  }
}

/** How far the zone is ahead of UTC at an instant, in ms. */
function offsetMs(timeZone: string, at: number): number {
  const parts = Object.fromEntries(
    formatter(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formatters.set(timeZone, made);
  return made;
}

/** How an endpoint writes a time: 13 digits or 10, as a number or as text, or `2026-11-28 07:03:56`. */
export type WindowUnit = 'ms' | 'ms-text' | 's' | 's-text' | 'text';

/** A list that is asked for between two times, as a stream file declares it. */
export interface TimeWindow {
  /** Parameter of the earliest time; inside a body its path, such as `time.start_time`. */
  readonly begin: string;
  readonly end: string;
  readonly in: 'query' | 'body';
  readonly unit: WindowUnit;
  /** Column of `timestamptz` that the API filters by. */
  readonly column: string;
  /** Longest time one request may span, in ms. */
  readonly maxMs: number;
  /** How far back the list goes, in ms; null where no document says so. */
  readonly keepMs: number | null;
  /** A row is listed at most this long after its time, in ms. */
  readonly marginMs: number;
  /** How far beyond now the newest window asks, in ms: rows that a wrong clock dated ahead. */
  readonly aheadMs: number;
}

type Duration = `${number}${'m' | 'h' | 'd'}`;

interface WindowOptions extends Pick<TimeWindow, 'begin' | 'end' | 'unit' | 'column'> {
  /** `query` unless said. */
  readonly in?: TimeWindow['in'];
  /** Longest time one request may span; 30 days unless said. */
  readonly maxDays?: number;
  /** How far back the list goes, where a document says so. */
  readonly keepDays?: number;
  /** `1h` unless said. A row that comes later than that into a list that only grows is never read. */
  readonly margin?: Duration;
  /** `0m` unless said: there are lists that refuse an end that lies ahead. */
  readonly ahead?: Duration;
}

/**
 * Declares that a list takes a begin and an end, and is read window by window:
 * `timeWindow({ begin: 'begin_time', end: 'end_time', unit: 'ms-text', column: 'occur_time', maxDays: 30, margin: '1h' })`.
 */
export function timeWindow(options: WindowOptions): TimeWindow {
  const { maxDays = 30, keepDays = null, margin = '1h', ahead = '0m', in: place = 'query', ...rest } = options;
  return {
    ...rest,
    in: place,
    maxMs: maxDays * DAY_MS,
    keepMs: keepDays === null ? null : keepDays * DAY_MS,
    marginMs: durationMs(margin),
    aheadMs: durationMs(ahead),
  };
}

function durationMs(text: Duration): number {
  const [, count = '', unit = 'm'] = /^([\d.]+)([mhd])$/.exec(text) ?? [];
  return Number(count) * (unit === 'd' ? UNIT_MS.d : unit === 'h' ? UNIT_MS.h : UNIT_MS.m);
}

/** Times between which a list is asked for, in ms, whole seconds. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** The parameters that ask for the span. Times without zone are written in `timeZone`, as those of the rows are read. */
export function spanParams(window: TimeWindow, { begin, end }: Span, timeZone: string): PageParams {
  const first = wireTime(window.unit, begin, timeZone);
  const last = wireTime(window.unit, end, timeZone);
  if (window.in === 'query') return { query: { [window.begin]: first, [window.end]: last } };
  const body: Record<string, unknown> = {};
  place(body, window.begin.split('.'), first);
  place(body, window.end.split('.'), last);
  return { body };
}

function wireTime(unit: WindowUnit, ms: number, timeZone: string): string | number {
  if (unit === 'text') return wallClockIn(timeZone, ms).replace('T', ' ');
  const count = unit.startsWith('ms') ? ms : Math.floor(ms / 1000);
  return unit.endsWith('-text') ? String(count) : count;
}

function place(into: Record<string, unknown>, [name = '', ...inner]: readonly string[], value: string | number): void {
  if (inner.length === 0) {
    into[name] = value;
    return;
  }
  const known = into[name];
  const members: Record<string, unknown> = typeof known === 'object' && known !== null ? { ...known } : {};
  place(members, inner, value);
  into[name] = members;
}
