import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

/** The type of Grafana's PostgreSQL data source, and the uid of the provisioned one. */
export const DATASOURCE_TYPE = 'grafana-postgresql-datasource';
export const DATASOURCE_UID = 'security-sync';

/** The data source of every panel: the one chosen at the top of the dashboard. */
export const datasource: DataSourceRef = { type: DATASOURCE_TYPE, uid: `$\{datasource}` };

/** The value of "All" in every variable, quoted for SQL. */
export const ALL = "'*'";

/** A query as the PostgreSQL data source stores it. */
export class SqlQuery {
  readonly #format: 'table' | 'time_series';
  readonly #sql: string;
  readonly #refId: string;

  constructor(sql: string, format: 'table' | 'time_series' = 'table', refId = 'A') {
    this.#format = format;
    this.#sql = sql;
    this.#refId = refId;
  }

  build(): Dataquery {
    const query = {
      refId: this.#refId,
      datasource,
      editorMode: 'code',
      format: this.#format,
      rawQuery: true,
      rawSql: this.#sql.trim(),
      // A type marker; not part of the JSON.
      _implementsDataqueryVariant() {},
    };
    return query;
  }
}

/** Rows that match a variable. "All" matches every row, including those whose value is in no list. */
export function chosen(column: string, variable: string): string {
  return `('*' in ($${variable}) or ${column} in ($${variable}))`;
}

/** Rows of the chosen accounts, regions and projects. */
export const inScope = [chosen('account', 'account'), chosen('region', 'region'), chosen('project_id', 'project')].join(
  ' and ',
);

/** Also filters by the chosen clusters, namespaces and policies. */
export const inEvents = [
  inScope,
  chosen('cluster_name', 'cluster'),
  chosen('namespace', 'namespace'),
  chosen('policy_name', 'policy'),
].join('\n  and ');

/**
 * For a view by the hour: the hours of the chosen time range, including the one in which it begins.
 * `$__timeFilter(hour)` would exclude that one, and so all data of a short range. Uses `date_bin`, because some time
 * zones have other full hours.
 */
export const inHours =
  "hour >= date_bin('1 hour', $__timeFrom()::timestamptz, '2000-01-01 00:00:00+00') and hour <= $__timeTo()";

/** For a view by the day (UTC): the days of the chosen time range, including the one in which it begins. */
export const inDays =
  "day >= date_bin('1 day', $__timeFrom()::timestamptz, '2000-01-01 00:00:00+00') and day <= $__timeTo()";

/** The same by the week (UTC, from Monday). */
export const inWeeks =
  "week >= date_bin('7 days', $__timeFrom()::timestamptz, '2000-01-03 00:00:00+00') and week <= $__timeTo()";

/** The text of a number that is null. */
export const NOT_READ = 'Not read yet';

/**
 * A number from a stream's table; null before any of its lists was first read completely, because 0 would be
 * misleading.
 */
export function onceRead(stream: string, sql: string): string {
  const read = `exists (select from bi.stream_freshness where stream = '${stream}' and as_of is not null and ${inScope})`;
  return `select case when ${read} then (${sql}) end`;
}

/** The text of an empty list of problems, which only holds for what was read. */
export const NONE_READ = 'None in what was read';
