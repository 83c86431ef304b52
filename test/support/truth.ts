import type pg from 'pg';
import { expect } from 'vitest';
import { storedValue } from '../../src/core/stream/fields.ts';
import { dropSecrets, isObject } from '../../src/core/stream/json.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { type DocumentedOperation, isDocumented } from '../../src/sandbox/documented/lists.ts';
import type { Sandbox } from '../../src/sandbox/server/server.ts';
import { READ_BY_DEFAULT, scope } from './engine.ts';
import { facts } from './facts.ts';

/** Whether the tables say what the sandbox holds at this moment. */

export interface Comparison {
  /** Listed, and not among the live rows. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly different: readonly string[];
}

const LISTS = {
  hss_cluster_events: 'events',
  hss_cluster_security_reports: 'clusterReports',
  hss_protected_clusters: 'clusters',
  hss_kubernetes_clusters: 'kubernetesClusters',
  hss_image_vulnerabilities: 'vulnerabilities',
  hss_image_vulnerability_operations: 'operations',
  dbss_audit_reports: 'reports',
} as const;

/** A list that the sandbox makes from the facts: the one at the path that the stream reads. */
function documentedList({ endpoint }: Stream): DocumentedOperation | undefined {
  const { operation = '' } = facts.get(`${endpoint.method} ${endpoint.paths[0]}`) ?? {};
  return isDocumented(operation) ? operation : undefined;
}

type Content = Readonly<Record<string, string | null>>;

/** What the estate lists at this moment, as rows by key. Null for a list that the estate does not tell about. */
export function truthOf(sandbox: Sandbox, stream: Stream, projectId = scope.projectId): Map<string, Content> | null {
  const list = Object.entries(LISTS).find(([name]) => name === stream.name)?.[1] ?? documentedList(stream);
  const estate = sandbox.estates.get(projectId);
  if (list === undefined || estate === undefined) return null;
  const rows = new Map<string, Content>();
  for (const { request, text } of estate.records(list)) {
    const origin = { projectId, region: scope.region, params: paramsOf(stream, request), timeZone: 'UTC' };
    const record: unknown = JSON.parse(text);
    dropSecrets(stream.secretNames, record);
    const parsed = stream.parse(record, origin);
    if (!parsed.ok) throw new Error(`the estate holds a record that is no row: ${text}`);
    const columns = Object.entries(stream.fields).map(([name, field]) => ({ name, ...field }));
    const inTable = Object.fromEntries(columns.map((column) => [column.name, storedValue(column, parsed.row)]));
    rows.set(keyText(stream, parsed.row), contentOf(stream, inTable));
  }
  return rows;
}

/** What a request asks for, under the names and in the spellings of the stream's columns. */
function paramsOf({ endpoint }: Stream, request: Readonly<Record<string, string>>): Record<string, string> {
  const names = new Map(Object.entries(endpoint.names ?? {}).map(([name, wire]) => [wire, name]));
  return Object.fromEntries(
    Object.entries(request).map(([wire, value]) => {
      const name = names.get(wire) ?? wire;
      const spellings = Object.entries(endpoint.spellings?.[name] ?? {});
      return [name, spellings.find(([, each]) => each.includes(value))?.[0] ?? value];
    }),
  );
}

interface Stored {
  readonly content: Content;
  readonly deleted: boolean;
}

/** What the table holds, tombstones included. */
export async function storedOf(
  pool: pg.Pool,
  stream: Stream,
  projectId = scope.projectId,
): Promise<Map<string, Stored>> {
  const { rows } = await pool.query<Record<string, unknown>>(`select * from ${tableOf(stream)} where project_id = $1`, [
    projectId,
  ]);
  return new Map(
    rows.map((row) => [keyText(stream, row), { content: contentOf(stream, row), deleted: row._deleted_at !== null }]),
  );
}

/** The table as `schema.name`. */
export function tableOf(stream: Stream): string {
  const dash = stream.name.indexOf('_');
  return `${stream.name.slice(0, dash)}.${stream.name.slice(dash + 1)}`;
}

function keyText(stream: Stream, row: Readonly<Record<string, unknown>>): string {
  return stream.key.map((name) => String(row[name])).join('/');
}

/** Columns of the Kubernetes clusters that the estate fills in only on request. */
const UNTOLD = /^agent_|^last_operate_timestamp$/;

const comparedColumns = new WeakMap<Stream, readonly string[]>();

function contentOf(stream: Stream, row: Readonly<Record<string, unknown>>): Content {
  const known = comparedColumns.get(stream);
  const columns = known ?? Object.keys(stream.fields).filter((name) => !UNTOLD.test(name));
  if (known === undefined) comparedColumns.set(stream, columns);
  const content: Record<string, string | null> = {};
  for (const name of columns) content[name] = plain(row[name]);
  return content;
}

function isSame(a: Content, b: Content): boolean {
  for (const name in a) if (a[name] !== b[name]) return false;
  return true;
}

function plain(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(sorted(value)) : String(value);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}

interface OneList {
  readonly pool: pg.Pool;
  readonly sandbox: Sandbox;
  readonly stream: Stream;
  readonly projectId: string;
}

/** Keys of rows that the API lists although the table says that they are gone. */
export async function falseTombstones(pool: pg.Pool, sandbox: Sandbox, stream: Stream): Promise<readonly string[]> {
  const one = { pool, sandbox, stream, projectId: scope.projectId };
  const stored = await storedOf(pool, stream, one.projectId);
  const rows = new Map([...stored].map(([key, { content }]) => [key, content]));
  return [...listedOf(one, rows).keys()].filter((key) => stored.get(key)?.deleted === true);
}

/** Compares the live rows of a table with what the API lists. */
export async function compare(one: OneList): Promise<Comparison> {
  const stored = await storedOf(one.pool, one.stream, one.projectId);
  const live = new Map([...stored].flatMap(([key, { content, deleted }]) => (deleted ? [] : [[key, content]])));
  const truth = listedOf(one, live);
  return {
    missing: [...truth.keys()].filter((key) => !live.has(key)),
    extra: [...live.keys()].filter((key) => !truth.has(key)),
    different: [...truth].flatMap(([key, content]) => {
      const found = live.get(key);
      return found === undefined || content === undefined || isSame(found, content) ? [] : [key];
    }),
  };
}

/** Of some lists the estate tells only the ids, of others not even those: their rows are taken as they are stored. */
function listedOf(
  { sandbox, stream, projectId }: OneList,
  stored: ReadonlyMap<string, Content>,
): ReadonlyMap<string, Content | undefined> {
  const truth = truthOf(sandbox, stream, projectId);
  if (truth !== null)
    return underListed(truth, stream, stream.parent && truthOf(sandbox, stream.parent.stream, projectId));
  const ids = stream.name === 'dbss_audit_instances' ? sandbox.estates.get(projectId)?.instanceIds() : undefined;
  return new Map((ids ?? [...stored.keys()]).map((id) => [id, stored.get(id)]));
}

/**
 * A list below a row ends with that row (docs/decisions.md D3). The estate still holds the images of a vulnerability that was
 * handled meanwhile under the parameters of the unhandled one.
 */
function underListed(
  truth: ReadonlyMap<string, Content>,
  { parent }: Stream,
  parents: ReadonlyMap<string, Content> | null | undefined,
): ReadonlyMap<string, Content> {
  if (parent === undefined || !parents) return truth;
  const { params } = parent;
  const listed = new Set(
    [...parents.values()].map((row) => JSON.stringify(Object.values(params).map((name) => row[name]))),
  );
  const isListed = (row: Content) => listed.has(JSON.stringify(Object.keys(params).map((name) => row[name])));
  return new Map([...truth].filter(([, row]) => isListed(row)));
}

/** Every row that the API lists in the first project is a live row with the same columns, and there are no others. */
export function expectTruth(pool: pg.Pool, sandbox: Sandbox, streams = READ_BY_DEFAULT): Promise<void> {
  return expectTruthIn(scope.projectId, { pool, sandbox, streams });
}

/** The same of any project. */
export async function expectTruthIn(
  projectId: string,
  { pool, sandbox, streams }: Pick<OneList, 'pool' | 'sandbox'> & { readonly streams: readonly Stream[] },
): Promise<void> {
  for (const stream of streams) {
    const { missing, extra, different } = await compare({ pool, sandbox, stream, projectId });
    const [a, b, c] = [missing[0], extra[0], different[0]];
    expect(
      [missing.length, extra.length, different.length],
      `${stream.name} against what the API lists: missing, extra, different; such as ${[a, b, c].join(', ')}`,
    ).toEqual([0, 0, 0]);
  }
}

/** Lists of all projects that the tables differ from. */
export async function untruths(
  pool: pg.Pool,
  sandbox: Sandbox,
  which: readonly Stream[] = READ_BY_DEFAULT,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const projectId of sandbox.estates.keys()) {
    for (const stream of which) {
      const { missing, extra, different } = await compare({ pool, sandbox, stream, projectId });
      if (missing.length + extra.length + different.length > 0)
        found.push(
          `${stream.name} of ${projectId}: ${missing.length} missing, ${extra.length} extra, ${different.length} different`,
        );
    }
  }
  return found;
}

/**
 * What differs although polls have to show it, of estates whose lists are no longer than a page, once no change is younger
 * than the ten seconds by which a list that is asked for between two times is read late. Two differences wait for later walks:
 * - a row that left its list waits for walks that agree (docs/decisions.md D3), so live rows too many are no difference;
 * - where a list is read window by window and no column moves with a change, a row that changes in a closed window waits
 *   for the next full walk.
 */
export async function unshown(
  pool: pg.Pool,
  sandbox: Sandbox,
  which: readonly Stream[] = READ_BY_DEFAULT,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const projectId of sandbox.estates.keys()) {
    for (const stream of which) {
      const { missing, different } = await compare({ pool, sandbox, stream, projectId });
      const due = changesWait(stream) ? [] : different;
      if (missing.length + due.length === 0) continue;
      found.push(`${stream.name} of ${projectId}: ${missing.length} missing, ${due.length} different`);
    }
  }
  return found;
}

function changesWait({ window, version, appendOnly = false }: Stream): boolean {
  return window !== undefined && version === undefined && !appendOnly;
}
