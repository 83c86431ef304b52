import { mix, startRandom } from '../estate/random.ts';
import type { SortedRows } from '../estate/sorted-rows.ts';
import type { Axis } from '../estate/views.ts';

/** How the server sorts a list. The order is undocumented, so a client must cope with all of these. */
type ListOrder = 'update_desc' | 'create_desc' | 'asc' | 'create_asc' | 'shuffled';

/** The behaviour of one list. */
export interface ListBehaviour {
  /** `asc` sorts by update time, newest last. `shuffled` is a different order in every response. */
  readonly order?: ListOrder;
  /** Number of adjacent rows with the same time (1: as generated). */
  readonly ties?: number;
  /** Whether rows with equal times keep their order between requests. */
  readonly tieOrder?: 'id' | 'unstable';
  /** Events only: the spelling of the English or the Chinese document. */
  readonly casing?: 'snake' | 'camel';
}

/** One page: row numbers, and the total number of rows in the list. */
export interface RowPage {
  readonly rows: readonly number[];
  readonly total: number;
}

/** The time by which an order sorts. */
export function axisOf(behaviour: ListBehaviour): Axis {
  return behaviour.order === 'create_desc' || behaviour.order === 'create_asc' ? 'create' : 'update';
}

/** The part of a list to return; `salt` differs between requests. */
export interface PageRequest {
  readonly behaviour: ListBehaviour;
  readonly offset: number;
  readonly limit: number;
  readonly salt: number;
}

/** Cuts a page out of a sorted list; the cost depends on the page, not on the list. */
export function cutPage(list: SortedRows, { behaviour, offset, limit, salt }: PageRequest): RowPage {
  const total = list.size;
  const end = Math.min(total, offset + limit);
  const rows: number[] = [];
  if (behaviour.order === 'shuffled') {
    const shuffle = permutation(total, salt);
    for (let index = offset; index < end; index += 1) rows.push(list.at(shuffle(index)));
    return { rows, total };
  }
  const ascending = behaviour.order === 'asc' || behaviour.order === 'create_asc';
  const position = (index: number): number => (ascending ? index : total - 1 - index);
  if (behaviour.tieOrder === 'unstable') return { rows: unstable(list, { position, offset, end, salt }), total };
  for (let index = offset; index < end; index += 1) rows.push(list.at(position(index)));
  return { rows, total };
}

/** A permutation of 0..size-1 without memory: an affine map whose step is coprime to the size. */
function permutation(size: number, salt: number): (index: number) => number {
  let step = (mix(salt) % Math.max(1, size - 1)) + 1;
  while (divisor(step, size) > 1) step += 1;
  const start = mix(salt + 1) % Math.max(1, size);
  return (index) => Number((BigInt(index) * BigInt(step) + BigInt(start)) % BigInt(size));
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

interface UnstableCut {
  readonly position: (index: number) => number;
  readonly offset: number;
  readonly end: number;
  readonly salt: number;
}

/** A page in which rows with equal times are reordered at each request. */
function unstable(list: SortedRows, { position, offset, end, salt }: UnstableCut): number[] {
  const time = (index: number): number => list.time(position(index));
  const rows: number[] = [];
  let index = offset;
  while (index < end) {
    let first = index;
    while (first > 0 && time(first - 1) === time(index)) first -= 1;
    let last = index;
    while (last + 1 < list.size && time(last + 1) === time(index)) last += 1;
    const run: number[] = [];
    for (let at = first; at <= last; at += 1) run.push(list.at(position(at)));
    const random = startRandom(hashRun(salt, first));
    for (let at = run.length - 1; at > 0; at -= 1) {
      const other = random.int(at + 1);
      const moved = run[at] ?? 0;
      run[at] = run[other] ?? 0;
      run[other] = moved;
    }
    const stop = Math.min(end, last + 1);
    rows.push(...run.slice(index - first, stop - first));
    index = stop;
  }
  return rows;
}

const hashRun = (salt: number, first: number): number => mix(mix(salt) + first);
