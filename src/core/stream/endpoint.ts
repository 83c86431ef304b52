import type { Scope, Service } from '../account.ts';
import { MalformedAnswer } from '../errors.ts';
import type { ApiCall } from '../ports.ts';
import { isObject } from './json.ts';
import type { Parent, Stream } from './stream.ts';
import { type Span, zoneOf } from './time.ts';

/** How to request a list. */
export interface Endpoint {
  readonly service: Extract<Service, 'hss' | 'dbss'>;
  readonly method: 'GET' | 'POST';
  /** Path template; if several API versions coexist, the newest first. */
  readonly paths: readonly [`/${string}`, ...`/${string}`[]];
  /** Query parameters of every request; booleans and numbers as text. */
  readonly query?: Readonly<Record<string, string>>;
  /** Members of the JSON body of every request, besides the page. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Names of parameters on the wire, if they differ from the columns. */
  readonly names?: Readonly<Record<string, string>>;
  /** The endpoint accepts `enterprise_project_id` (every HSS list does). */
  readonly enterpriseProjects: boolean;
  /**
   * Parameters whose accepted spelling is disputed between documents: stored value -> spellings to try, most likely
   * first.
   */
  readonly spellings?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** What earlier answers showed about the variant of an endpoint that the server of a scope accepts. */
export interface Dialect {
  /** Index into `Endpoint.paths`; null until one has answered. */
  readonly generation: number | null;
  /** `parameter=stored value` -> the spelling that returned rows; absent until one has. */
  readonly spellings: Readonly<Record<string, string>>;
}

/** The dialect before the first answer. */
export const FIRST_DIALECT: Dialect = { generation: null, spellings: {} };

/** A page of a listing, in the dialect of the server as far as it is known. */
export interface PageOf {
  readonly listing: Listing;
  readonly at: PagePosition;
  readonly dialect?: Dialect;
}

/** The request for a page of a listing: parameters named in the path fill it, the others go into the query. */
export function callFor(
  { endpoint, paging }: { readonly endpoint: Endpoint; readonly paging: Paging },
  scope: Scope,
  { listing, at, dialect = FIRST_DIALECT }: PageOf,
): ApiCall {
  const template = endpoint.paths[dialect.generation ?? 0] ?? endpoint.paths[0];
  const filter: Record<string, string> = {};
  const path: Record<string, string> = { project_id: scope.projectId };
  for (const [name, stored] of Object.entries(listing.params)) {
    const spelling = dialect.spellings[`${name}=${stored}`] ?? endpoint.spellings?.[name]?.[stored]?.[0] ?? stored;
    const wire = endpoint.names?.[name] ?? name;
    (template.includes(`{${wire}}`) ? path : filter)[wire] = spelling;
  }
  const page = paging.params(at);
  const { query = {}, body } = listing.window?.params ?? {};
  const isPlain = [endpoint, listing.window?.params, page].every((each) => each?.body === undefined);
  const enterprise = endpoint.enterpriseProjects ? { enterprise_project_id: scope.enterpriseProjectId } : {};
  return {
    service: endpoint.service,
    method: endpoint.method,
    operation: `${endpoint.method} ${template}`,
    path: template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? '')),
    query: { ...enterprise, ...endpoint.query, ...filter, ...query, ...page.query },
    ...(isPlain ? {} : { body: { ...endpoint.body, ...body, ...page.body } }),
  };
}

/**
 * The first parameter of the listing whose spelling is disputed and not known yet, with the spellings to try. Null
 * without one.
 */
export function unlearntSpelling(
  endpoint: Endpoint,
  listing: Listing,
  dialect: Dialect,
): { readonly name: string; readonly spellings: readonly string[] } | null {
  for (const [parameter, stored] of Object.entries(listing.params)) {
    const spellings = endpoint.spellings?.[parameter]?.[stored] ?? [];
    const name = `${parameter}=${stored}`;
    if (spellings.length > 1 && dialect.spellings[name] === undefined) return { name, spellings };
  }
  return null;
}

/** One list to read to its end: the parameter values that its endpoint needs, in their stored spelling. */
export interface Listing {
  readonly params: Readonly<Record<string, string>>;
  /** Canonical text of the parameters: the key in `sync.listings`. Empty for the only list of a scope. */
  readonly key: string;
  /** Likely to change, so it is read before the others. */
  readonly hot?: boolean;
  /** Zone of times without one, if the parent row names it: an IANA name or an offset. */
  readonly timeZone?: string;
  /** The requested time window, if the list is read window by window. */
  readonly window?: ListingWindow;
}

