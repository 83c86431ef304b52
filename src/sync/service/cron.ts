import { Cron } from 'croner';
import { parse, validateDetailed } from 'node-cron';
import { coerceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';

/**
 * croner says when an expression fires. crontab(5): where neither day field contains a star, a day that matches either of them
 * is enough. node-cron reads more spellings (`22-2`, `FRI-MON`, `Monday`), so croner gets the fields as node-cron has read them.
 */
function cronOf(expression: string): Cron {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = parse(expression);
  const [monthDay = '', , weekDay = ''] = expression.trim().split(/\s+/).slice(-3);
  const isStarred = monthDay.startsWith('@') || monthDay.includes('*') || weekDay.includes('*');
  const fields = [
    second,
    minute,
    hour,
    isAny(monthDay) ? ['*'] : dayOfMonth,
    month,
    isAny(weekDay) ? ['*'] : dayOfWeek,
  ];
  const pattern = fields.map((values) => values.join(',')).join(' ');
  return new Cron(pattern, { timezone: 'UTC', mode: '6-part', domAndDow: isStarred });
}

function isAny(field: string): boolean {
  return field === '*' || field === '?';
}

/** What is wrong with a cron expression of five or six fields, or null. */
export function cronProblem(expression: string): string | null {
  const { valid, errors } = validateDetailed(expression);
  if (!valid)
    return errors.map(({ field, message }) => (field === 'expression' ? message : `${field}: ${message}`)).join('; ');
  try {
    return cronOf(expression).nextRun() === null ? 'it never fires' : null;
  } catch (error) {
    return coerceError(error).message.replace(/^CronPattern: /, '');
  }
}

/** When a valid expression fires next after `after` (by default now), in UTC; null for one that never fires. */
export function nextTick(expression: string, after: Date = new Date()): Date | null {
  return cronOf(expression).nextRun(after);
}

const DAY_MS = 86_400_000;

/** When a valid expression last fired at or before `at`, in UTC; null for one that never fires. */
export function previousTick(expression: string, at: Date): Date | null {
  // croner looks strictly before a whole second.
  const second = new Date(Math.floor(at.getTime() / 1000) * 1000 + 1000);
  return cronOf(expression).previousRuns(1, second)[0] ?? null;
}

function timeOfDay(hours: number, minutes: number, seconds: number): number {
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** The milliseconds between a tick and the one before it; null where there is none. */
export function intervalBefore(expression: string, tick: Date): number | null {
  const previous = previousTick(expression, new Date(tick.getTime() - 1));
  return previous === null ? null : tick.getTime() - previous.getTime();
}

/** The same days whenever it is asked, and enough of them for what ticks once a year. */
const SAMPLE_START_MS = Date.UTC(2026, 0, 1);
const SAMPLE_DAYS = 3 * 366;

/**
 * The longest time from one tick of a valid expression to the second one after it: nights and weekends without ticks count.
 * What ticks less than once a year has no such time here.
 */
export function twoTicksMs(expression: string): number {
  const longest = knownSpans.get(expression) ?? longestSpanMs(expression);
  knownSpans.set(expression, longest);
  return longest;
}

/** It takes 20 ms to find out, and a status of many projects asks again and again. */
const knownSpans = new Map<string, number>();

function longestSpanMs(expression: string): number {
  const { hour, minute, second } = parse(expression);
  const times = [...hour]
    .flatMap((h) => [...minute].flatMap((m) => [...second].map((s) => timeOfDay(h, m, s))))
    .sort((a, b) => a - b);
  const first = times[0] ?? 0;
  const cron = cronOf(expression);
  const days = Array.from({ length: SAMPLE_DAYS }, (_, day) => SAMPLE_START_MS + day * DAY_MS).filter((day) =>
    cron.match(new Date(day + first)),
  );
  // Only the ends of a day reach into another one.
  const ends = [...new Set([...times.slice(0, 2), ...times.slice(-2)])];
  const ticks = days.flatMap((day) => ends.map((time) => day + time));
  const dayOf = (tick: number) => Math.floor(tick / DAY_MS);
  const across = spansOf(ticks).filter(([from, to]) => dayOf(from) !== dayOf(to));
  return [...spansOf(times), ...across].reduce((longest, [from, to]) => Math.max(longest, to - from), 0);
}

/** Each instant with the second one after it. */
function spansOf(instants: readonly number[]): readonly (readonly [number, number])[] {
  return instants.slice(2).map((to, index) => [instants[index] ?? to, to] as const);
}

/** While a tick is waited for, the clock may be put right. */
const LOOK_AGAIN_MS = 60_000;
/** The time of the database is measured anew now and then: this little is no clock that was set back. */
const NO_STEP_MS = 1_000;

/**
 * Calls `onTick` at every tick, in UTC and by `clock`, until the returned function is called. A blocked event loop, a laptop
 * that slept or a clock that is set forward loses ticks: however many they were, one makes up for them.
 */
export function onTicks(expression: string, clock: Pick<Clock, 'now'>, onTick: () => void): () => void {
  const tickAfter = (ms: number) => nextTick(expression, new Date(ms))?.getTime() ?? Number.POSITIVE_INFINITY;
  let last = clock.now();
  let next = tickAfter(last);
  let timer: NodeJS.Timeout | undefined;
  const follow = () => {
    const now = clock.now();
    const isDue = now >= next;
    if (isDue || now < last - NO_STEP_MS) next = tickAfter(now);
    last = now;
    timer = setTimeout(follow, Math.max(1, Math.min(next - now, LOOK_AGAIN_MS)));
    if (isDue) onTick();
  };
  follow();
  return () => clearTimeout(timer);
}

const knownTicks = new Map<string, number>();

/** How far apart the ticks of a valid expression are, in ms: the mean of the next twelve. */
export function tickEveryMs(expression: string): number {
  const every = knownTicks.get(expression) ?? meanTickMs(expression);
  knownTicks.set(expression, every);
  return every;
}

function meanTickMs(expression: string): number {
  const ticks = cronOf(expression).nextRuns(13);
  const [first] = ticks;
  const last = ticks.at(-1);
  return first === undefined || last === undefined || ticks.length < 2
    ? 3_600_000
    : (last.getTime() - first.getTime()) / (ticks.length - 1);
}
