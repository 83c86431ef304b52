import type { PageParams } from './endpoint.ts';

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Length of an hour in ms. */
export const HOUR_MS = UNIT_MS.h;
/** Length of a day in ms. */
export const DAY_MS = UNIT_MS.d;

/**
 * The instant of a wall-clock time (`2025-08-21T07:03:56`) in a zone: an IANA name, or an offset such as `+08:00`. In
 * an hour that the zone skips or repeats, the offset before the change applies.
 */
export function instantIn(timeZone: string, wallClock: string): Date {
  const asUtc = Date.parse(`${wallClock}Z`);
  if (timeZone === 'UTC') return new Date(asUtc);
  // Zones differ from UTC by less than a day and change their offset at most once a day.
  const before = offsetMs(timeZone, asUtc - DAY_MS);
  const after = offsetMs(timeZone, asUtc + DAY_MS);
  const isBefore = offsetMs(timeZone, asUtc - before) === before;
  const isAfter = offsetMs(timeZone, asUtc - after) === after;
  return new Date(asUtc - (isAfter && !isBefore ? after : before));
}

/** The wall-clock time (`2025-08-21T07:03:56`) of an instant in a zone; the inverse of `instantIn`. */
export function wallClockIn(timeZone: string, at: number): string {
  const ahead = timeZone === 'UTC' ? 0 : offsetMs(timeZone, at);
  return new Date(at + ahead).toISOString().slice(0, 19);
}

/** Step towards a wall-clock time that is shown once, in ms. */
const STEP_MS = UNIT_MS.m * 30;

/**
 * The nearest instant, in steps of half an hour forwards (1) or backwards (-1), whose wall-clock time the zone shows
 * once. Where clocks are set back, an hour is shown twice, and a text does not say which of the two is meant.
 */
export function shownOnce(timeZone: string, at: number, direction: 1 | -1): number {
  let once = at;
  while (isShownTwice(timeZone, once)) once += direction * STEP_MS;
  return once;
}

function isShownTwice(timeZone: string, at: number): boolean {
  if (timeZone === 'UTC') return false;
  const wallClock = at + offsetMs(timeZone, at);
  const before = offsetMs(timeZone, wallClock - DAY_MS);
  const after = offsetMs(timeZone, wallClock + DAY_MS);
  const isShownAt = (offset: number) => offsetMs(timeZone, wallClock - offset) === offset;
  return before !== after && isShownAt(before) && isShownAt(after);
}

/**
 * Converts a zone from the API to one for `instantIn`: an IANA name, or an offset such as `+08:00`, `UTC+8` or
 * `GMT+08:00` (the HSS documents have `UTC+08:00`, the DBSS documents do not say). Null for any other text.
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

/** Offset of the zone from UTC at an instant, in ms; positive to the east. */
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

/** Format of times in requests: 13 or 10 digits, as number or text, or `2026-11-28 07:03:56`. */
export type WindowUnit = 'ms' | 'ms-text' | 's' | 's-text' | 'text';

/** How to request a time window of a list, as declared in a stream file. */
export interface TimeWindow {
  /** Parameter for the start; in a body its path, such as `time.start_time`. */
  readonly begin: string;
  readonly end: string;
  readonly in: 'query' | 'body';
  readonly unit: WindowUnit;
  /** Column of type `timestamptz` that the API filters by. */
  readonly column: string;
  /** Maximum span of one request, in ms. */
  readonly maxMs: number;
  /** How far back the list goes, in ms; null if no document says so. */
  readonly keepMs: number | null;
  /** Maximum delay between the time of a row and its listing, in ms. */
  readonly marginMs: number;
  /** How far the newest window extends beyond now, in ms, for rows dated ahead by a wrong clock. */
  readonly aheadMs: number;
}

type Duration = `${number}${'m' | 'h' | 'd'}`;

interface WindowOptions extends Pick<TimeWindow, 'begin' | 'end' | 'unit' | 'column'> {
  /** Default `query`. */
  readonly in?: TimeWindow['in'];
  /** Maximum span of one request; default 30 days. */
  readonly maxDays?: number;
  /** How far back the list goes, if documented. */
  readonly keepDays?: number;
  /** Default `1h`. In a list that only grows, a row that arrives later is never read. */
  readonly margin?: Duration;
  /** Default `0m`, because some lists refuse an end in the future. */
  readonly ahead?: Duration;
}

/**
 * Declares that a list accepts a start and an end, and is read window by window: `timeWindow({ begin: 'begin_time',
 * end: 'end_time', unit: 'ms-text', column: 'occur_time', maxDays: 30, margin: '1h' })`.
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

/** A period of time, from `begin` up to `end`, in ms since 1970, in whole seconds. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** The request parameters for a period. Times without zone are written in `timeZone`, as those of rows are read. */
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

/** From this year on, the text has another form. */
const YEAR_10000_MS = 253_402_300_800_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/** Day of the last text, in days since the epoch, and how its text begins: `2026-11-29T`. */
let lastDay = Number.NaN;
let lastDate = '';

/** The same text as that of `toISOString`, which is ten times as slow (docs/performance.md). Throws for an invalid date. */
export function isoText(time: Date): string {
  const ms = time.getTime();
  if (!(ms >= 0 && ms < YEAR_10000_MS)) return time.toISOString();
  const day = Math.floor(ms / DAY_MS);
  if (day !== lastDay) {
    lastDay = day;
    lastDate = time.toISOString().slice(0, 11);
  }
  const inDay = ms - day * DAY_MS;
  const seconds = Math.floor(inDay / 1000);
  const minutes = Math.floor(seconds / 60);
  const rest = inDay - seconds * 1000;
  const zeros = rest < 10 ? '00' : rest < 100 ? '0' : '';
  return `${lastDate}${TWO_DIGITS[Math.floor(minutes / 60)]}:${TWO_DIGITS[minutes % 60]}:${TWO_DIGITS[seconds % 60]}.${zeros}${rest}Z`;
}
