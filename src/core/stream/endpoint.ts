import type { Scope, Service } from '../account.ts';
import type { ApiCall } from '../ports.ts';
import type { At, PageParams, Paging } from './paging.ts';
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
