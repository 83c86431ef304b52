import type { RowChange } from '../../../src/core/store.ts';
import type { ObservedPage, SeenRecord, Step } from '../../../src/core/walk/observed-page.ts';

const START = 1_700_000_000_000;

export const seconds = (count: number) => START + count * 1000;
export const minutes = (count: number) => seconds(count * 60);
export const hours = (count: number) => minutes(count * 60);

/** A list whose every row and every change a test states itself, so that one condition decides about the claim. */
export class HandList {
  rows: readonly SeenRecord[];
  readonly #direction: 1 | -1 | null;
  /** What the list says about itself, and what the server makes of an answer. */
  total: number | null | undefined;
  hint: number | null = null;
  /** The server's own clock, in ms; null where its answers carry no date. */
  clock: number | null = null;
  answer: (observed: ObservedPage, request: number) => ObservedPage = (observed) => observed;
  /** Called before each page, with the rows it will show. */
  evade: (from: number, to: number) => void = () => {};
  requests = 0;
  readonly table = new Map<string, string>();

  /** Sorted by the first column, or in the order of the rows where no direction is given. */
  constructor(rows: readonly SeenRecord[], direction: 1 | -1 | null) {
    this.rows = rows;
    this.#direction = direction;
    this.#sort();
  }

  /** A row that is new or got new values. */
  put(...rows: readonly SeenRecord[]): void {
    this.drop(...rows.map(({ key }) => key));
    this.rows = [...this.rows, ...rows];
    this.#sort();
  }

  drop(...keys: readonly (string | null)[]): void {
    this.rows = this.rows.filter(({ key }) => !keys.includes(key));
  }

  /** Another row, or other content, in the place of the one that lies there. */
  replace(place: number, row: SeenRecord): void {
    this.rows = this.rows.with(place, row);
  }

  observed({ offset, limit }: Step['at']): ObservedPage {
    this.requests += 1;
    this.evade(offset, offset + limit);
    const { rows, total, hint: lastUpdateTime } = this;
    const records = rows.slice(offset, offset + limit);
    const observed = { at: { offset, limit }, records, total: total === undefined ? rows.length : total };
    return this.answer({ ...observed, lastUpdateTime, serverTime: this.clock, rejects: 0 }, this.requests);
  }

  #sort(): void {
    const direction = this.#direction;
    if (direction === null) return;
    this.rows = this.rows.toSorted((a, b) => direction * (Number(a.sort[0]) - Number(b.sort[0])));
  }
}

export function row(key: string, ...sort: readonly (number | string)[]): SeenRecord {
  return { key, content: `${key} ${sort.join(' ')}`, sort };
}

/** Rows `r0`, `r1`, ... with the values that are made for each. */
export function rowsOf(count: number, valuesOf: (index: number) => readonly (number | string)[]): SeenRecord[] {
  return Array.from({ length: count }, (_, index) => row(`r${index}`, ...valuesOf(index)));
}

/** Hands a walk its pages; `before` holds what happens to the list just before the request of that number. */
export function drive<R>(
  steps: Generator<Step, R, ObservedPage>,
  list: HandList,
  before: Readonly<Record<number, () => void>> = {},
): R {
  list.requests = 0;
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    before[list.requests + 1]?.();
    const observed = list.observed(step.value.at);
    if (observed.refused && !step.value.mayRefuse) throw new Error('the walk asked for a page that is refused');
    const isNew = ({ key }: SeenRecord) => key !== null && !list.table.has(key);
    const inserted = observed.records.filter(isNew).length;
    const changed = new Map<string, RowChange>();
    for (const { key, content } of observed.records) {
      if (key === null || list.table.get(key) === content) continue;
      changed.set(key, list.table.has(key) ? 'newer' : 'new');
      list.table.set(key, content);
    }
    step = steps.next({ ...observed, inserted, changed });
  }
}
