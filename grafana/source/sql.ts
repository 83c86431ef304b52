import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';

/** The type of Grafana's PostgreSQL data source, and the uid under which the provisioning sets ours up. */
export const DATASOURCE_TYPE = 'grafana-postgresql-datasource';
export const DATASOURCE_UID = 'security-sync';

/** What every panel asks: the data source chosen at the top of the dashboard. */
export const datasource: DataSourceRef = { type: DATASOURCE_TYPE, uid: `$\{datasource}` };

/** The value that stands for "All" in every variable, quoted as it is put into the query. */
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
      // Only a mark for the type; it does not get into the JSON.
      _implementsDataqueryVariant() {},
    };
    return query;
  }
}

/** Rows of what is chosen in a variable. Of "All", all rows: also those whose value is in no list. */
export function chosen(column: string, variable: string): string {
  return `('*' in ($${variable}) or ${column} in ($${variable}))`;
}

/** Rows of the chosen accounts, regions and projects. */
export const inScope = [chosen('account', 'account'), chosen('region', 'region'), chosen('project_id', 'project')].join(
  ' and ',
);

/** And of the chosen clusters, namespaces and policies. */
export const inEvents = [
  inScope,
  chosen('cluster_name', 'cluster'),
  chosen('namespace', 'namespace'),
  chosen('policy_name', 'policy'),
].join('\n  and ');

/**
 * Of a view by the hour, the hours of the chosen time, the one it begins in included: `$__timeFilter(hour)` would leave
 * that one out, and so everything of a short time. By `date_bin`, because hours begin elsewhere in some time zones.
 */
export const inHours =
  "hour >= date_bin('1 hour', $__timeFrom()::timestamptz, '2000-01-01 00:00:00+00') and hour <= $__timeTo()";

/** The same by the day: of a view by the day (UTC), the days of the chosen time, the one it begins in included. */
export const inDays =
  "day >= date_bin('1 day', $__timeFrom()::timestamptz, '2000-01-01 00:00:00+00') and day <= $__timeTo()";

/** The same by the week (UTC, from Monday). */
export const inWeeks =
  "week >= date_bin('7 days', $__timeFrom()::timestamptz, '2000-01-03 00:00:00+00') and week <= $__timeTo()";

/** What a number says while it is null. */
export const NOT_READ = 'Not read yet';

/** A number of what a stream has read; null while none of its lists was ever read completely: 0 would be good news. */
export function onceRead(stream: string, sql: string): string {
  const read = `exists (select from bi.stream_freshness where stream = '${stream}' and as_of is not null and ${inScope})`;
  return `select case when ${read} then (${sql}) end`;
}

/** What a list of troubles says while it is empty: that there are none is only known of what was read. */
export const NONE_READ = 'None in what was read';
