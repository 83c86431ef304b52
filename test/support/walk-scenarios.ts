import type { Change, ListOptions, MovingList, ServerOptions, Sorting } from './moving-list.ts';
import type { Random } from './random.ts';

export interface Scenario {
  readonly limit: number;
  readonly cap: number | null;
  readonly list: Partial<ListOptions>;
  readonly server: Partial<ServerOptions>;
  readonly between: (list: MovingList, request: number) => void;
  readonly text: string;
}

const MIXES: readonly [readonly Change[], ...(readonly Change[])[]] = [
  ['insert', 'delete', 'handle'],
  ['handle'],
  ['handleOld'],
  ['delete'],
  ['deleteOld'],
  ['deleteNew'],
  ['insert'],
  ['retire'],
  ['retire', 'handle'],
  ['swapTail'],
  ['moveUp'],
  ['late', 'handle'],
  ['insert', 'delete', 'handle', 'late', 'swapTail', 'retire', 'deleteOld', 'deleteNew', 'handleOld'],
];

/** Movements of a list that keeps its order and gets nothing at its old end. */
const KEEPING: typeof MIXES = [
  ['insert', 'delete', 'handle'],
  ['handle'],
  ['handleOld'],
  ['delete'],
  ['insert'],
  ['retire'],
];

/** Anything that can be wrong with a list, a server and a moment, a few at a time. */
export function anyScenario(random: Random): Scenario {
  const limit = random.pick([20, 20, 30, 50]);
  const rows = random.pick([
    random.int(limit * 2),
    random.int(limit * 12),
    random.int(limit * 25),
    limit,
    limit + 1,
    2 * limit - 5,
  ]);
  const rare = random.chance(0.5);
  const odd = (probability: number) => rare && random.chance(probability);
  const sorting = random.pick<Sorting>(['update', 'update', 'update', 'create', 'create', 'id', 'unknown', 'shuffled']);
  const tieRun = random.pick([1, 1, 1, 1, 2, Math.floor(limit / 2), limit - 3, limit, limit * 3]);
  const list: Partial<ListOptions> = {
    rows,
    sorting,
    direction: random.pick([-1, -1, 1]),
    spacingMs: random.pick([10, 1000, 60_000, 60_000, 3_600_000]),
    tieRun,
    tieAt: random.chance(0.7) ? random.int(Math.max(1, rows)) : null,
    handled: random.pick([0, 0, 0.002, 0.02, 0.3]),
    skewMs: random.pick([0, 0, 1000, 299_000]),
    poison: odd(0.2) ? random.pick([0.01, 0.3, 1]) : 0,
    twins: odd(0.1) ? 0.02 : 0,
    nulls: odd(0.1),
  };
  const cap = odd(0.25) ? random.pick([500, Math.max(limit, rows - 10), rows + 3]) : null;
  const declared = cap !== null && (cap !== 500 || random.chance(0.5));
  const lie = odd(0.25);
  const clamp = odd(0.15) ? Math.ceil(limit / 2) : null;
  const server: Partial<ServerOptions> = {
    // Looks like a list that ends there: a count that happens to equal the rows of a clamped page, and one that
    // saturates at an undeclared cap.
    total: lie
      ? random.pick<ServerOptions['total']>([
          'absent',
          'constant',
          { off: random.int(30) - (clamp === null ? 15 : 0) },
          { off: 1000 },
        ])
      : cap !== null && declared && random.chance(0.5)
        ? { most: cap }
        : 'honest',
    cap,
    beyondCap: random.pick(['empty', 'error']),
    clamp,
    filtered: cap === null && clamp === null && odd(0.15) ? random.pick([0.05, 0.5]) : 0,
    empties: odd(0.15) ? 0.03 : 0,
    hint: random.pick<ServerOptions['hint']>(['absent', 'honest', 'silent', 'restless']),
  };
  const movement = anyMovement(random, limit);
  const text = JSON.stringify({ limit, list, server, movement: movement.text });
  return { limit, cap: declared ? cap : null, list, server, between: movement.between, text };
}

interface Movement {
  readonly between: Scenario['between'];
  readonly text: string;
}

export function anyMovement(random: Random, limit: number, { switches = true } = {}): Movement {
  const rate = random.pick([0, 0.03, 0.2, 1, 3, Math.min(15, limit / 3)]);
  const mix = random.pick(switches ? MIXES : KEEPING);
  const gapMs = random.pick([5, 1000, 12_000, 60_000, 240_000]);
  const bulkAt = switches && random.chance(0.15) ? 1 + random.int(12) : null;
  const bulk: Change = random.pick(['handle', 'deleteOld', 'deleteNew', 'delete', 'insert']);
  const bulkRows = random.pick([limit - 5, limit * 2, limit * 5]);
  const switchAt = switches && random.chance(0.1) ? 1 + random.int(10) : null;
  const switchTo = random.pick<Sorting>(['update', 'create', 'id', 'unknown', 'shuffled']);
  const direction = random.pick<1 | -1>([1, -1]);
  return {
    between: (list, request) => {
      list.pass(random.between(0, 2 * gapMs));
      const changes = random.count(rate);
      for (let change = 0; change < changes; change += 1) {
        const kind = mix[random.int(mix.length)] ?? 'delete';
        // A list that grows as fast as it is read has no end to reach.
        list.change(list.length < 2000 || kind !== 'insert' ? kind : 'retire');
        if (random.chance(0.3)) list.pass(random.between(0, gapMs));
      }
      if (request === bulkAt) list.change(bulk, bulkRows);
      if (request === switchAt) list.sortBy(switchTo, direction);
    },
    text: JSON.stringify({ rate, mix, gapMs, bulkAt, bulk, bulkRows, switchAt, switchTo, direction }),
  };
}
