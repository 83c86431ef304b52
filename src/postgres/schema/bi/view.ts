/** A column of a view: its expression, and its description (shown by BI tools). */
export type ViewColumn = readonly [sql: string, about: string];
export type ViewColumns = Readonly<Record<string, ViewColumn>>;

/** A view of the schema `bi`, which stays stable for dashboards and people while the tables behind it change. */
export interface View {
  readonly name: string;
  readonly about: string;
  /** Common table expressions, without `with`. */
  readonly with?: string;
  readonly columns: ViewColumns;
  /** Everything from the `from` clause on. */
  readonly from: string;
}

/** `CREATE OR REPLACE VIEW` and its comments. */
export function viewStatements(view: View): readonly string[] {
  const name = `"bi"."${view.name}"`;
  const columns = Object.entries(view.columns);
  const select = columns.map(([column, [sql]]) => `  ${sql} AS "${column}"`).join(',\n');
  const query = `${view.with === undefined ? '' : `WITH ${view.with}\n`}SELECT\n${select}\n${view.from}`;
  return [
    `CREATE OR REPLACE VIEW ${name} AS\n${query};`,
    `COMMENT ON VIEW ${name} IS ${literal(view.about)};`,
    ...columns.map(([column, [, about]]) => `COMMENT ON COLUMN ${name}."${column}" IS ${literal(about)};`),
  ];
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * The first columns of every view: account, region and project. `alias` is the alias of the table, which {@link
 * projectJoin} must follow. Account and region are those of the current configuration, so that all rows of a project
 * have the same ones after a rename. The columns of the table have those at the time of writing.
 */
export function scopeColumns(alias: string): ViewColumns {
  return {
    account: [accountOf(alias), 'Name of the account (the set of credentials) that reads the project.'],
    region: [`coalesce(pj.region, ${alias}.region)`, 'Region of the project, such as cn-north-4.'],
    project_id: [`${alias}.project_id`, 'Id of the Huawei Cloud project.'],
  };
}

/** Joins the configured account and region of the row's project, as `pj`. */
export function projectJoin(alias: string): string {
  return `LEFT JOIN sync.projects pj ON pj.project_id = ${alias}.project_id`;
}

function accountOf(alias: string): string {
  return `coalesce(pj.account, ${alias}.account)`;
}

export type Words = Readonly<Record<string, string>>;

/** Translates a raw value to plain words; unknown values stay unchanged. */
export function inWords(sql: string, words: Words): string {
  const cases = Object.entries(words).map(([value, text]) => `WHEN ${literal(value)} THEN ${literal(text)}`);
  return `CASE ${sql} ${cases.join(' ')} ELSE ${sql} END`;
}

/** Two columns for an enumeration: the raw value, and plain words. */
export function decoded(name: string, [sql, about]: readonly [string, string], words: Words): ViewColumns {
  return {
    [name]: [sql, `${about}, as the API writes it.`],
    [`${name}_text`]: [inWords(sql, words), `${about}, in plain words.`],
  };
}

/** Whether the API still lists a row, for views that also show rows that are no longer listed. */
export function listedColumns(alias: string): ViewColumns {
  return {
    listed: [
      `${alias}._deleted_at IS NULL`,
      'Whether the API still lists the row; false once it aged out there. Its content stays.',
    ],
  };
}

/** Id and, if known, name of the enterprise project; `ep` is the alias of {@link enterpriseProjectJoin}. */
export function enterpriseProjectColumns(alias: string): ViewColumns {
  const id = `${alias}.enterprise_project_id`;
  return {
    enterprise_project_id: [id, 'Id of the enterprise project; 0 is the default one.'],
    enterprise_project: [
      `coalesce(ep.name, CASE ${id} WHEN '0' THEN 'default' ELSE ${id} END)`,
      'Name of the enterprise project where it is known (security-sync check --discover reads the names), else its id.',
    ],
  };
}

/** Joins the enterprise project, after {@link projectJoin}. */
export function enterpriseProjectJoin(alias: string): string {
  return `LEFT JOIN sync.enterprise_projects ep ON ep.account = ${accountOf(alias)} AND ep.id = ${alias}.enterprise_project_id`;
}

/**
 * Begin (UTC) of the hour, day or week (from Monday) of a time. `date_bin` instead of `date_trunc`, because it does not
 * depend on the session's time zone. So an index on it is possible, and filters on the result use that index.
 */
export function startOf(unit: 'hour' | 'day' | 'week', sql: string): string {
  const monday = unit === 'week' ? '2000-01-03' : '2000-01-01';
  return `date_bin('1 ${unit}', ${sql}, '${monday} 00:00:00+00'::timestamptz)`;
}

/** Hours since a time, with one decimal. */
export function hoursSince(sql: string): string {
  return `round((extract(epoch FROM now() - ${sql}) / 3600)::numeric, 1)::double precision`;
}

/** Days since a time, with one decimal. */
export function daysSince(sql: string): string {
  return `round((extract(epoch FROM now() - ${sql}) / 86400)::numeric, 1)::double precision`;
}

/** A severity and its rank; `sql` is the severity as the API writes it. */
export function severityColumns(sql: string): ViewColumns {
  return {
    severity: [`coalesce(nullif(${sql}, ''), 'Unknown')`, 'Severity: Critical, High, Medium, Low or Unknown.'],
    severity_rank: [
      `coalesce(array_position('{Critical,High,Medium,Low}'::text[], ${sql}), 5)`,
      'Severity as a number to sort by: 1 is Critical, 4 is Low, 5 is unknown.',
    ],
  };
}

/** The list of CVEs as one text; null if the column has anything else. */
export function cvesOf(alias: string): string {
  return `(SELECT string_agg(c ->> 'cve_id', ', ' ORDER BY c ->> 'cve_id') FROM jsonb_array_elements(CASE jsonb_typeof(${alias}.cve_list) WHEN 'array' THEN ${alias}.cve_list END) c)`;
}

/**
 * A stream was completely read in a project at least once, as in `as_of` of `bi.stream_freshness`. Otherwise the
 * absence of rows means nothing.
 */
export function onceComplete(stream: string, projectId: string): string {
  return `EXISTS (SELECT FROM sync.runs x WHERE x.stream = ${literal(stream)} AND x.project_id = ${projectId} AND x.certificate = 'complete')`;
}

/**
 * Minutes between two times, with one decimal. 0 if the end is before the start, because clocks of the API sometimes
 * differ.
 */
export function minutesBetween(from: string, to: string): string {
  const minutes = `round((extract(epoch FROM (${to}) - ${from}) / 60)::numeric, 1)::double precision`;
  return `CASE WHEN ${to} < ${from} THEN 0 ELSE ${minutes} END`;
}
