/**
 * The instant of a wall-clock time (`2025-08-21T07:03:56`) in a zone: an IANA name, or an offset such as `+08:00`.
 * In the hour that a zone skips or repeats the offset just before the change is used.
 */
export function instantIn(timeZone: string, wallClock: string): Date {
  const asUtc = Date.parse(`${wallClock}Z`);
  if (timeZone === 'UTC') return new Date(asUtc);
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

/** Zones are less than a day away from UTC, and change their offset more seldom than that. */
const DAY_MS = 86_400_000;

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
