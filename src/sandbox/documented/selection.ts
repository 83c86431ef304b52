import { snakeCase } from '../../facts/facts.ts';
import { isObject } from '../server/parameters.ts';
import type { DocumentedRow, DocumentedTable } from './table.ts';

/** Parameters that select rows by their values, and the order of the result. */
export interface Selection {
  readonly filters: readonly (readonly [name: string, values: readonly string[]])[];
  /** Name and direction of a requested order; null for that of the table, oldest first. */
  readonly sort: { readonly by: string; readonly ascending: boolean } | null;
}

interface Remembered {
  readonly selections: Map<string, readonly DocumentedRow[]>;
  /** Rows by the value of a parameter; null if some rows lack it, since they belong to every value. */
  readonly byValue: Map<string, ReadonlyMap<string, readonly DocumentedRow[]> | null>;
}

/** By the sorted rows of a table, which are a new array after each change. */
const remembered = new WeakMap<readonly DocumentedRow[], Remembered>();

/**
 * The rows of a table that have one of the values of each parameter. Remembered until the table changes, because the
 * pages of a list, and the lists of a thousand hosts, differ in little.
 */
export function selectRows({ sorted }: DocumentedTable, selection: Selection): readonly DocumentedRow[] {
  const memory = remembered.get(sorted) ?? { selections: new Map(), byValue: new Map() };
  remembered.set(sorted, memory);
  const key = JSON.stringify(selection);
  const known = memory.selections.get(key);
  if (known !== undefined) return known;
  const rows = selection.filters.reduce<readonly DocumentedRow[]>((left, [name, values]) => {
    const [value, ...others] = values;
    const indexed = left === sorted && others.length === 0 && !isMatchedInside(name);
    const index = indexed ? indexOf(sorted, { name, byValue: memory.byValue }) : null;
    return index === null ? left.filter(filterOf(name, values)) : (index.get(value ?? '') ?? []);
  }, sorted);
  const result = sortedBy(rows, selection.sort);
  memory.selections.set(key, result);
  return result;
}

function sortedBy(rows: readonly DocumentedRow[], sort: Selection['sort']): readonly DocumentedRow[] {
  if (sort === null) return rows;
  const sign = sort.ascending ? 1 : -1;
  const value = ({ record, time }: DocumentedRow): number => {
    const own = record[sort.by];
    return typeof own === 'number' ? own : time;
  };
  return rows.toSorted((a, b) => sign * (value(a) - value(b)));
}

function indexOf(
  sorted: readonly DocumentedRow[],
  { name, byValue }: { readonly name: string; readonly byValue: Remembered['byValue'] },
): ReadonlyMap<string, readonly DocumentedRow[]> | null {
  const known = byValue.get(name);
  if (known !== undefined) return known;
  const find = valueFinder(name);
  const groups = Map.groupBy(sorted, find);
  const isWhole = !groups.has(undefined) && !groups.has(null);
  const index = isWhole ? Map.groupBy(sorted, (row) => String(find(row))) : null;
  byValue.set(name, index);
  return index;
}

/** Names and paths match by substring. */
const isMatchedInside = (name: string): boolean => /_name$|_path$/.test(name);

/** Whether a row has one of the values. A member that the row lacks does not filter. */
function filterOf(name: string, values: readonly string[]): (row: DocumentedRow) => boolean {
  const find = valueFinder(name);
  const inside = isMatchedInside(name);
  return (row) => {
    const value = find(row);
    if (value === undefined || value === null) return true;
    const text = String(value);
    return inside ? values.some((each) => text.includes(each)) : values.includes(text);
  };
}

/** The value of a row for a parameter, whose name may be the plural of the member's. */
function valueFinder(name: string): (row: DocumentedRow) => unknown {
  const single = name
    .replace(/ies$/, 'y')
    .replace(/_list$/, '')
    .replace(/(id|type)s$/, '$1');
  const [own, singular] = [snakeCase(name), snakeCase(single)];
  return (row) => found(row, own) ?? (singular === own ? undefined : found(row, singular));
}

/**
 * A row's value by its name in snake_case: the one it was requested with, its own member, a nested one, or that of its
 * parent.
 */
export function found({ record, asked, bag }: DocumentedRow, known: string): unknown {
  if (known in asked) return asked[known];
  if (known in record) return record[known];
  for (const name in record) {
    const value = record[name];
    if (isObject(value) && known in value) return value[known];
  }
  return bag[known];
}
