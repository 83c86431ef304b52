import type { RunReport } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { planWindows } from '../../src/core/windows.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import { quietLogger, scope } from './engine.ts';
import { MemoryStore } from './memory-store.ts';
import { type Random, random } from './random.ts';
import { change, DAY, HOUR, type Listed, WindowedList, type WindowedOptions, windowedStream } from './windowed-list.ts';

const START = Date.UTC(2026, 10, 1, 7, 13, 29);
const SINCE_MS = 9 * DAY;
/** The newest window ends this long before now, in ms, at a whole second. */
const UNASKED_MS = 11_000;

interface Outcome {
  readonly runs: number;
  readonly complete: number;
  readonly halved: boolean;
  readonly marked: number;
}

/** A list that moves while it is read window by window for some days; throws where something that was claimed is not so. */
async function claimsOfWindows(seed: number): Promise<Outcome> {
  const chance = random(seed);
  const options = drawn(chance);
  const stream = windowedStream(options);
  const list = new WindowedList(options, START);
  const density = chance.pick([2, 10, 40]);
  const perDay = { events: density, handled: chance.pick([0, 5]), deleted: chance.pick([0, 0, 1]) };
  for (let left = density * 14; left > 0; left -= 1) {
    const time = Math.floor(START - chance() * 14 * DAY);
    list.add(time, time);
  }
  const store = new MemoryStore(() => list.now);
  const engine = engineOf(list, store);
  const pace = chance.pick([5_000, 60_000, 10 * 60_000]);
  list.between = () => change(list, chance, { ms: Math.floor(chance() * pace), perDay, options });
  let complete = 0;
  let runs = 0;
  for (let left = 10; left > 0; left -= 1) {
    const began = list.now;
    const deadline = chance.chance(0.2) ? { until: list.now + chance() * HOUR } : {};
    const full = chance.chance(0.05);
    const report = await runStream(
      engine,
      { stream, scope },
      { signal: new AbortController().signal, full, ...deadline },
    );
    runs += 1;
    if (report.certificate === 'complete') complete += 1;
    checkClaims({ list, store, stream, options }, report, began);
    const pause = chance.pick([5 * 60_000, HOUR, 7 * HOUR, DAY, 3 * DAY]);
    change(list, chance, { ms: pause, perDay, options });
  }
  const marked = [...store.table(stream, scope).values()].filter(({ deletedAt }) => deletedAt !== null).length;
  const keys = [...store.remembered(stream, scope)];
  const halved = keys.some(([key, { state }]) => key !== '' && state.reason === 'capped');
  return { runs, complete, halved, marked };
}

export interface Outcomes {
  readonly runs: number;
  readonly complete: number;
  /** Lists whose windows were read in halves. */
  readonly halved: number;
  /** Rows that were marked as gone. */
  readonly marked: number;
}