/** One window of a list. */
export interface ListingWindow {
  /** Column that the API filters by. */
  readonly column: string;
  /**
   * Rows of this window, in ms: from `begin` on and before `end`. Other rows of the answer belong to its neighbours.
   */
  readonly rows: Span;
  /** The requested range: slightly wider, because an API may exclude the times at the ends. */
  readonly asked: Span;
  /** `asked` as parameters of the request. */
  readonly params: PageParams;
  /** Tolerance in ms: a row further outside `asked` shows that the answer belongs to another request. */
  readonly toleranceMs: number;
  /** Zone of times without one. */
  readonly timeZone: string;
  /** Only rows from this time on, in ms, can be missing. Older rows may have aged out. */
  readonly missedFrom: number;
  /**
   * No document says how long the API keeps rows, so a missing row that is older than all listed ones may have aged
   * out.
   */
  readonly mayAgeOut: boolean;
  /** It is long enough to be read in halves. */
  readonly canBeHalved: boolean;
}

/** A listing with its key. */
export function listing(params: Listing['params'] = {}, { hot = false }: Pick<Listing, 'hot'> = {}): Listing {
  const key = Object.keys(params)
    .sort()
    .map((name) => `${name}=${encodeURIComponent(params[name] ?? '')}`)
    .join('&');
  return hot ? { params, key, hot } : { params, key };
}

/** The `timeZone` of a listing from a column of its parent; empty if the text names no known zone. */
export function inZone(text: unknown): Pick<Listing, 'timeZone'> {
  const timeZone = zoneOf(text);
  return timeZone === null ? {} : { timeZone };
}

/** Names of the parameters of the stream's listings. */
export function parametersOf({ parent, listings }: Stream): readonly string[] {
  return [...Object.keys(parent?.params ?? {}), ...constantsOf({ parent, listings })];
}

/** Names of the parameters with constant values, in which the lists of a stream, or of a parent row, differ. */
export function constantsOf({
  parent,
  listings,
}: Pick<Stream, 'listings'> & { parent?: Parent | undefined }): readonly string[] {
  return Object.keys((parent === undefined ? listings : (parent.listings ?? []))[0] ?? {});
}

/** The listings of one parent row, from the values of its parameters. */
export function listingsUnder(
  { listings = [{}] }: Parent,
  values: Listing['params'],
  { hot = false }: Pick<Listing, 'hot'> = {},
): readonly Listing[] {
  return listings.map((constants) => listing({ ...values, ...constants }, { hot }));
}

/** A part of a listing that exceeds its cap: the same list, filtered by one more parameter. */
export function part(whole: Listing, parameter: string, value: string): Listing {
  return listing({ ...whole.params, [parameter]: value });
}

/** The listings of a stream without a parent: the only list of a scope, or one for each fixed combination. */
export function fixedListings(stream: Stream): readonly Listing[] {
  return (stream.listings.length === 0 ? [{}] : stream.listings).map((params) => listing(params, { hot: true }));
}

/** Position of a page in its list, in rows. */
export interface PagePosition {
  readonly offset: number;
  readonly limit: number;
}

