import type { Scope, Service } from '../account.ts';
import { MalformedAnswer } from '../errors.ts';
import type { ApiCall } from '../ports.ts';
import { isObject } from './json.ts';
import type { Parent, Stream } from './stream.ts';
import { type Span, zoneOf } from './time.ts';

export interface Endpoint {
  readonly service: Extract<Service, 'hss' | 'dbss'>;
  readonly method: 'GET' | 'POST';
  /** Path template; where generations of the endpoint coexist, the newest first. */
  readonly paths: readonly [`/${string}`, ...`/${string}`[]];
  /** Parameters that every request carries; booleans and numbers as text. */
  readonly query?: Readonly<Record<string, string>>;
  /** Members that the JSON body of every request carries besides its page. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Names of parameters on the wire, where they are not those of the columns. */
  readonly names?: Readonly<Record<string, string>>;
  /** Whether the endpoint knows `enterprise_project_id` (every HSS list does). */
  readonly enterpriseProjects: boolean;
  /**
   * Parameters whose accepted spelling the documents dispute: stored value -> spellings to try, likeliest first.
   */
  readonly spellings?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** What has been learnt about how a scope's server wants an endpoint called. */
export interface Dialect {
  /** Index into `Endpoint.paths`; null until one has answered. */
  readonly generation: number | null;
  /** `parameter=stored value` -> the spelling that has brought rows; absent until one has. */
  readonly spellings: Readonly<Record<string, string>>;
}

export const FIRST_DIALECT: Dialect = { generation: null, spellings: {} };

/** Which page of which listing, in the server's dialect as far as it is known. */
export interface PageOf {
  readonly listing: Listing;
  readonly at: At;
  readonly dialect?: Dialect;
}

/** A listing's page as a request: parameters named in the path fill it, the others go to the query. */
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

/** The parameter of the listing whose spelling is disputed and not learnt yet, with the spellings to try. */
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

/** One list to read to its end: the values its endpoint needs, in their stored spelling. */
export interface Listing {
  readonly params: Readonly<Record<string, string>>;
  /** Canonical text of the parameters: what `sync.listings` knows it by. Empty for the one list of a scope. */
  readonly key: string;
  /** Likely to change, so it is asked for before the others. */
  readonly hot?: boolean;
  /** Zone of its times that name none, where its parent knows one: an IANA name or an offset. */
  readonly timeZone?: string;
  /** The part of its time that is asked for, where the list is read window by window. */
  readonly window?: ListingWindow;
}

/** One window of a list. */
export interface ListingWindow {
  /** Column that the API filters by. */
  readonly column: string;
  /** What belongs to it, in ms: rows from `begin` on and before `end`. Others of the answer belong to its neighbours. */
  readonly rows: Span;
  /** What is asked for: more than that, whether the API takes a time at an end for inside or not. */
  readonly asked: Span;
  /** `asked` as parameters of the request. */
  readonly params: PageParams;
  /** A row further outside of `asked` than that, in ms, shows that the answer is to another question. */
  readonly toleranceMs: number;
  /** Zone of times that name none. */
  readonly timeZone: string;
  /** Rows from this time on may be missed, in ms; what is older may have aged out. */
  readonly missedFrom: number;
  /** No document says how long the API keeps rows: one that is missing and older than all that are listed may have aged out. */
  readonly mayAgeOut: boolean;
  /** It can be read in halves. */
  readonly canBeHalved: boolean;
}

export function listing(params: Readonly<Record<string, string>> = {}, hot = false): Listing {
  const key = Object.keys(params)
    .sort()
    .map((name) => `${name}=${encodeURIComponent(params[name] ?? '')}`)
    .join('&');
  return hot ? { params, key, hot } : { params, key };
}

/** What a listing takes from its parent's zone: nothing where the parent says none that is known. */
export function inZone(text: unknown): Pick<Listing, 'timeZone'> {
  const timeZone = zoneOf(text);
  return timeZone === null ? {} : { timeZone };
}

/** Names of the parameters that each listing of the stream has. */
export function parametersOf({ parent, listings }: Stream): readonly string[] {
  return [...Object.keys(parent?.params ?? {}), ...constantsOf({ parent, listings })];
}

/** Names of the parameters whose values are written down: those in which the lists of a stream, or of a parent row, differ. */
export function constantsOf({
  parent,
  listings,
}: Pick<Stream, 'listings'> & { parent?: Parent | undefined }): readonly string[] {
  return Object.keys((parent === undefined ? listings : (parent.listings ?? []))[0] ?? {});
}

/** The listings of one parent row, from the values of the parameters that it names. */
export function listingsUnder({ listings = [{}] }: Parent, values: Listing['params'], hot = false): readonly Listing[] {
  return listings.map((constants) => listing({ ...values, ...constants }, hot));
}

/** A part of a listing that is too long for its cap: the same list, filtered. */
export function part(whole: Listing, parameter: string, value: string): Listing {
  return listing({ ...whole.params, [parameter]: value });
}

/** The listings a stream has without a parent: the one list of a scope, or one per fixed combination. */
export function fixedListings(stream: Stream): readonly Listing[] {
  return (stream.listings.length === 0 ? [{}] : stream.listings).map((params) => listing(params, true));
}

/** Where a page lies in its list, counted in rows. */
export interface At {
  readonly offset: number;
  readonly limit: number;
}

export interface PageParams {
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** A decoded answer, as far as paging understands it. */
export interface Page {
  readonly records: readonly unknown[];
  /** What the list says its length is; null when it does not say. A claim to compare with, never the end of a list. */
  readonly total: number | null;
  /** The list's own "latest update time" in ms, where the endpoint has one. A hint, never a watermark. */
  readonly lastUpdateTime: number | null;
  /** Error code that came beside the records; null where there is none. */
  readonly error: string | null;
}

/** What an answer without a body (204) is read as. */
export const NO_CONTENT = '{"total_num":0,"total":0}';

/** How a list is cut into pages: a pure function of "what I ask for" and "what came back". */
export interface Paging {
  /**
   * `offset`: any start row. `page`: only multiples of the page size, so pages cannot overlap. `whole`: every answer has
   * all of the list.
   */
  readonly kind: 'offset' | 'page' | 'whole';
  /** Rows asked for at a time. */
  readonly limit: number;
  /** The list never shows rows beyond this one, whatever its true length. */
  readonly cap: number | null;
  /** Key of the list's length in the answer. */
  readonly total: string;
  params(at: At): PageParams;
  /** `offset` is where the page was asked for. Throws MalformedAnswer when the body is not a page of this list. */
  read(body: unknown, offset?: number): Page;
}

interface Shape {
  /** Key of the list; several when generations of the endpoint differ. */
  readonly list: string | readonly string[];
  /** Key of the object that wraps each record, if any. */
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

/** `page` (from 1) and `size` in a JSON body, as numbers or as text: the DBSS lists that are asked for with POST. */
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

/** Longer than any list that is sent without pages. */
const LONGEST_WHOLE = 1_000_000;

/** A list without pages, which every answer has all of. Without a count it is as long as its answer. */
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

/** Members that a page may have besides its list: what is left of an empty one where empty members are left out. */
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
    // Java servers write `null` for an empty list, others leave it out (`omitempty` in Go, NON_NULL in Java). With rows
    // promised at this place, with an error, without a count or with other members, it is a broken answer.
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

/** A count that may come as a number or as text; anything else is "not said". */
function count(value: unknown): number | null {
  const number =
    typeof value === 'string' && value !== '' ? Number(value) : typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
}

/** What the answer was instead: its error code where it has one, else its keys. */
function describe(body: Readonly<Record<string, unknown>>): string {
  const code = errorCodeIn(body);
  return code === null ? `its keys are ${Object.keys(body).slice(0, 8).join(', ') || 'none'}` : `error_code ${code}`;
}

/** What services write for "no error": nothing, zeros, the status of success, or a word for it. */
const SUCCESS = /^(?:(?:HSS|DBSS)\.)?(?:0*|200|ok|none|null|succe(?:ss|ssful|ssfully|ed|eded))$/i;

/**
 * The error code that an answer carries whatever its status, in any of the documented places: `error_code` (HSS, DBSS, API
 * gateway), `errorCode` or `code` (accepted by the official SDKs), or either of them below `error` (IAM). Null where there
 * is none, or one that says success.
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
