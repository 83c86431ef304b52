/** A column of a view: its expression, and what it means in plain words (BI tools show that). */
export type ViewColumn = readonly [sql: string, about: string];
export type ViewColumns = Readonly<Record<string, ViewColumn>>;

/** A view of the schema `bi`: what dashboards and people may rely on while the tables behind it change. */
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
 * Where a row comes from: the first columns of every view. `alias` is that of the table, which {@link projectJoin} must follow.
 * Account and region are those of the configuration in force, so that all rows of a project have the same ones when either is
 * renamed; the columns of a row say what they were when it was written.
 */
export function scopeColumns(alias: string): ViewColumns {
  return {
    account: [accountOf(alias), 'Name of the account (the set of credentials) that reads the project.'],
    region: [`coalesce(pj.region, ${alias}.region)`, 'Region of the project, such as cn-north-4.'],
    project_id: [`${alias}.project_id`, 'Id of the Huawei Cloud project.'],
  };
}

/** What the configuration says of the project of a row; `pj` is its alias. */
export function projectJoin(alias: string): string {
  return `LEFT JOIN sync.projects pj ON pj.project_id = ${alias}.project_id`;
}

function accountOf(alias: string): string {
  return `coalesce(pj.account, ${alias}.account)`;
}

export type Words = Readonly<Record<string, string>>;

/** A raw value in plain words; an unknown value stays as it is. */
export function inWords(sql: string, words: Words): string {
  const cases = Object.entries(words).map(([value, text]) => `WHEN ${literal(value)} THEN ${literal(text)}`);
  return `CASE ${sql} ${cases.join(' ')} ELSE ${sql} END`;
}

/** An enumeration twice: as the API writes it, and in plain words beside it. */
export function decoded(name: string, [sql, about]: readonly [string, string], words: Words): ViewColumns {
  return {
    [name]: [sql, `${about}, as the API writes it.`],
    [`${name}_text`]: [inWords(sql, words), `${about}, in plain words.`],
  };
}

/** Whether the API still lists a row, for rows that stay visible when it does not. */
export function listedColumns(alias: string): ViewColumns {
  return {
    listed: [
      `${alias}._deleted_at IS NULL`,
      'Whether the API still lists the row; false once it aged out there. Its content stays.',
    ],
  };
}

/** Id and, where known, name of the enterprise project; `ep` is the alias of {@link enterpriseProjectJoin}. */
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

/** Stands behind {@link projectJoin}. */
export function enterpriseProjectJoin(alias: string): string {
  return `LEFT JOIN sync.enterprise_projects ep ON ep.account = ${accountOf(alias)} AND ep.id = ${alias}.enterprise_project_id`;
}

/**
 * The start (UTC) of the hour, day or week (from Monday) of a time. `date_bin` rather than `date_trunc`: it does not depend on the
 * session's time zone, so an index can be made of it and a filter on the result finds that index.
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

/** The list of CVEs as one text; whatever else the column holds gives none. */
export function cvesOf(alias: string): string {
  return `(SELECT string_agg(c ->> 'cve_id', ', ' ORDER BY c ->> 'cve_id') FROM jsonb_array_elements(CASE jsonb_typeof(${alias}.cve_list) WHEN 'array' THEN ${alias}.cve_list END) c)`;
}

/**
 * Whether a stream was ever read completely in a project, as `as_of` of `bi.stream_freshness` has it: without that, no row
 * means nothing.
 */
export function onceComplete(stream: string, projectId: string): string {
  return `EXISTS (SELECT FROM sync.runs x WHERE x.stream = ${literal(stream)} AND x.project_id = ${projectId} AND x.certificate = 'complete')`;
}

/** Minutes from one time to another, with one decimal; clocks of the API disagree at times, but nothing ends before it begins. */
export function minutesBetween(from: string, to: string): string {
  const minutes = `round((extract(epoch FROM (${to}) - ${from}) / 60)::numeric, 1)::double precision`;
  return `CASE WHEN ${to} < ${from} THEN 0 ELSE ${minutes} END`;
}
