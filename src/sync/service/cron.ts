import { Cron } from 'croner';
import { parse, validateDetailed } from 'node-cron';
import { coerceError } from '../../core/errors.ts';
import { type Clock, HIGHEST_PRIORITY, type KeptPlaces } from '../../core/ports.ts';
import { DAY_MS, HOUR_MS } from '../../core/stream/time.ts';

/**
 * croner computes when an expression fires. As in crontab(5), a day that matches one of the two day fields is enough if
 * neither contains a star. node-cron accepts more spellings (`22-2`, `FRI-MON`, `Monday`), so croner gets the fields as
 * parsed by node-cron.
 */
function cronOf(expression: string): Cron {
  const cron = knownCrons.get(expression) ?? compile(expression);
  knownCrons.set(expression, cron);
  return cron;
}

/** By expression, because parsing one takes longer than computing a tick. */
const knownCrons = new Map<string, Cron>();

function compile(expression: string): Cron {
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
  // An offset is UTC by arithmetic; a name would be looked up in the tables of time zones, which takes far longer.
  return new Cron(pattern, { utcOffset: 0, mode: '6-part', domAndDow: isStarred });
}

function isAny(field: string): boolean {
  return field === '*' || field === '?';
}

/** Error message for an invalid cron expression of five or six fields; null for a valid one. */
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

/** The next time after `after` (default now) at which a valid expression fires, in UTC; null if it never fires. */
export function nextTick(expression: string, after: Date = new Date()): Date | null {
  return cronOf(expression).nextRun(after);
}

/** The last time at or before `at` at which a valid expression fired, in UTC; null if it never fires. */
export function previousTick(expression: string, at: Date): Date | null {
  const known = knownPeriods.get(expression);
  if (known !== undefined && at >= known.from && (known.until === null || at < known.until)) return known.from;
  const cron = cronOf(expression);
  // croner searches strictly before a whole second.
  const second = new Date(Math.floor(at.getTime() / 1000) * 1000 + 1000);
  const from = cron.previousRuns(1, second)[0] ?? null;
  if (from !== null) knownPeriods.set(expression, { from, until: cron.nextRun(from) });
  return from;
}

/** By expression: the last computed period between two ticks. `until` is null if no tick follows. */
const knownPeriods = new Map<string, { readonly from: Date; readonly until: Date | null }>();

