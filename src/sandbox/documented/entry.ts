import type { Bag } from '../estate/hosts.ts';
import type { Random } from '../estate/random.ts';

/** Kinds of estate objects that many lists refer to. */
export type Kind =
  | 'hosts'
  | 'clusters'
  | 'images'
  | 'containers'
  | 'vulnerabilities'
  | 'imageVulnerabilities'
  | 'rules'
  | 'instances'
  | 'databases'
  | 'people';

/**
 * The rows of a list: `times` rows (default 1) for each object of the kind `per`, or for each row of another list;
 * without `per`, `times` rows in all. Objects of the kinds in `with` are drawn for each row.
 */
export interface Rows {
  readonly per?: Kind;
  /** The operation whose rows are the parents, and the members that children copy from their parent. */
  readonly parent?: { readonly operation: string; readonly take: readonly string[] };
  readonly times?: number;
  readonly with?: readonly Kind[];
  /** Excludes objects without such a row. */
  readonly only?: (thing: Bag) => boolean;
}

/** A time column. */
export interface Times {
  readonly member: string;
  /** Age of the oldest initial rows, in days. */
  readonly days: number;
}

/** The value of a member: fixed, drawn from several, or computed from the objects that the row belongs to. */
export type Setting =
  | string
  | number
  | boolean
  | null
  | readonly (string | number | boolean)[]
  | ((row: { readonly bag: Bag; readonly random: Random; readonly time: number }) => unknown);

/** Kinds of changes to a list while it is read, with weights. */
export type Changes = Readonly<Partial<Record<'add' | 'change' | 'handle' | 'remove', number>>>;

/**
 * A documented list that the sandbox serves. Names, types, values and limits of members and parameters come from the
 * facts; an entry adds what no document says.
 */
export interface DocumentedList {
  readonly rows: Rows;
  /** Members that identify a row; unique in the list. */
  readonly key: readonly string[];
  /** The time that moves with every change of a row; the list is sorted by it, newest first. */
  readonly moving?: Times;
  /** A time that never changes; the list is sorted by it if there is no moving time. */
  readonly fixed?: Times;
  /** Request parameters that partition the rows and are not part of the records. */
  readonly asked?: Readonly<Record<string, Setting>>;
  readonly set?: Readonly<Record<string, Setting>>;
  /** Members that change when a row is handled. */
  readonly handled?: Readonly<Record<string, Setting>>;
  /** Parameters of a time window; `body.time.start_time` names a nested member of the body. */
  readonly window?: { readonly from: string; readonly to: string; readonly last?: string; readonly member?: string };
  /** The default direction of a list that the request can sort. */
  readonly sortedBy?: 'asc' | 'desc';
  readonly changes?: Changes;
}

/** A list with its operation name. */
export type Entry<Name extends string = string> = DocumentedList & { readonly operation: Name };

/** Declares a list. */
export function list<const Name extends string>(operation: Name, definition: DocumentedList): Entry<Name> {
  return { operation, ...definition };
}

/** Copies a member of the object that the row belongs to. */
export const from =
  (name: string): Setting =>
  ({ bag }) =>
    bag[name];

/** When the row is created or handled, in ms since the epoch. */
export const now: Setting = ({ time }) => time;

/** No value: the API omits the member. */
export const nothing: Setting = null;
