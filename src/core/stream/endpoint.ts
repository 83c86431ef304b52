import type { Scope, Service } from '../account.ts';
import type { ApiCall } from '../ports.ts';
import type { Listing } from './listing.ts';
import type { At, Paging } from './paging.ts';

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
