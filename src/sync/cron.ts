import { type Logger as CronLogger, createTask, parse, schedule, validateDetailed } from 'node-cron';
import type { Logger } from '../core/ports.ts';

/** What is wrong with a cron expression of five or six fields, or null. */
export function cronProblem(expression: string): string | null {
  const { valid, errors } = validateDetailed(expression);
  if (valid) return null;
  return errors.map(({ field, message }) => (field === 'expression' ? message : `${field}: ${message}`)).join('; ');
}

/** When a valid expression fires next, in UTC. */
export function nextTick(expression: string): Date | null {
  // Not getNextRun: it knows nothing of a task that was not started.
  return inspect(expression, (task) => task.getNextRuns(1)[0] ?? null);
}

const DAY_MS = 86_400_000;

/** The 29th of February can be eight years away. */
const LONGEST_WAIT_DAYS = 9 * 366;

/** When a valid expression last fired at or before `at`, in UTC; null for one that fires never. */
export function previousTick(expression: string, at: Date): Date | null {
  const { hour, minute, second } = parse(expression);
  const [hours, minutes, seconds] = [hour, minute, second].map((values) => [...values].sort((a, b) => b - a));
  const first = [Math.min(...hour), Math.min(...minute), Math.min(...second)] as const;
  return inspect(expression, (task) => {
    const today = Math.floor(at.getTime() / DAY_MS) * DAY_MS;
    for (let day = today; day > today - LONGEST_WAIT_DAYS * DAY_MS; day -= DAY_MS) {
      if (!task.match(new Date(day + timeOfDay(...first)))) continue;
      for (const h of hours ?? []) {
        for (const m of minutes ?? []) {
          const s = (seconds ?? []).find((candidate) => day + timeOfDay(h, m, candidate) <= at.getTime());
          if (s !== undefined) return new Date(day + timeOfDay(h, m, s));
        }
      }
    }
    return null;
  });
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
  const days = inspect(expression, (task) =>
    Array.from({ length: SAMPLE_DAYS }, (_, day) => SAMPLE_START_MS + day * DAY_MS).filter((day) =>
      task.match(new Date(day + first)),
    ),
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

function inspect<T>(expression: string, look: (task: ReturnType<typeof createTask>) => T): T {
  const task = createTask(expression, () => {}, { timezone: 'UTC' });
  try {
    return look(task);
  } finally {
    void task.destroy();
  }
}

/** Calls `onTick` at every tick, in UTC, until the returned function is called. */
export function onTicks(expression: string, logger: Logger, onTick: () => void): () => Promise<void> {
  const task = schedule(expression, onTick, {
    timezone: 'UTC',
    noOverlap: true,
    logger: quiet(logger),
    suppressMissedWarning: true,
  });
  // A blocked event loop or a laptop that slept loses ticks: however many they were, one makes up for them.
  task.on('execution:missed', onTick);
  return async () => {
    await task.destroy();
  };
}

/** node-cron would write lines of its own to the console, where stdout may have to be one JSON document. */
function quiet(logger: Logger): CronLogger {
  const log = (message: string | Error) => logger.debug({ cron: String(message) }, 'node-cron');
  return { info: log, warn: log, error: log, debug: log };
}

const knownTicks = new Map<string, number>();

/** How far apart the ticks of a valid expression are, in ms: the mean of the next few. */
export function tickEveryMs(expression: string): number {
  const every = knownTicks.get(expression) ?? meanTickMs(expression);
  knownTicks.set(expression, every);
  return every;
}

function meanTickMs(expression: string): number {
  const task = createTask(expression, () => {}, { timezone: 'UTC' });
  try {
    const ticks = task.getNextRuns(13);
    const [first] = ticks;
    const last = ticks.at(-1);
    return first === undefined || last === undefined || ticks.length < 2
      ? 3_600_000
      : (last.getTime() - first.getTime()) / (ticks.length - 1);
  } finally {
    void task.destroy();
  }
}
