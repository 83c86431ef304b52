import type { Scope } from '../account.ts';
import { ConfigurationError } from '../errors.ts';
import { didYouMean } from '../text.ts';
import { OVERLAP_ROWS } from '../walk/observed-page.ts';
import type { OrderColumn } from '../walk/order.ts';
import type { Endpoint, Paging } from './endpoint.ts';
import type { ColumnType, Fields } from './fields.ts';
import { secretNames } from './json.ts';
import { type RecordReader, recordReader } from './record.ts';
import {
  historyTable,
  type MembersDefinition,
  membersTable,
  type StreamTables,
  streamTable,
  type Table,
  type TableDefinition,
} from './table.ts';
import type { TimeWindow } from './time.ts';

/** Topics of lists in display order. Users switch lists on and off by group. */
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
  settings: 'Quotas, allowlists and policy groups of the services.',
} as const;

/** Name of a group. */
export type Group = keyof typeof GROUPS;

/** All groups, in display order. */
export const GROUP_NAMES: readonly Group[] = Object.keys(GROUPS).filter((name): name is Group => name in GROUPS);

/** Items in the order of {@link GROUPS}, with the group of each. Groups without items are omitted. */
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

/** A list endpoint and its table, as declared in a stream file. */
export interface StreamDefinition {
  readonly name: string;
  /** What a row is, in one sentence: the comment of the table. */
  readonly about: string;
  /** The public document that the definition is based on. */
  readonly document: string;
  /** Topic of the list. */
  readonly group: Group;
  /** False: the list is read only if the configuration names it or its group. Default true. */
  readonly onByDefault?: boolean;
  readonly endpoint: Endpoint;
  readonly paging: Paging;
  /** Parameters of the lists of a scope, if there is more than one. */
  readonly listings?: readonly Readonly<Record<string, string>>[];
  readonly parent?: Parent;
  /**
   * Members of a record, at any depth, that hold secrets, with the reason. They are stored nowhere: not in columns,
   * `_extra`, rejects, drift or logs.
   */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly table: TableDefinition;
  /** Columns that the server may sort by: immutable, or changing only to a newer time. */
  readonly order: readonly OrderColumn[];
  /** The list only grows: a row that is no longer listed has aged out and was not deleted. */
  readonly appendOnly?: boolean;
  /** Keep earlier versions of changed rows. */
  readonly history?: boolean;
  /** Lists of objects inside a row that also have a separate table, by column. */
  readonly members?: Readonly<Record<string, MembersDefinition>>;
  /** How to divide a list above its cap: by an immutable column whose values another stream lists. */
  readonly split?: Split;
  /** The list accepts a start and an end, and is read window by window. */
  readonly window?: TimeWindow;
  /**
   * Column of type `timestamptz` that changes with every change of a row. It decides which of two contents is newer. If
   * the list is sorted by it, a poll of the newest end finds all changes.
   */
  readonly version?: string;
  /** Cron expression (UTC). */
  readonly schedule: string;
  /** How often a full walk renews the certificate, in ms. */
  readonly reconcileEveryMs: number;
  /** Age from which its data counts as stale, in ms. */
  readonly targetMs: number;
}

/** A stream in one scope: the unit of a run. */
export interface StreamScope {
  readonly stream: Stream;
  readonly scope: Scope;
}

/** The parent of a stream: each of its live rows has one or more lists of the child. */
export interface Parent {
  readonly stream: Stream;
  /** Parameter of the child's listing -> column of the parent's table. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * Conditions by column of the parent's rows whose listings change most, all of which must hold: a value, or a number
   * that the column exceeds; null counts as exceeding. These listings are polled, the others are read once a week,
   * because a count does not prove that a listing is empty. If absent, all are polled.
   */
  readonly hot?: Readonly<Record<string, string | { readonly above: number }>>;
  /** Parent rows that have a listing. If absent, all have one. */
  readonly only?: { readonly column: string; readonly values: readonly string[] };
  /** Column of the parent with the zone of the listing's times without one. */
  readonly timeZone?: string;
  /** Constant parameters of the lists of each parent row, if there is more than one. */
  readonly listings?: readonly Readonly<Record<string, string>>[];
}

/** How to divide a list: `parameter` takes the values of `column` in the rows of `stream`. */
export interface Split {
  readonly parameter: string;
  readonly stream: Stream;
  readonly column: string;
}

/** A list of objects inside a row, and the table of its elements. */
export interface Members extends Omit<MembersDefinition, 'name'> {
  /** The column of the row with the list. */
  readonly column: string;
  readonly table: Table;
}

/** A stream definition as the engine uses it. */
export interface Stream
  extends Omit<StreamDefinition, 'table' | 'listings' | 'history' | 'secrets' | 'members'>,
    RecordReader,
    StreamTables {
  readonly memberLists: readonly Members[];
  /** Columns of the primary key after `project_id`. */
  readonly key: readonly string[];
  readonly fields: Fields;
  readonly listings: readonly Readonly<Record<string, string>>[];
  readonly secrets: Readonly<Record<string, string>>;
  /** Normalized names of `secrets`. */
  readonly secretNames: ReadonlySet<string>;
  /** Volatile members by column. */
  readonly volatileMembers: readonly (readonly [column: string, members: readonly string[]])[];
}

