import type { Random } from './random.ts';
import type { Manner } from './simulated-api.ts';
import { type Estate, type Kind, lengthsOf } from './simulated-estate.ts';
import { type Faults, SOUND } from './simulated-faults.ts';

/** What a dimension may turn. */
export interface World {
  readonly random: Random;
  readonly estate: Estate;
  readonly faults: Faults;
  readonly manners: Readonly<Record<Kind, Manner>>;
  /** Streams that are read, parents first. */
  readonly group: readonly Kind[];
  /** Rows a page has, and the cap that the list of events is documented with. */
  readonly limit: number;
  readonly cap: number;
}

/**
 * What is expected of claims and marks:
 * - `exact`: the answers show enough; no claim is false and no mark.
 * - `walks`: the same for full walks; a poll of the newest end can be deceived, until a full walk has seen why.
 * - `marks`: no mark is false; a claim can be, because the answers are those of another list that is complete.
 * - `rate`: neither can be distinguished from the truth; the rate is measured and named in docs/decisions.md.
 */
export type Honesty = 'exact' | 'walks' | 'marks' | 'rate';

/** What an estate is like, and how it is read. */
export interface Shape {
  /** The documented cap is so low that most lists are longer, and many of their parts. */
  readonly isOverCap: boolean;
  /** Lists are sorted by the time of their last change. */
  readonly isSorted: boolean;
  /** Lists are looked at often, and many rows change in between. */
  readonly isBusy: boolean;
  /** Most rows of a list change at one moment, time after time. */
  readonly isAtOnce: boolean;
  /** Pages are as long as the API has them, and the lists as well. */
  readonly isLong: boolean;
}

