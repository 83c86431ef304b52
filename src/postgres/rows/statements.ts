import type { Field } from '../../core/stream/fields.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { Column, Table } from '../../core/stream/table.ts';

/** The SQL for a stream's table, as texts, so that it can be read and tested without a database. */
export interface Statements {
  /**
   * `$1` project, `$2` hashes, `$3...` key columns as arrays. Returns the positions (from 1) of rows that differ from
   * the table, whether their key is stored, whether it is marked as gone, the stored version and fingerprint.
   */
  readonly comparison: string;
  /**
   * `$1` project, `$2` region, `$3` account, `$4` whether to keep newer content, `$5...` an array for each of `fields`, for
   * `_extra` and for `_hash` in hexadecimal. Returns numbers of rows.
   */
  readonly write: string;
  /** Copies rows with new keys, in the text format. Their times are the defaults of their columns. */
  readonly copy: string;
  /** Columns of `copy` between the scope columns and the system columns. */
  readonly fields: readonly StoredColumn[];
}

/** A column of a row in the table. */
export interface StoredColumn extends Pick<Field, 'derive' | 'storedOnly'> {
  readonly name: string;
  readonly json: boolean;
}

const ROW_COLUMNS_LEFT_OUT = new Set(['_first_seen_at', '_changed_at', '_deleted_at']);
const SCOPE_COLUMNS = new Set(['project_id', 'region', 'account']);

/** Quotes an identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Schema and name of a table, quoted. */
export function qualified({ schema, name }: Pick<Table, 'schema' | 'name'>): string {
  return `${quote(schema)}.${quote(name)}`;
}

/** Postgres type of a column; `text` for an unknown one. */
export function typeOf({ table }: Pick<Stream, 'table'>, name: string): string {
  return columnType(table.columns, name);
}

