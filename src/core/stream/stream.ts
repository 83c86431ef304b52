import type { PgTable } from 'drizzle-orm/pg-core';
import type { Scope } from '../account.ts';
import { ConfigurationError } from '../errors.ts';
import { didYouMean } from '../text.ts';
import type { OrderColumn } from '../walk/order.ts';
import type { Endpoint, Paging } from './endpoint.ts';
import { type Fields, secretNames } from './fields.ts';
import { type RecordReader, recordReader } from './record.ts';
import { historyTable, streamTable, type TableDefinition } from './table.ts';
import type { TimeWindow } from './time.ts';

/** What lists are about, in the order in which they are shown: people switch lists on and off by it. */
export const GROUPS = {
  containers: 'Clusters, their nodes and containers, and what the cluster protection found.',
  hosts: 'Hosts, their protection, accounts and software, and the alarms about them.',
  vulnerabilities: 'Vulnerabilities of hosts, and what was done about them.',
  baseline: 'Configuration checks, weak passwords and password rules.',
  images: 'Container images, and the vulnerabilities and risks in them.',
  malware: 'Malware that was found, and what was isolated.',
  webtamper: 'Web tamper protection: changes of protected files and applications.',
  ransomware: 'Ransomware protection of hosts.',
  dbss: 'Database audit instances, their databases, alarms, reports and rules.',
  settings: 'Quotas and whitelists: what the services were told.',
} as const;

export type Group = keyof typeof GROUPS;

export const GROUP_NAMES: readonly Group[] = Object.keys(GROUPS).filter((name): name is Group => name in GROUPS);

/** Items in the order of {@link GROUPS}, with the group of each; groups without items are left out. */
export function byGroup<T>(
  items: readonly T[],
  groupOf: (item: T) => Group,
): readonly (readonly [Group, readonly T[]])[] {
  const grouped = Map.groupBy(items, groupOf);
  return GROUP_NAMES.flatMap((group) => {
    const found = grouped.get(group);
    return found === undefined ? [] : [[group, found] as const];
  });
}

/** A list endpoint and the table it fills, as a stream file writes it down. */
export interface StreamDefinition {
  readonly name: string;
  /** What a row is, in one sentence: the comment of the table. */
  readonly about: string;
  /** The public document the definition was read from. */
  readonly document: string;
  /** What the list is about. */
  readonly group: Group;
  /** False for a list that is read only where the configuration asks for it or for its group. */
  readonly onByDefault?: boolean;
  readonly endpoint: Endpoint;
  readonly paging: Paging;
  /** Parameters of the lists a scope has, when it is more than one. */
  readonly listings?: readonly Readonly<Record<string, string>>[];
  readonly parent?: Parent;
  /**
   * Members of a record, at any depth, that hold secrets, and why each is left out: they are stored nowhere, neither in
   * columns nor in `_extra`, rejects, drift or logs.
   */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly table: TableDefinition;
  /** Columns the server may sort by: immutable, or only ever moving to the newest end. */
  readonly order: readonly OrderColumn[];
  /** The list only grows: a row that is listed no more aged out, it was not deleted. */
  readonly appendOnly?: boolean;
  /** Closed versions of changed rows are kept. */
  readonly history?: boolean;
  /** How a list longer than its cap is cut: by an immutable column of its rows, whose values another stream lists. */
  readonly split?: Split;
  /** The list takes a begin and an end, and is read window by window. */
  readonly window?: TimeWindow;
  /**
   * Column of `timestamptz` that moves with every change of a row: it tells older content from newer, and where the list
   * is sorted by it, a poll of the newest end finds everything that changed.
   */
  readonly version?: string;
  /** Cron expression (UTC). */
  readonly schedule: string;
  /** How often a full walk renews the certificate, in ms. */
  readonly reconcileEveryMs: number;
  /** How old its data may get before it is called stale, in ms. */
  readonly targetMs: number;
}

/** A stream in one scope: what a run reads, and the rows it may write. */
export interface StreamScope {
  readonly stream: Stream;
  readonly scope: Scope;
}

export interface Parent {
  readonly stream: Stream;
  /** Parameter of the child's listing -> column of the parent's table. */
  readonly params: Readonly<Record<string, string>>;
  /** Parent rows whose listings change most: asked for first. Without it all of them are. */
  readonly hot?: { readonly column: string; readonly value: string };
  /** Parent rows that have a listing at all. Without it all of them have. */
  readonly only?: { readonly column: string; readonly values: readonly string[] };
  /** Column of the parent that says in which zone the listing's times without zone are. */
  readonly timeZone?: string;
  /** Constants of the lists that each parent row has, when it is more than one. */
  readonly listings?: readonly Readonly<Record<string, string>>[];
}