export interface Dimension {
  readonly honesty: Honesty;
  /** Before anything is listed. */
  readonly begin?: (world: World) => void;
  /** Before each round of runs; what is wrong for a while comes and goes here. */
  readonly step?: (world: World) => void;
  /** Kinds of lists it concerns; all of them without it. */
  readonly only?: readonly Kind[];
  readonly shape?: Partial<Shape>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const AHEAD = [MINUTE_MS, 6 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, DAY_MS, 365 * DAY_MS] as const;
const SHARES = [0.01, 0.1, 0.5] as const;
/** More rows than a list may lose by itself from one walk to the next. */
const LEAST_HIDDEN = 15;
const UNSPLIT: readonly Kind[] = ['clusters', 'checks', 'vulnerabilities', 'operations', 'instances', 'reports'];

function eachManner({ manners, group }: World, change: (manner: Manner) => void): void {
  for (const kind of group) change(manners[kind]);
}

function miscount(world: World): void {
  const { random } = world;
  eachManner(world, (manner) => {
    manner.total = random.pick<Manner['total']>(['absent', 'constant', { off: random.int(20) - 10 }]);
  });
}

function cache({ faults, random }: World, of: 'pages' | 'counts', dated: boolean): void {
  const ms = random.pick([MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS]);
  faults.cache = { ms, of, dated, normalizes: random.chance(0.3) };
}

/** A cap at no round number somewhere in the list; no API has one that is shorter than its pages. */
function anyCap({ random, estate, limit }: World, kind: Kind): number {
  return limit + 1 + random.int(Math.max(1, estate.items[kind].length));
}

/** Half of the longest list, where that hides more rows of each longer list than a list may lose by itself; else null. */
function farDown({ estate, limit }: World, kind: Kind): number | null {
  const { lists, parts } = lengthsOf(estate, kind);
  const lengths = [...lists, ...parts];
  const cap = Math.floor(Math.max(0, ...lengths) / 2);
  const isFar = lengths.every((length) => length <= cap - LEAST_HIDDEN || length >= cap + LEAST_HIDDEN);
  return cap > limit && isFar ? cap : null;
}

/** For one round of runs at a time, and then not again before every list was read in full. */
function forOneRound(world: World, on: (faults: Faults, world: World) => void): void {
  const { faults, random } = world;
  const wasOn = faults.isOutage;
  Object.assign(faults, { absent: 0, missingPart: SOUND.missingPart, isOutage: !wasOn && random.chance(0.4) });
  if (faults.isOutage) on(faults, world);
}

export const DIMENSIONS = {
  'nothing in particular': { honesty: 'exact' },

  // Clocks and times.
  'one row dated ahead': {
    honesty: 'exact',
    only: ['events', 'checks'],
    shape: { isSorted: true, isBusy: true },
    step: ({ estate, random }) => {
      estate.habits = { ...estate.habits, ahead: { share: 0.2, ms: random.pick(AHEAD), left: 1 + random.int(2) } };
    },
  },
  'many rows dated ahead': {
    honesty: 'exact',
    shape: { isSorted: true, isBusy: true },
    begin: ({ estate, random }) => {
      estate.habits = { ...estate.habits, ahead: { share: random.pick(SHARES), ms: random.pick(AHEAD) } };
    },
  },
  'rows dated ahead and put right by their next change': {
    honesty: 'walks',
    shape: { isSorted: true, isBusy: true },
    begin: ({ estate, random }) => {
      const ahead = { share: random.pick(SHARES), ms: random.pick(AHEAD) };
      estate.habits = { ...estate.habits, ahead, goesBack: true };
    },
  },
  'rows that come late with an old time': {
    honesty: 'walks',
    shape: { isSorted: true, isBusy: true },
    begin: ({ estate, random }) => {
      const late = { share: random.pick(SHARES), ms: random.pick([20 * MINUTE_MS, 3 * HOUR_MS, 3 * DAY_MS]) };
      estate.habits = { ...estate.habits, late };
    },
  },
  'rows that change to any time': {
    honesty: 'rate',
    begin: ({ estate, random }) => {
      const jumps = { share: random.pick(SHARES), ms: random.pick([20 * MINUTE_MS, 3 * HOUR_MS, 3 * DAY_MS]) };
      estate.habits = { ...estate.habits, jumps, goesBack: true };
    },
  },

  // Servers behind the list.
  'replicas that lag': {
    honesty: 'exact',
    begin: ({ faults, random }) => {
      faults.lags = [0, random.pick([5_000, MINUTE_MS, 4 * MINUTE_MS, 20 * MINUTE_MS])];
    },
  },
  'an index that lags': {
    honesty: 'exact',
    begin: ({ faults, random }) => {
      faults.delayMs = random.pick([30_000, 4 * MINUTE_MS, 20 * MINUTE_MS]);
    },
  },
  'cached pages, dated': { honesty: 'exact', begin: (world) => cache(world, 'pages', true) },
  'cached pages without a date': { honesty: 'rate', begin: (world) => cache(world, 'pages', false) },
  'cached counts': { honesty: 'exact', begin: (world) => cache(world, 'counts', false) },

  // Caps and counts.
  'a cap that goes down and up, counted honestly': {
    honesty: 'marks',
    step: (world) => eachCap(world, false),
  },
  'a cap that goes far down for a while, and the count with it': {
    honesty: 'marks',
    step: (world) => {
      eachManner(world, (manner) => Object.assign(manner, { cap: null, countsCap: false }));
      world.manners.events.cap = world.cap;
      forOneRound(world, () => {
        for (const kind of world.group) {
          const cap = farDown(world, kind);
          if (cap !== null) Object.assign(world.manners[kind], { cap, countsCap: true });
        }
      });
    },
  },
  'a cap that goes down and up, and the count with it': {
    honesty: 'rate',
    step: (world) => eachCap(world, true),
  },
  'an undocumented cap, counted honestly': {
    honesty: 'marks',
    only: UNSPLIT,
    begin: (world) => eachManner(world, (manner) => (manner.cap = world.limit + 1 + world.random.int(40))),
  },
  'an undocumented cap, and the count with it': {
    honesty: 'rate',
    only: UNSPLIT,
    begin: (world) =>
      eachManner(world, (manner) => {
        manner.cap = world.limit + 1 + world.random.int(40);
        manner.countsCap = true;
      }),
  },
  'a documented cap that is none': {
    honesty: 'exact',
    only: ['events'],
    shape: { isOverCap: true },
    begin: ({ manners }) => (manners.events.cap = null),
  },
  'parts beyond the cap': { honesty: 'exact', only: ['events'], shape: { isOverCap: true } },
  'parts beyond the cap, and the count stops there': {
    honesty: 'exact',
    only: ['events'],
    shape: { isOverCap: true },
    begin: ({ manners }) => (manners.events.countsCap = true),
  },
  'counts that are wrong': {
    honesty: 'exact',
    begin: miscount,
  },
  'pages filtered after they are cut': {
    honesty: 'exact',
    begin: ({ faults, random }) => {
      faults.filtered = random.pick([0.05, 0.2, 0.5]);
    },
  },

  // Answers that lack rows.
  'one answer lacks one part of the rows': {
    honesty: 'marks',
    step: (world) =>
      forOneRound(world, (faults, { random }) => {
        faults.missingPart = { chance: 0.3, parts: 1 + random.int(4), counted: random.chance(0.5), left: 1 };
      }),
  },
  'answer after answer lacks one part of the rows': {
    honesty: 'rate',
    step: ({ faults, random }) => {
      const chance = random.pick([0.02, 0.1]);
      faults.missingPart = { chance, parts: 2 + random.int(3), counted: random.chance(0.5), left: 1000 };
    },
  },
  'answers lack a random fifth': {
    honesty: 'rate',
    step: ({ faults, random }) => (faults.thinned = random.pick([0.1, 1])),
  },
  'a fifth of the rows is absent for a while': {
    honesty: 'marks',
    step: (world) => forOneRound(world, (faults) => (faults.absent = 0.2)),
  },
  'two thirds of the rows are absent for a while': {
    honesty: 'marks',
    step: (world) => forOneRound(world, (faults) => (faults.absent = 0.66)),
  },
  'every list is empty for a while': {
    honesty: 'marks',
    step: (world) => forOneRound(world, (faults) => (faults.absent = 1)),
  },
  'empty answers': { honesty: 'rate', step: ({ faults, random }) => (faults.empty = random.pick([0, 0.02, 0.1])) },

  // Answers to another question.
  'another part of the list than the one asked for': {
    honesty: 'exact',
    only: ['events'],
    shape: { isOverCap: true },
    step: ({ faults, random }) => (faults.strayed = random.pick([0, 0.02, 0.1])),
  },
  'another list of children than the one asked for': {
    honesty: 'rate',
    only: ['reports'],
    step: ({ faults, random }) => (faults.strayed = random.pick([0, 0.02, 0.1])),
  },
  'the last page beyond the end': {
    honesty: 'exact',
    begin: (world) => {
      world.faults.beyondEnd = 'last page';
      miscount(world);
    },
  },
  'the first page beyond the end': {
    honesty: 'exact',
    begin: (world) => {
      world.faults.beyondEnd = 'first page';
      miscount(world);
    },
  },
  'pages of the server’s own size': {
    honesty: 'exact',
    begin: ({ faults, random }) => (faults.clamp = random.pick([5, 7, 9])),
  },

  // Rows.
  'pages of the real size': { honesty: 'exact', shape: { isLong: true } },
  'most rows of long lists change at one moment': { honesty: 'exact', shape: { isLong: true, isAtOnce: true } },
  'most rows change at one moment': { honesty: 'exact', shape: { isAtOnce: true } },
  'lists inside of records in any order': { honesty: 'exact', begin: ({ faults }) => (faults.shuffled = true) },
  'pages without a readable record': {
    honesty: 'exact',
    step: ({ faults, random }) => (faults.garbled = random.pick([0, 0.03, 0.1])),
  },
} as const satisfies Record<string, Dimension>;

/** Lists get a cap that is lower than documented, or no lower, from one round to the next. */
function eachCap(world: World, countsCap: boolean): void {
  const { random, manners, group } = world;
  for (const kind of group) {
    const manner = manners[kind];
    manner.countsCap = countsCap;
    manner.cap = random.chance(0.4) ? anyCap(world, kind) : kind === 'events' ? world.cap : null;
  }
}
