import type { Pool } from 'pg';
import { keyOf } from '../../src/core/stream.ts';
import { qualified } from '../../src/postgres/statements.ts';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { streams } from '../../src/streams/index.ts';

const LISTS = {
  hss_cluster_events: 'events',
  hss_cluster_security_reports: 'clusterReports',
  hss_protected_clusters: 'clusters',
  hss_kubernetes_clusters: 'kubernetesClusters',
  hss_image_vulnerabilities: 'vulnerabilities',
  hss_image_vulnerability_operations: 'operations',
  dbss_audit_reports: 'reports',
} as const;

/** Where the tables differ from what the sandbox holds at this moment: rows that are missing, that should not be there, or that say something else. */
export async function untruths(pool: Pool, sandbox: Sandbox): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { project, records } of sandbox.estates.values()) {
    for (const [name, list] of Object.entries(LISTS)) {
      const stream = streams.find((one) => one.name === name);
      if (stream === undefined) throw new Error(`no stream ${name}`);
      const truth = new Map<string, Readonly<Record<string, unknown>>>();
      for (const { request, text } of records(list)) {
        // Other kinds of image than the two documented ones are not asked for.
        if (request.image_type === 'cicd' || request.image_type === 'cluster') continue;
        const parsed = stream.parse(JSON.parse(text), {
          projectId: project.id,
          region: project.region,
          params: request,
          timeZone: 'UTC',
        });
        if (parsed.ok) truth.set(keyOf(stream.key, parsed.row), parsed.row);
      }
      const { rows } = await pool.query(
        `select * from ${qualified(stream.table)} where project_id = $1 and _deleted_at is null`,
        [project.id],
      );
      const stored = new Map(rows.map((row) => [keyOf(stream.key, row), row]));
      const missing = [...truth.keys()].filter((key) => !stored.has(key));
      const surplus = [...stored.keys()].filter((key) => !truth.has(key));
      const fields = Object.entries(stream.fields).filter(
        ([, field]) => field.type === 'text' || field.type === 'timestamptz',
      );
      const different = [...truth].filter(([key, row]) => {
        const other = stored.get(key);
        // What the documents call optional may depend on how the list was asked for.
        const comparable = fields.filter(([name, field]) => !(field.documented.optional && textOf(row[name]) === ''));
        return other !== undefined && comparable.some(([name]) => textOf(row[name]) !== textOf(other[name]));
      });
      if (missing.length + surplus.length + different.length > 0) {
        found.push(
          `${name} of ${project.id}: ${missing.length} missing, ${surplus.length} surplus, ${different.length} different of ${truth.size}`,
        );
      }
    }
  }
  return found;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return value instanceof Date ? String(value.getTime()) : String(value);
}

/** Runs of one stream in one scope that went on at the same time. */
export async function overlappingRuns(pool: Pool): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select a.stream, a.project_id, a.id, a.owner, a.status, b.id as other, b.owner as other_owner, b.status as other_status from sync.runs a
     join sync.runs b on b.stream = a.stream and b.project_id = a.project_id and b.id > a.id
     where b.started_at < coalesce(a.finished_at, 'infinity')`,
  );
  return rows;
}

/** Operations that were called more often than `limit` times in any window of a minute, and calls that were throttled. */
export function quotaBreaches(sandbox: Sandbox, limit: number, windowMs = 60_000): readonly string[] {
  const breaches: string[] = [];
  for (const [operation = '', calls] of Map.groupBy(sandbox.requests.entries(), (entry) => entry.operation)) {
    const throttled = calls.filter(({ status }) => status === 429).length;
    const most = Math.max(
      ...calls.map(({ time }, index) => calls.slice(index).filter((call) => call.time < time + windowMs).length),
    );
    if (throttled > 0 || most > limit) breaches.push(`${operation}: ${most} within a window, ${throttled} throttled`);
  }
  return breaches;
}

/** Versions of a row that hold at the same time, or that say the same as the one before. */
export async function doubleVersions(pool: Pool): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, table, history, key, fields } of streams) {
    if (history === null) continue;
    const identity = ['project_id', ...key].join(', ');
    const content = Object.entries(fields).flatMap(([field, { volatile, derive }]) =>
      volatile || derive !== undefined ? [] : [field],
    );
    const { rows } = await pool.query<{ wrong: number }>(
      `with versions as (
         select ${identity}, _valid_from, _valid_to, row(${content.join(', ')})::text as content from ${qualified(history)}
         union all
         select t.${identity.replaceAll(', ', ', t.')}, h.last, 'infinity', row(${content.map((field) => `t.${field}`).join(', ')})::text from ${qualified(table)} t
         join (select ${identity}, max(_valid_to) as last from ${qualified(history)} group by ${identity}) h using (${identity}) where t._deleted_at is null
       ), pairs as (
         select *, lead(_valid_from) over w as next_from, lead(content) over w as next_content from versions window w as (partition by ${identity} order by _valid_from, _valid_to)
       )
       select count(*)::int as wrong from pairs where next_from < _valid_to or next_content = content`,
    );
    if ((rows[0]?.wrong ?? 0) > 0) found.push(`${name}: ${rows[0]?.wrong}`);
  }
  return found;
}