/** One list for each seed; the first one that is claimed for more than it showed says how to run it alone. */
export async function claimsOfSeeds(seeds: number): Promise<Outcomes> {
  const only = process.env.SEED;
  const first = only === undefined ? 1 : Number(only);
  const outcomes: Outcome[] = [];
  for (let seed = first; seed <= (only === undefined ? seeds : first); seed += 1) {
    try {
      outcomes.push(await claimsOfWindows(seed));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason}\nreplay: SEED=${seed} npx vitest run test/property/windows.test.ts`, { cause: error });
    }
  }
  const add = (pick: (one: Outcome) => number) => outcomes.reduce((sum, one) => sum + pick(one), 0);
  return {
    runs: add(({ runs }) => runs),
    complete: add(({ complete }) => complete),
    halved: add(({ halved }) => Number(halved)),
    marked: add(({ marked }) => marked),
  };
}

function drawn(chance: Random): WindowedOptions {
  const cap = chance.pick([null, null, 37, 60]);
  const appendOnly = chance.chance(0.4);
  const marginMs = chance.pick([30 * 60_000, HOUR]);
  return {
    limit: chance.pick([10, 20]),
    maxDays: chance.pick([2, 3]),
    marginMs,
    lateMs: marginMs,
    keepDays: chance.pick([null, 6, 30]),
    keepIsDeclared: chance.chance(0.5),
    appendOnly,
    movesOn: !appendOnly && chance.chance(0.2),
    begins: chance.pick(['inclusive', 'exclusive']),
    ends: chance.pick(['inclusive', 'exclusive']),
    cap,
    sorting: chance.pick(['newest first', 'newest first', 'oldest first', 'by id']),
    refusesAhead: chance.chance(0.5),
    clockMs: chance.pick([0, 0, -5_000, 5_000]),
  };
}

function engineOf(list: WindowedList, store: MemoryStore): Engine {
  return {
    source: list,
    store,
    clock: {
      now: () => list.now,
      async sleep(ms) {
        list.now += ms;
      },
    },
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => stream.reconcileEveryMs,
    sinceMs: () => SINCE_MS,
  };
}

interface Checked {
  readonly list: WindowedList;
  readonly store: MemoryStore;
  readonly stream: Stream;
  readonly options: WindowedOptions;
}

function checkClaims({ list, store, stream, options }: Checked, report: RunReport, began: number): void {
  const { window, appendOnly = false } = stream;
  if (window === undefined) throw new Error('no window');
  const table = store.table(stream, scope);
  const remembered = store.remembered(stream, scope);
  const states = new Map([...remembered].map(([key, { state }]) => [key, state]));
  const { windows } = planWindows(listing(), states, {
    window,
    appendOnly,
    limit: stream.paging.limit,
    now: list.now,
    sinceMs: SINCE_MS,
    timeZone: 'UTC',
  });
  const isThere = (row: Listed) => table.get(row.id)?.deletedAt === null;
  const throughout = list.rows.filter((row) => list.isListed(row, began) && list.isListed(row, list.now));
  for (const { listing: one, state, settledFrom, isNewest } of windows) {
    if (state?.certificate !== 'complete') {
      if (report.certificate === 'complete') throw new Error(`complete without ${one.key}`);
      continue;
    }
    const certifiedAt = state.certifiedAt?.getTime() ?? 0;
    const contentAt = state.contentAt?.getTime() ?? 0;
    const inside = ({ time }: Listed) => time >= one.window.rows.begin && time < one.window.rows.end;
    // Times that moved on since belong to another window now.
    const byNow = isNewest ? Math.min(began, list.now) - UNASKED_MS : Number.POSITIVE_INFINITY;
    if (certifiedAt >= began) {
      const lost = throughout.filter((row) => inside(row) && row.time < byNow && !options.movesOn && !isThere(row));
      if (lost.length > 0) throw new Error(`${one.key} lacks ${lost.length} rows such as ${JSON.stringify(lost[0])}`);
    }
    const throughWalk = (row: Listed) => list.isListed(row, contentAt) && list.isListed(row, certifiedAt);
    if (appendOnly && !isNewest && contentAt >= settledFrom) {
      const lost = list.rows.filter((row) => inside(row) && throughWalk(row) && !isThere(row));
      if (lost.length > 0) throw new Error(`${one.key} counts as read without ${JSON.stringify(lost[0])}`);
    }
  }
  if (options.movesOn && report.certificate === 'complete' && report.walk === 'full') {
    const earliest = Math.min(...windows.map((one) => one.listing.window.rows.begin));
    const whole = windows.every(({ state }) => (state?.certifiedAt?.getTime() ?? 0) >= began);
    const lost = throughout.filter(
      (row) => row.time >= earliest && row.time < began - UNASKED_MS && !table.has(row.id),
    );
    if (whole && lost.length > 0) throw new Error(`complete without ${JSON.stringify(lost[0])}`);
  }
  for (const row of list.rows) {
    const stored = table.get(row.id);
    if (stored?.deletedAt === null || stored === undefined) continue;
    if (row.goneAt === null)
      throw new Error(`${row.id} is marked as gone, and is ${list.isListed(row, list.now) ? 'listed' : 'only old'}`);
  }
}

interface CostOptions {
  readonly appendOnly: boolean;
  readonly pollDays: number;
  readonly tickMs: number;
}

export interface WindowsCost {
  readonly rows: number;
  /** How often every row had to be read. */
  readonly reads: number;
  readonly ticks: number;
  /** Requests. */
  readonly firstLoad: number;
  readonly later: number;
}

/** How many times the fewest requests that can show every row, as often as it is to be read, and ask once at every tick. */
export function timesMinimal({ rows, reads, ticks, firstLoad, later }: WindowsCost): {
  readonly firstLoad: number;
  readonly all: number;
} {
  const pages = Math.ceil(rows / ORDERLY.limit);
  return { firstLoad: firstLoad / pages, all: (firstLoad + later) / (pages * reads + ticks) };
}

/** What a first load of ninety days and the polls of `pollDays` days after it take. Throws where a run proves less than everything. */
export async function costOfWindows({ appendOnly, pollDays, tickMs }: CostOptions): Promise<WindowsCost> {
  const options: WindowedOptions = { ...ORDERLY, appendOnly };
  const stream = windowedStream(options);
  const list = new WindowedList(options, START);
  const chance = random(1);
  const days = 90;
  for (let index = days * PER_DAY; index > 0; index -= 1) {
    const time = START - Math.floor((index * DAY) / PER_DAY);
    list.add(time, time);
  }
  const store = new MemoryStore(() => list.now);
  const engine = { ...engineOf(list, store), sinceMs: () => days * DAY };
  const run = async () => {
    const report = await runStream(engine, { stream, scope }, { signal: new AbortController().signal });
    if (report.certificate !== 'complete') throw new Error(`not complete: ${report.reason}`);
  };
  const perDay = { events: PER_DAY, handled: 50, deleted: 0 };
  list.between = () => {
    list.now += 1_000;
  };
  await run();
  const firstLoad = list.requests;
  const ticks = (pollDays * DAY) / tickMs;
  for (let left = ticks; left > 0; left -= 1) {
    change(list, chance, { ms: tickMs, perDay, options });
    await run();
  }
  return {
    rows: days * PER_DAY,
    reads: appendOnly ? 1 : 1 + pollDays,
    ticks,
    firstLoad,
    later: list.requests - firstLoad,
  };
}

const PER_DAY = 500;

const ORDERLY: WindowedOptions = {
  limit: 200,
  maxDays: 30,
  marginMs: HOUR,
  // A row that is later has the newest window read to its end at every change, for a while (D2).
  lateMs: 4 * 60_000,
  keepDays: null,
  keepIsDeclared: false,
  appendOnly: false,
  movesOn: false,
  begins: 'inclusive',
  ends: 'exclusive',
  cap: null,
  sorting: 'newest first',
  refusesAhead: true,
  clockMs: 0,
};
