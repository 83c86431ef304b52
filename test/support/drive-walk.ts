import type { RowChange } from '../../src/core/store.ts';
import type { ObservedPage, Step } from '../../src/core/walk/observed-page.ts';
import type { MovingList } from './moving-list.ts';

interface Drive {
  /** Called between two requests, with the number of requests so far. */
  readonly between?: (list: MovingList, request: number) => unknown;
  /** The newest content that the walk was shown, by key. */
  readonly table?: Map<string, string>;
}

/** Gives a walk the pages of a list that may change between two requests. */
export function driveWalk<R>(steps: Generator<Step, R, ObservedPage>, list: MovingList, drive?: Drive): R;
/** The same, with a crash before request number `crashAt`, from 0. */
export function driveWalk<R>(
  steps: Generator<Step, R, ObservedPage>,
  list: MovingList,
  drive: Drive & { readonly crashAt: number | null },
): R | 'crashed';
export function driveWalk<R>(
  steps: Generator<Step, R, ObservedPage>,
  list: MovingList,
  { between = () => {}, table = new Map(), crashAt = null }: Drive & { readonly crashAt?: number | null } = {},
): R | 'crashed' {
  list.beginWalk();
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    if (list.requests === crashAt) return 'crashed';
    if (list.requests > 0) between(list, list.requests);
    if (list.requests > 20_000) throw new Error('the walk does not end');
    const observed = list.observed(step.value.at);
    if (observed.refused && !step.value.mayRefuse) throw new Error('the walk asked for a page that is refused');
    let inserted = 0;
    const changed = new Map<string, RowChange>();
    for (const { key, content } of observed.records) {
      if (key === null || table.get(key) === content) continue;
      if (!table.has(key)) inserted += 1;
      changed.set(key, table.has(key) ? 'newer' : 'new');
      table.set(key, content);
    }
    step = steps.next({ ...observed, inserted, changed });
  }
}

/** Requests that a list of `rows` rows, quiet or moving but ordered, may cost. */
export function requestBound(rows: number, limit: number): number {
  return 1 + Math.max(0, Math.ceil((rows - limit) / (limit - 5))) + 1;
}

/** Runs one check per seed; the first failing one says how to run it alone. */
export function eachSeed(
  name: string,
  { file, seeds }: { readonly file: string; readonly seeds: number },
  check: (seed: number) => void,
): void {
  const only = process.env.SEED;
  const first = only === undefined ? 1 : Number(only);
  const last = only === undefined ? seeds : first;
  for (let seed = first; seed <= last; seed += 1) {
    try {
      check(seed);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${name}: ${reason}\nreplay: SEED=${seed} npx vitest run ${file} -t '${name}'`, { cause: error });
    }
  }
}