/** Parameters that select a page or a time window. */
export interface PageParams {
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** The parts of a decoded answer that paging needs. */
export interface Page {
  readonly records: readonly unknown[];
  /** The list's own count; null if the answer has none. Used only for comparison, never as the end of the list. */
  readonly total: number | null;
  /** The list's own "latest update time" in ms; null if the endpoint has none. A hint, never a watermark. */
  readonly lastUpdateTime: number | null;
  /** Error code beside the records; null without one. */
  readonly error: string | null;
}

/** Replaces the missing body of an answer with status 204. */
export const NO_CONTENT = '{"total_num":0,"total":0}';

/** How a list is divided into pages: pure functions for the request parameters and the answer. */
export interface Paging {
  /**
   * `offset`: pages start at any row. `page`: pages start only at multiples of the page size, so they cannot overlap.
   * `whole`: every answer contains the whole list.
   */
  readonly kind: 'offset' | 'page' | 'whole';
  /** Number of rows to request at once. */
  readonly limit: number;
  /** The API never shows rows beyond this one, whatever the length of the list; null if no cap is documented. */
  readonly cap: number | null;
  /** Key of the list's count in the answer. */
  readonly total: string;
  params(at: PagePosition): PageParams;
  /** `offset`: requested position. Throws MalformedAnswer if the body is not a page of this list. */
  read(body: unknown, offset?: number): Page;
}

interface Shape {
  /** Key of the list; several if API versions differ. */
  readonly list: string | readonly string[];
  /** Key of the object that wraps each record; absent if none does. */
  readonly item?: string;
  readonly total?: string;
  readonly limit?: number;
  readonly cap?: number;
}

/** `offset` and `limit` in the query: every HSS list (limit 10-200). */
export function offsetPaging(shape: Shape): Paging {
  return {
    kind: 'offset',
    limit: shape.limit ?? 200,
    cap: shape.cap ?? null,
    total: shape.total ?? 'total_num',
    params: ({ offset, limit }) => ({ query: { offset, limit } }),
    read: reader(shape, 'total_num'),
  };
}

/** `page` (from 1) and `size` in a JSON body, as numbers or as text: the DBSS lists with method POST. */
export function pagePaging({ asText = false, ...shape }: Shape & { readonly asText?: boolean }): Paging {
  const written = (value: number) => (asText ? String(value) : value);
  return {
    kind: 'page',
    limit: shape.limit ?? 100,
    cap: shape.cap ?? null,
    total: shape.total ?? 'total',
    params: ({ offset, limit }) => ({ body: { page: written(offset / limit + 1), size: written(limit) } }),
    read: reader(shape, 'total'),
  };
}

/** Longer than any list without pages. */
const LONGEST_WHOLE = 1_000_000;

/** A list without pages: every answer contains all of it. Without a count, the number of records is the count. */
export function wholePaging(shape: Omit<Shape, 'limit' | 'cap'>): Paging {
  const read = reader(shape, 'total');
  return {
    kind: 'whole',
    limit: LONGEST_WHOLE,
    cap: null,
    total: shape.total ?? 'total',
    params: () => ({}),
    read(body) {
      const page = read(body);
      return { ...page, total: page.total ?? page.records.length };
    },
  };
}

/** Members that an empty page may have if its list is omitted. */
const SIDE = /^(last_?update_?time|error_?code|error_?msg|request_?id|success|total(_?num)?)$/i;

function reader(shape: Shape, defaultTotal: string): (body: unknown, offset?: number) => Page {
  const lists = typeof shape.list === 'string' ? [shape.list] : shape.list;
  return (body, offset = 0) => {
    if (!isObject(body)) throw new MalformedAnswer('the answer is not a JSON object');
    const total = count(body[shape.total ?? defaultTotal]);
    const key = lists.find((name) => name in body);
    const list = (key === undefined ? undefined : body[key]) || null;
    const error = errorCodeIn(body);
    const lastUpdateTime = count(body.last_update_time ?? body.lastUpdateTime);
    // For an empty list, Java servers write `null`; others omit it (`omitempty` in Go, NON_NULL in Java). If the count
    // promises rows here, or with an error, without a count or with other members, it is a broken answer.
    const isLeftOut = key !== undefined || (total !== null && Object.keys(body).every((name) => SIDE.test(name)));
    if (list === null && isLeftOut && error === null && (total ?? 0) <= offset) {
      return { records: [], total, lastUpdateTime, error };
    }
    if (!Array.isArray(list)) throw new MalformedAnswer(`the answer has no ${lists.join(' or ')}: ${describe(body)}`);
    const { item } = shape;
    const records =
      item === undefined ? list : list.map((one: unknown) => (isObject(one) && isObject(one[item]) ? one[item] : one));
    return { records, total, lastUpdateTime, error };
  };
}

/** A count, as a number or as text; null for anything else. */
function count(value: unknown): number | null {
  const number =
    typeof value === 'string' && value !== '' ? Number(value) : typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
}

/** Text that describes an unexpected answer: its error code if it has one, otherwise its keys. */
function describe(body: Readonly<Record<string, unknown>>): string {
  const code = errorCodeIn(body);
  return code === null ? `its keys are ${Object.keys(body).slice(0, 8).join(', ') || 'none'}` : `error_code ${code}`;
}

/** What services write for "no error": empty, zeros, the success status, or a word for it. */
const SUCCESS = /^(?:(?:HSS|DBSS)\.)?(?:0*|200|ok|none|null|succe(?:ss|ssful|ssfully|ed|eded))$/i;

/**
 * The error code of an answer, independent of its status, from any of the documented places: `error_code` (HSS, DBSS,
 * API gateway), `errorCode` or `code` (accepted by the official SDKs), or any of them below `error` (IAM). Null without
 * a code, or with one that means success.
 */
export function errorCodeIn(body: unknown): string | null {
  if (!isObject(body)) return null;
  for (const holder of [body, ...(isObject(body.error) ? [body.error] : [])]) {
    const code = holder.error_code ?? holder.errorCode ?? holder.code;
    if ((typeof code === 'string' || typeof code === 'number') && !SUCCESS.test(String(code).trim())) {
      return String(code).trim();
    }
  }
  return null;
}