function timeOfDay(hours: number, minutes: number, seconds: number): number {
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** Time between a tick and the one before it, in ms; null if there is none before. */
export function intervalBefore(expression: string, tick: Date): number | null {
  const known = knownIntervals.get(expression);
  if (known?.tick === tick.getTime()) return known.ms;
  // croner searches strictly before the tick.
  const [previous] = cronOf(expression).previousRuns(1, tick);
  const ms = previous === undefined ? null : tick.getTime() - previous.getTime();
  knownIntervals.set(expression, { tick: tick.getTime(), ms });
  return ms;
}

/** The interval that was asked for last, by expression: every decision about what is due asks for it. */
const knownIntervals = new Map<string, { readonly tick: number; readonly ms: number | null }>();

/** A fixed period, so that results are reproducible, and long enough for schedules that fire once a year. */
const SAMPLE_START_MS = Date.UTC(2026, 0, 1);
const SAMPLE_DAYS = 3 * 366;
/** Enough if every day has ticks: from the only tick of a day to the second one after it. */
const DAYS_WHERE_ALL_ARE_EQUAL = 3;

/**
 * The longest time from one tick of a valid expression to the second one after it, in ms, including nights and weekends
 * without ticks. 0 for schedules that fire less than once a year.
 */
export function twoTicksMs(expression: string): number {
  const longest = knownSpans.get(expression) ?? longestSpanMs(expression);
  knownSpans.set(expression, longest);
  return longest;
}

/** Computed once for each expression, because it is slow and the status of many projects needs it repeatedly. */
const knownSpans = new Map<string, number>();

function longestSpanMs(expression: string): number {
  const { dayOfMonth, month, dayOfWeek, hour, minute, second } = parse(expression);
  const isDaily = dayOfMonth.length === 31 && month.length === 12 && dayOfWeek.length === 7;
  const times = [...hour]
    .flatMap((h) => [...minute].flatMap((m) => [...second].map((s) => timeOfDay(h, m, s))))
    .sort((a, b) => a - b);
  const days = isDaily ? sampleDays(DAYS_WHERE_ALL_ARE_EQUAL) : daysOf(expression, times[0] ?? 0);
  // Only the first and last ticks of a day have neighbours on another day.
  const ends = [...new Set([...times.slice(0, 2), ...times.slice(-2)])];
  const ticks = days.flatMap((day) => ends.map((time) => day + time));
  const dayOf = (tick: number) => Math.floor(tick / DAY_MS);
  const across = spansOf(ticks).filter(([from, to]) => dayOf(from) !== dayOf(to));
  return [...spansOf(times), ...across].reduce((longest, [from, to]) => Math.max(longest, to - from), 0);
}

/** Days of the sample, in ms since the epoch, on which an expression fires; its first tick of a day is `firstMs`. */
function daysOf(expression: string, firstMs: number): readonly number[] {
  const cron = cronOf(expression);
  return sampleDays(SAMPLE_DAYS).filter((day) => cron.match(new Date(day + firstMs)));
}

function sampleDays(length: number): readonly number[] {
  return Array.from({ length }, (_, day) => SAMPLE_START_MS + day * DAY_MS);
}

/** Pairs of each instant and the second one after it. */
function spansOf(instants: readonly number[]): readonly (readonly [number, number])[] {
  return instants.slice(2).map((to, index) => [instants[index] ?? to, to] as const);
}

/** Maximum wait before the clock is read again, because it may be corrected meanwhile. */
const LOOK_AGAIN_MS = 60_000;
/** The database time is measured again from time to time. A smaller step back is inaccuracy, not a corrected clock. */
const NO_STEP_MS = 1_000;

/**
 * Calls `onTick` at every tick, in UTC according to `clock`. Returns a function that stops it. If ticks are missed (a
 * blocked event loop, a machine that slept, a clock set forward), it calls `onTick` once for all of them.
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

/**
 * Time between the ticks of a valid expression, in ms: the mean of the next twelve; one hour if it fires less than
 * twice.
 */
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
    ? HOUR_MS
    : (last.getTime() - first.getTime()) / (ticks.length - 1);
}

/** A stream whose schedule fires at least this often, in ms, has places that long walks of other streams cannot take. */
const FREQUENT_MS = 2 * 60_000;

/** Whether the lanes of a schedule use the places that are kept for frequent ones. */
export function isFrequent(schedule: string): boolean {
  return tickEveryMs(schedule) <= FREQUENT_MS;
}

/**
 * Places kept for frequent lanes and for all others. A walk keeps its place while it waits for its quota, up to many
 * minutes, so without them a minute's lane would wait that long for a place. Each kind has at least a third, so none
 * starves.
 */
export function keptPlaces(schedules: readonly string[], concurrency: number): KeptPlaces {
  if (schedules.length <= 1) return { frequent: 0, others: 0 };
  const most = Math.floor(concurrency / 3);
  const frequent = schedules.filter(isFrequent).length;
  return { frequent: Math.min(most, frequent), others: Math.min(most, schedules.length - frequent) };
}

/** Start of the count of seconds in priorities, which suffices until 2054. */
const PRIORITIES_FROM_MS = Date.UTC(2020, 0, 1);
/** Lanes with longer schedules would otherwise wait for as long if all places are in use. */
const LONGEST_INTERVAL_MS = HOUR_MS;

/** When a lane was last served and how often its stream fires. */
export interface LastService {
  /** In ms since the epoch. */
  readonly servedAtMs: number;
  /** Interval of the schedule, in ms. */
  readonly everyMs: number;
}

/**
 * Priority of a lane: the earlier it should be served again by its schedule, the higher. It depends on that time and
 * not on how long ago it is, because the queue keeps it: lanes queued later, after a shorter wait, must not go first.
 */
export function priorityOf({ servedAtMs, everyMs }: LastService): number {
  const deadline = servedAtMs + Math.min(everyMs, LONGEST_INTERVAL_MS);
  return HIGHEST_PRIORITY - Math.max(0, Math.floor((deadline - PRIORITIES_FROM_MS) / 1000));
}