/** SQL for a key column as text, equal to the result of `keyPart`. */
export function keyPartSql(stream: Pick<Stream, 'table'>, name: string): string {
  if (!typeOf(stream, name).startsWith('timestamp')) return `${quote(name)}::text`;
  return `to_char(${quote(name)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** Deepest level at which `sync.without_order` looks: far deeper than any documented value, and safe for the stack. */
const LEVELS = 20;

/** Sorts the lists inside a JSON value, because their order means nothing: equal for two values that mean the same. */
export const WITHOUT_ORDER = {
  name: 'sync.without_order',
  sql: `CREATE OR REPLACE FUNCTION sync.without_order(value jsonb, levels integer DEFAULT ${LEVELS}) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
BEGIN
  IF levels = 0 THEN RETURN value; END IF;
  IF jsonb_typeof(value) = 'array' THEN
    RETURN coalesce((SELECT jsonb_agg(o.v ORDER BY o.v)
      FROM (SELECT sync.without_order(e.value, levels - 1) AS v FROM jsonb_array_elements(value) e) o), value);
  ELSIF jsonb_typeof(value) = 'object' THEN
    RETURN coalesce((SELECT jsonb_object_agg(e.key, sync.without_order(e.value, levels - 1))
      FROM jsonb_each(value) e), value);
  END IF;
  RETURN value;
END $$;`,
} as const;

/** SQL that removes volatile members from a JSON object, or from the objects in a JSON list. */
function lastingSql(value: string, members: readonly string[]): string {
  if (members.length === 0) return value;
  const without = (json: string) =>
    `case jsonb_typeof(${json}) when 'object' then ${json} - '{${members.join(',')}}'::text[] else ${json} end`;
  return `case jsonb_typeof(${value}) when 'array'
    then coalesce((select jsonb_agg(${without('e')}) from jsonb_array_elements(${value}) e), ${value}) else ${without(value)} end`;
}

/** SQL that compares a JSON column of two rows. The function is slow, so it is called only for values that differ. */
function jsonDiffers([a, b]: readonly [string, string], members: readonly string[]): string {
  const lasting = (value: string) => `sync.without_order(${lastingSql(value, members)})`;
  return `(${a} is distinct from ${b} and ${lasting(a)} is distinct from ${lasting(b)})`;
}

const known = new WeakMap<Stream, Statements>();

/** The SQL of a stream, built once. */
export function statementsOf(stream: Stream): Statements {
  const made = known.get(stream) ?? build(stream);
  known.set(stream, made);
  return made;
}

function build(stream: Stream): Statements {
  const columns = stream.table.columns.filter(({ name }) => !ROW_COLUMNS_LEFT_OUT.has(name));
  const table = qualified(stream.table);
  const key = ['project_id', ...stream.key];
  const names = columns.map(({ name }) => quote(name));
  const list = (alias: string) => names.map((name) => `${alias}.${name}`).join(', ');
  const on = (a: string, b: string) => key.map((name) => `${a}.${quote(name)} = ${b}.${quote(name)}`).join(' and ');

  const significant = columns
    .map(({ name }) => name)
    .filter((name) => !key.includes(name) && !SCOPE_COLUMNS.has(name) && !name.startsWith('_'))
    .filter((name) => stream.fields[name]?.volatile !== true);
  const isJson = (name: string) => stream.fields[name]?.type === 'jsonb';
  const plain = significant.filter((name) => !isJson(name));
  const tuple = (alias: string) => `(${plain.map((name) => `${alias}.${quote(name)}`).join(', ')})`;
  const differs = (a: string, b: string) => {
    const json = significant.filter(isJson).map((name) => {
      const members = stream.fields[name]?.volatileMembers ?? [];
      return jsonDiffers([`${a}.${quote(name)}`, `${b}.${quote(name)}`], members);
    });
    const tests = [...(plain.length === 0 ? [] : [`${tuple(a)} is distinct from ${tuple(b)}`]), ...json];
    return tests.length === 0 ? 'false' : `(${tests.join(' or ')})`;
  };

  const version = stream.version === undefined ? null : quote(stream.version);
  // Older content is refused only if both times are known and the stored one is not in the future. So a row that was
  // dated ahead by a wrong clock is corrected by its next change.
  const older = (stored: string, fresh: string) =>
    `coalesce($4::boolean and ${
      version === null
        ? 'false'
        : `${stored}.${version} > ${fresh}.${version}
      and ${stored}.${version} <= statement_timestamp() + interval '5 minutes'`
    }, false)`;

  const received = columns.filter(({ name }) => !SCOPE_COLUMNS.has(name));
  const values = [
    ...[...SCOPE_COLUMNS].map((name, index) => `$${index + 1}::text as ${quote(name)}`),
    ...received.map(({ name, type }) =>
      type === 'bytea' ? `decode(r.${quote(name)}, 'hex') as ${quote(name)}` : `r.${quote(name)}`,
    ),
  ];
  const given = received.map(({ type }, index) => `$${index + 5}::${type === 'bytea' ? 'text' : type}[]`);
  // Rows that were in another part of a list before.
  const split = stream.split === undefined ? null : quote(stream.split.parameter);
  const relisted =
    split === null
      ? '0'
      : `count(*) filter (where o.project_id is not null and o.${split} is distinct from w.${split})::int`;
  const history = stream.history;
  const historyColumns = names.filter((name) => name !== '"_hash"');

  // The comparison has already removed unchanged rows. All rows here are new, changed, or marked as gone. Whether a row
  // is new is not asked of `xmax`, which Postgres does not return for a partitioned table.
  const write = `with incoming as (
  select ${values.join(', ')}
  from unnest(${given.join(', ')}) as r(${received.map(({ name }) => quote(name)).join(', ')})
), old as (
  select t.* from incoming i cross join lateral (select * from ${table} t where ${on('t', 'i')} offset 0) t
), written as (
  insert into ${table} as t (${names.join(', ')}, _first_seen_at, _changed_at)
  select ${list('i')}, statement_timestamp(), statement_timestamp() from incoming i
  order by ${key.map((name) => `i.${quote(name)}`).join(', ')}
  on conflict (${key.map(quote).join(', ')}) do update set
    ${names.map((name) => `${name} = excluded.${name}`).join(', ')},
    _changed_at = case when t._deleted_at is not null or ${differs('t', 'excluded')}
      then greatest(statement_timestamp(), t._changed_at + interval '1 millisecond') else t._changed_at end,
    _deleted_at = null
  where (t._hash <> excluded._hash or t._deleted_at is not null) and not ${older('t', 'excluded')}
  returning ${[...key, ...(stream.split === undefined ? [] : [stream.split.parameter])].map((name) => `t.${quote(name)}`).join(', ')}, t._changed_at
)${
    history === null
      ? ''
      : `, closed as (
  insert into ${qualified(history)} (${historyColumns.join(', ')}, _valid_from, _valid_to)
  select ${historyColumns.map((name) => `o.${name}`).join(', ')}, o._changed_at, w._changed_at
  from written w join old o on ${on('o', 'w')}
  where o._deleted_at is null and o._changed_at < w._changed_at
  returning 1
)`
  }
select count(*) filter (where o.project_id is null)::int as inserted,
  count(*) filter (where o.project_id is not null)::int as updated,
  count(*) filter (where o.project_id is null or o._changed_at < w._changed_at)::int as significant,
  ${relisted} as relisted
from written w left join old o on ${on('o', 'w')}`;

  const arrays = stream.key.map((name, index) => `$${index + 3}::${columnType(columns, name)}[]`);
  // `offset 0` keeps the planner from reversing the join: on a table without statistics it would read every row of the
  // project for each page (docs/performance.md).
  const storedVersion = version === null ? 'null::timestamptz' : `t.${version}`;
  const comparison = `select i.position::int as position, t._hash is not null as stored, t._deleted_at is not null as gone,
  ${storedVersion} as version, encode(t._hash, 'hex') as hash
from unnest($2::text[], ${arrays.join(', ')}) with ordinality as i(hash, ${stream.key.map(quote).join(', ')}, position)
left join lateral (select t._hash, t._deleted_at${version === null ? '' : `, t.${version}`} from ${table} t
  where t.project_id = $1 and ${stream.key.map((name) => `t.${quote(name)} = i.${quote(name)}`).join(' and ')} offset 0) t on true
where t._hash is distinct from decode(i.hash, 'hex') or t._deleted_at is not null`;

  const fields = columns
    .filter(({ name }) => !SCOPE_COLUMNS.has(name) && !name.startsWith('_'))
    .map(({ name, type }) => ({ ...stream.fields[name], name, json: type === 'jsonb' }));
  const order = [...SCOPE_COLUMNS, ...fields.map(({ name }) => name), '_extra', '_hash'];
  const copy = `copy ${table} (${order.map(quote).join(', ')}) from stdin`;

  return { comparison, write, copy, fields };
}

function columnType(columns: readonly Column[], name: string): string {
  return columns.find((column) => column.name === name)?.type ?? 'text';
}
