import type { Bag } from '../estate/hosts.ts';
import type { Random } from '../estate/random.ts';

/** Things of the estate that many lists refer to. */
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
 * Which rows a list has. `per` gives `times` rows (default 1) for each thing of a kind or each row of another
 * list; without `per` there are `times` rows in all. Things of the kinds in `with` are drawn for each row.
 */
export interface Rows {
  readonly per?: Kind;
  /** The operation whose rows are the parents, and the members that a child has of its parent. */
  readonly parent?: { readonly operation: string; readonly take: readonly string[] };
  readonly times?: number;
  readonly with?: readonly Kind[];
  /** Leaves out things that have no such row. */
  readonly only?: (thing: Bag) => boolean;
}

/** A column of times. */
export interface Times {
  readonly member: string;
  /** How many days back the first rows lie. */
  readonly days: number;
}

/** What a member is set to: a value, one drawn from several, or what a function makes of the things the row belongs to. */
export type Setting =
  | string
  | number
  | boolean
  | null
  | readonly (string | number | boolean)[]
  | ((row: { readonly bag: Bag; readonly random: Random; readonly time: number }) => unknown);

/** What may happen to a list while it is read, as weights. */
export type Changes = Readonly<Partial<Record<'add' | 'change' | 'handle' | 'remove', number>>>;

/**
 * A list that the documents describe and the sandbox answers. Names, types, values and limits of its members and parameters
 * come from the facts; here stands what no document says.
 */
export interface DocumentedList {
  readonly rows: Rows;
  /** Members that tell rows apart: no two rows have the same. */
  readonly key: readonly string[];
  /** The time that moves with every change of a row; the list is sorted by it, newest first. */
  readonly moving?: Times;
  /** The time that a row keeps. The list is sorted by it where no time moves. */
  readonly fixed?: Times;
  /** Parameters of the request that rows are divided by and do not show. */
  readonly asked?: Readonly<Record<string, Setting>>;
  readonly set?: Readonly<Record<string, Setting>>;
  /** What handling a row changes. */
  readonly handled?: Readonly<Record<string, Setting>>;
  /** Parameters that cut a piece out of time; `body.time.start_time` names one inside the body. */
  readonly window?: { readonly from: string; readonly to: string; readonly last?: string; readonly member?: string };
  /** The order of a sorted list whose direction is not asked for. */
  readonly sortedBy?: 'asc' | 'desc';
  readonly changes?: Changes;
}

/** A list under the name of its operation. */
export type Entry<Name extends string = string> = DocumentedList & { readonly operation: Name };

/** Declares a list. */
export function list<const Name extends string>(operation: Name, definition: DocumentedList): Entry<Name> {
  return { operation, ...definition };
}

/** What a thing that the row belongs to has under a name. */
export const from =
  (name: string): Setting =>
  ({ bag }) =>
    bag[name];

/** When the row is made or handled, in ms. */
export const now: Setting = ({ time }) => time;

/** No value: what the API leaves out. */
export const nothing: Setting = null;