export interface Split {
  readonly parameter: string;
  readonly stream: Stream;
  readonly column: string;
}

/** What the engine sees. */
export interface Stream extends Omit<StreamDefinition, 'table' | 'listings' | 'history' | 'secrets'>, RecordReader {
  readonly table: PgTable;
  readonly history: PgTable | null;
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  readonly fields: Fields;
  readonly listings: readonly Readonly<Record<string, string>>[];
  readonly secrets: Readonly<Record<string, string>>;
  /** Names of `secrets` as records are searched for them. */
  readonly secretNames: ReadonlySet<string>;
}

/** One listing per live row of the parent; `params` maps a parameter of this stream to a column of the parent. */
export function childOf(
  stream: Stream,
  params: Readonly<Record<string, string>>,
  more: Omit<Parent, 'stream' | 'params'> = {},
): Parent {
  const { hot, only, timeZone } = more;
  for (const column of [...Object.values(params), hot?.column, only?.column, timeZone]) {
    if (column !== undefined && !(column in stream.fields)) throw new Error(`${stream.name} has no column "${column}"`);
  }
  return { stream, params, ...more };
}

export function defineStream(definition: StreamDefinition): Stream {
  const { table, listings = [], secrets = {}, endpoint, ...rest } = definition;
  const { fields, key } = table;
  const { window, split } = definition;
  if (window !== undefined && fields[window.column]?.type !== 'timestamptz') {
    throw new Error(`${definition.name} has no time "${window.column}" to be read by`);
  }
  if (window !== undefined && split !== undefined) throw new Error(`${definition.name} is read in parts of two kinds`);
  checkParameters(definition);
  const sorting = Object.assign({}, ...rest.order.map(({ asked }) => asked?.query));
  return {
    ...rest,
    endpoint: { ...endpoint, query: { ...endpoint.query, ...sorting } },
    secrets,
    secretNames: secretNames(Object.keys(secrets)),
    table: streamTable(table),
    history: definition.history === true ? historyTable(table) : null,
    key,
    fields,
    listings,
    ...recordReader(fields, key),
  };
}

/** A row has to say which list it is from, or the walk of another list would take it for one that is missing. */
function checkParameters({ name, table, listings = [], parent }: StreamDefinition): void {
  for (const [parameter, column] of Object.entries(parent?.params ?? {})) {
    const type = table.fields[parameter]?.type;
    if (type === undefined || type === parent?.stream.fields[column]?.type) continue;
    throw new Error(`${name}: the column "${parameter}" has another type than "${column}" of its parent`);
  }
  const constants = [...listings, ...(parent?.listings ?? [])];
  for (const parameter of [...constants, parent?.params ?? {}].flatMap((one) => Object.keys(one))) {
    if (parameter in table.fields) continue;
    throw new Error(`${name}: the parameter "${parameter}" of its lists is no column`);
  }
}

/** What must be read before a stream: its parent, and the stream whose rows split its list. */
export function prerequisites(stream: Stream): readonly Stream[] {
  return [stream.parent?.stream, stream.split?.stream].filter((needed) => needed !== undefined);
}

/**
 * The named streams (all, when none is named) with everything they need, each after what it needs. Order comes from the
 * definitions, never from numbers. Throws ConfigurationError for an unknown name.
 */
export function inOrder(streams: readonly Stream[], names: readonly string[] = []): readonly Stream[] {
  const problem = unknownStreams(streams, names);
  if (problem !== null) throw new ConfigurationError(problem);
  const ordered = new Set<Stream>();
  const visit = (stream: Stream): void => {
    for (const needed of prerequisites(stream)) if (!ordered.has(needed)) visit(needed);
    ordered.add(stream);
  };
  for (const stream of streams) if (names.length === 0 || names.includes(stream.name)) visit(stream);
  return [...ordered];
}

/** What is wrong with names of streams, or null. */
export function unknownStreams(streams: readonly Stream[], names: readonly string[]): string | null {
  const known = streams.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return null;
  const guesses = unknown.map((name) => `${name}${didYouMean(name, known)}`);
  return `unknown ${unknown.length === 1 ? 'stream' : 'streams'}: ${guesses.join(', ')}; there are ${known.join(', ')}`;
}

/** The stream of this name. Throws ConfigurationError for an unknown one. */
export function streamNamed(streams: readonly Stream[], name: string): Stream {
  const found = streams.find((stream) => stream.name === name);
  if (found === undefined) throw new ConfigurationError(unknownStreams(streams, [name]) ?? name);
  return found;
}

/** Requests a full walk of a quiet list needs: pages of `limit` that share five rows, and the first page once more. */
export function fullWalkRequests(rows: number, limit: number): number {
  return rows < limit ? 1 : 1 + Math.ceil((rows - limit) / (limit - 5)) + 1;
}
