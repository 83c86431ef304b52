import type { PermissionRefused } from '../../src/core/errors.ts';
import type { ApiCall } from '../../src/core/ports.ts';
import type { Kind } from './simulated-estate.ts';

/** What a request asks for. */
export interface Question {
  readonly kind: Kind;
  /** What the list is narrowed to, in the stored spelling. */
  readonly filter: Readonly<Record<string, string>>;
  readonly offset: number;
  readonly limit: number;
}

/** What an answer says. */
export interface Body {
  readonly kind: Kind;
  readonly records: readonly object[];
  readonly total: number | undefined;
  readonly hint: number | undefined;
}

const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/cluster-protect\/events$/, 'events'],
  [/cluster-protect\/clusters$/, 'clusters'],
  [/cluster-reports$/, 'checks'],
  [/handle-history$/, 'operations'],
  [/images\/vulnerabilities$/, 'vulnerabilities'],
  [/reports\/list$/, 'reports'],
  [/instances$/, 'instances'],
];

/** The list that a request is about. */
export function asked({ path, query = {} }: ApiCall): {
  readonly kind: Kind;
  readonly filter: Readonly<Record<string, string>>;
} {
  const kind = KINDS.find(([pattern]) => pattern.test(path))?.[1];
  if (kind === undefined) throw new Error(`no simulation of ${path}`);
  const filter: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (['offset', 'limit', 'enterprise_project_id'].includes(name)) continue;
    filter[name] = value === 'local' ? 'local_image' : String(value);
  }
  const instance = /audit\/([^/]+)\/reports/.exec(path)?.[1];
  if (instance !== undefined) filter.instance_id = instance;
  return { kind, filter };
}

/** What is asked for, by a server that has a page size of its own. */
export function position({ query, body }: ApiCall, clamp: number | null): Pick<Question, 'offset' | 'limit'> {
  const most = clamp ?? Number.POSITIVE_INFINITY;
  if (body === undefined) {
    return { offset: Number(query?.offset ?? 0), limit: Math.min(most, Number(query?.limit ?? 0)) };
  }
  const size = Math.min(most, Number(body.size));
  return { offset: (Number(body.page) - 1) * size, limit: size };
}

/** An answer as the API writes it. */
export function bodyOf({ kind, records, total, hint }: Body): Readonly<Record<string, unknown>> {
  if (kind === 'instances') return { instances: records, total };
  if (kind === 'reports') return { reports: records, total };
  return { data_list: records, total_num: total, last_update_time: hint };
}

export function failure(status: number, code: string): PermissionRefused['failure'] {
  return { status, code, apiMessage: null, requestId: null };
}