/** Declares one listing for each live row of the parent. `params`: parameter of this stream -> column of the parent. */
export function childOf(
  stream: Stream,
  params: Readonly<Record<string, string>>,
  more: Omit<Parent, 'stream' | 'params'> = {},
): Parent {
  const { hot, only, timeZone } = more;
  for (const column of [...Object.values(params), ...Object.keys(hot ?? {}), only?.column, timeZone]) {
    if (column !== undefined && !(column in stream.fields)) throw new Error(`${stream.name} has no column "${column}"`);
  }
  return { stream, params, ...more };
}

/** Completes a stream definition. Throws if it contradicts itself. */
export function defineStream(definition: StreamDefinition): Stream {
  const { table, listings = [], secrets = {}, members: lists = {}, endpoint, ...rest } = definition;
  const { fields, key } = table;
  const { window, split } = definition;
  if (window !== undefined && fields[window.column]?.type !== 'timestamptz') {
    throw new Error(`${definition.name}: "${window.column}" must be a timestamptz column, because \`window\` uses it`);
  }
  if (window !== undefined && split !== undefined)
    throw new Error(`${definition.name}: \`window\` and \`split\` exclude each other`);
  checkParameters(definition);
  const memberLists = Object.entries(lists).map(([column, one]) => membersOf(definition, column, one));
  const sorting = Object.assign({}, ...rest.order.map(({ asked }) => asked?.query));
  return {
    ...rest,
    endpoint: { ...endpoint, query: { ...endpoint.query, ...sorting } },
    secrets,
    secretNames: secretNames(Object.keys(secrets)),
    volatileMembers: Object.entries(fields).flatMap(([name, { volatileMembers: found }]) =>
      found.length === 0 ? [] : [[name, found] as const],
    ),
    table: streamTable(table),
    history: definition.history === true ? historyTable(table) : null,
    memberLists,
    memberTables: Object.fromEntries(memberLists.map((one) => [one.column, one.table])),
    key,
    fields,
    listings,
    ...recordReader(fields, key),
  };
}

function membersOf({ name, table }: StreamDefinition, column: string, definition: MembersDefinition): Members {
  if (table.fields[column]?.type !== 'jsonb')
    throw new Error(`${name}: "${column}" must be a json field, because \`members\` uses it`);
  for (const [member, { type }] of Object.entries(definition.fields)) {
    if (table.key.includes(member)) throw new Error(`${name}: "${member}" of "${column}" is also a key column`);
    if (!MEMBER_TYPES.includes(type))
      throw new Error(`${name}: "${member}" of "${column}" must be a text, an integer or a decimal`);
  }
  const { name: _, ...rest } = definition;
  return { ...rest, column, table: membersTable(table, definition) };
}

const MEMBER_TYPES: readonly ColumnType[] = ['text', 'bigint', 'double precision'];

/** Every parameter must be a column: otherwise the walk of one list would take the rows of another one for missing. */
function checkParameters({ name, table, listings = [], parent }: StreamDefinition): void {
  for (const [parameter, column] of Object.entries(parent?.params ?? {})) {
    const type = table.fields[parameter]?.type;
    if (type === undefined || type === parent?.stream.fields[column]?.type) continue;
    throw new Error(`${name}: the column "${parameter}" must have the same type as "${column}" of its parent`);
  }
  const constants = [...listings, ...(parent?.listings ?? [])];
  for (const parameter of [...constants, parent?.params ?? {}].flatMap((one) => Object.keys(one))) {
    if (parameter in table.fields) continue;
    throw new Error(`${name}: the parameter "${parameter}" of its lists must be a column`);
  }
}

/** Streams that must be read first: the parent, and the stream whose rows split the list. */
export function prerequisites(stream: Stream): readonly Stream[] {
  return [stream.parent?.stream, stream.split?.stream].filter((needed) => needed !== undefined);
}

/**
 * The named streams (all, if none is named) and their prerequisites, in an order that respects the prerequisites.
 * Throws ConfigurationError for an unknown name.
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

/** Error message for unknown stream names; null if all are known. */
export function unknownStreams(streams: readonly Stream[], names: readonly string[]): string | null {
  const known = streams.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return null;
  const guesses = unknown.map((name) => ({ name, guess: didYouMean(name, known) }));
  const problem = `unknown ${unknown.length === 1 ? 'stream' : 'streams'}: ${guesses.map(({ name, guess }) => name + guess).join(', ')}`;
  return guesses.every(({ guess }) => guess !== '') ? problem : `${problem}; security-sync streams lists all`;
}

/** The stream with this name. Throws ConfigurationError if there is none. */
export function streamNamed(streams: readonly Stream[], name: string): Stream {
  const found = streams.find((stream) => stream.name === name);
  if (found === undefined) throw new ConfigurationError(unknownStreams(streams, [name]) ?? name);
  return found;
}

/** Requests of a full walk of a quiet list: pages of `limit` rows with their overlap, plus the first page again. */
export function fullWalkRequests(rows: number, limit: number): number {
  return rows < limit ? 1 : 1 + Math.ceil((rows - limit) / (limit - OVERLAP_ROWS)) + 1;
}
