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
 * The start (UTC) of the hour or day of a time. `date_bin` rather than `date_trunc`: it does not depend on the session's
 * time zone, so an index can be made of it and a filter on the result finds that index.
 */
export function startOf(unit: 'hour' | 'day', sql: string): string {
  return `date_bin('1 ${unit}', ${sql}, '2000-01-01 00:00:00+00'::timestamptz)`;
}

/** Minutes from one time to another, with one decimal; clocks of the API disagree at times, but nothing ends before it begins. */
export function minutesBetween(from: string, to: string): string {
  const minutes = `round((extract(epoch FROM (${to}) - ${from}) / 60)::numeric, 1)::double precision`;
  return `CASE WHEN ${to} < ${from} THEN 0 ELSE ${minutes} END`;
}
