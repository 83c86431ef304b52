/**
 * Detects rows that were changed or deleted by anything but the service. The writer writes a row again only if its
 * fingerprint differs, and the fingerprint is that of the received row. So triggers clear the fingerprint of an edited
 * row and record the edit, and the next run reads the lists of the stream in full. Updates by the writer change the
 * fingerprint and therefore do not meet the condition of the trigger.
 *
 * Rejected: comparing every column of every unchanged row with the received one, which would cost more than all other
 * work of the writer; a generated column with a fingerprint of the stored content, which changes with an edit.
 *
 * @module
 */

import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Field } from '../../core/stream/fields.ts';
import type { Members, Stream } from '../../core/stream/stream.ts';
import { qualified, quote } from '../rows/statements.ts';
import { literal } from './bi/view.ts';
import type { HandEditRow } from './tables.ts';

/** System columns, which may change while the fingerprint stays, for example when a row is marked as gone. */
const OWN = "array['_hash', '_first_seen_at', '_changed_at', '_deleted_at']";

/** Definer's rights, because a user who edits rows may have no rights in the schema `sync`. */
const RIGHTS = 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog';

/** The trigger functions, by name. */
export const EDIT_FUNCTIONS: Readonly<Record<string, string>> = {
  'sync.note_update': `CREATE OR REPLACE FUNCTION sync.note_update() RETURNS trigger ${RIGHTS} AS $$
BEGIN
  IF (to_jsonb(new) - ${OWN}) IS NOT DISTINCT FROM (to_jsonb(old) - ${OWN}) THEN RETURN new; END IF;
  new._hash := ''::bytea;
  -- Once for each transaction and project.
  IF current_setting('security_sync.noted', true) IS DISTINCT FROM TG_ARGV[0] || ' ' || new.project_id THEN
    INSERT INTO sync.hand_edits (stream, project_id, noted_at) VALUES (TG_ARGV[0], new.project_id, now());
    PERFORM set_config('security_sync.noted', TG_ARGV[0] || ' ' || new.project_id, true);
  END IF;
  RETURN new;
END $$;`,
  'sync.note_delete': `CREATE OR REPLACE FUNCTION sync.note_delete() RETURNS trigger ${RIGHTS} AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO sync.hand_edits (stream, project_id, noted_at)
    SELECT DISTINCT l.stream, l.project_id, now() FROM sync.listings l WHERE l.stream = TG_ARGV[0];
  ELSE
    INSERT INTO sync.hand_edits (stream, project_id, noted_at)
    SELECT DISTINCT TG_ARGV[0], g.project_id, now() FROM gone g WHERE g._deleted_at IS NULL;
  END IF;
  RETURN NULL;
END $$;`,
};

/** The triggers of a stream's table. */
export function editTriggers(stream: Stream): string {
  const table = qualified(stream.table);
  const name = literal(stream.name);
  return `CREATE OR REPLACE TRIGGER note_update BEFORE UPDATE ON ${table} FOR EACH ROW
  WHEN (old._hash = new._hash AND old._deleted_at IS NULL) EXECUTE FUNCTION sync.note_update(${name});
CREATE OR REPLACE TRIGGER note_delete AFTER DELETE ON ${table} REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
  EXECUTE FUNCTION sync.note_delete(${name});
CREATE OR REPLACE TRIGGER note_truncate AFTER TRUNCATE ON ${table} FOR EACH STATEMENT
  EXECUTE FUNCTION sync.note_delete(${name});`;
}

/** Schema and name of a stream's table, under which its triggers are listed. */
export function tableOf({ table }: Pick<Stream, 'table'>): string {
  const { schema, name } = table;
  return `${schema}.${name}`;
}

/** The recorded edits of a stream in a project. */
export interface Edits {
  readonly ids: readonly number[];
  /** When a run first saw the newest of them; null without edits. */
  readonly seenAt: Date | null;
}

/**
 * Reads the recorded edits, and records that they were seen. An edit counts from then on, not from its own time: its
 * transaction may have begun before a run that did not see it, and ended after it.
 */
export async function seeEdits(client: ClientBase, stream: Stream, scope: Scope): Promise<Edits> {
  const of = 'stream = $1 and project_id = $2';
  const values = [stream.name, scope.projectId];
  const select = `select id::float8 as id, seen_at from sync.hand_edits where ${of}`;
  let { rows } = await client.query<Pick<HandEditRow, 'id' | 'seen_at'>>(select, values);
  if (rows.some(({ seen_at }) => seen_at === null)) {
    await client.query(`update sync.hand_edits set seen_at = now() where ${of} and seen_at is null`, values);
    ({ rows } = await client.query<Pick<HandEditRow, 'id' | 'seen_at'>>(select, values));
  }
  const times = rows.map(({ seen_at }) => seen_at?.getTime() ?? Number.POSITIVE_INFINITY);
  return { ids: rows.map(({ id }) => id), seenAt: times.length === 0 ? null : new Date(Math.max(...times)) };
}

/**
 * Clears the fingerprints of all live rows of a stream in a project, so that the next walk writes each of them again.
 * For `reset`: this also corrects rows that were edited while the triggers were disabled, or before they existed.
 */
export async function clearFingerprints(client: ClientBase, stream: Stream, projectId: string): Promise<void> {
  await client.query(
    `update ${qualified(stream.table)} set _hash = '' where project_id = $1 and _deleted_at is null and _hash <> ''`,
    [projectId],
  );
}

// Tables of members: the objects of a list inside a row. Triggers on the stream's table update them in the statement that
// writes, marks or deletes a row. So they agree with the rows even if an older replica or a person writes, or a process is
// killed. A statement that writes no row costs nothing; of a written row, only members that differ are written. A member has
// the times of its row, so it agrees with the history of the row, which also has the earlier lists: members have no history.
//
// Rejected: writing them from the program. The writer, the sweep and the first filling would each need the same code.

/** Longest key in bytes: an index entry of Postgres holds 2,704. */
const LONGEST_KEY = 2_000;

/** Function and triggers of one table of members, and the statement that fills it from the stored rows. */
export function memberTriggers(stream: Stream, members: Members): string {
  const { schema, name } = members.table;
  const target = qualified(members.table);
  const source = qualified(stream.table);
  const row = ['project_id', ...stream.key];
  const keep = `sync.keep_${schema}_${name}`;
  const trigger = (event: string, transition: string) =>
    `CREATE OR REPLACE TRIGGER ${name}_${event} AFTER ${event.toUpperCase()} ON ${source} ${transition}FOR EACH STATEMENT
  EXECUTE FUNCTION ${keep}();`;
  // DELETE instead of TRUNCATE: Postgres refuses to truncate a table that the running statement truncates as well.
  // The service never changes a key. If a person does, the members under the old key are deleted. EXECUTE plans each
  // time, because a plan made for an empty table reads the whole table for every page.
  return `CREATE OR REPLACE FUNCTION ${keep}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN DELETE FROM ${target};
  ELSIF TG_OP = 'DELETE' THEN DELETE FROM ${target} c USING gone t WHERE ${equal('c', 't', row)};
  ELSE
    IF TG_OP = 'UPDATE' THEN
      EXECUTE $keep$DELETE FROM ${target} c USING before t
        WHERE ${equal('c', 't', row)} AND NOT EXISTS (SELECT FROM changed n WHERE ${equal('n', 't', row)})$keep$;
    END IF;
    EXECUTE $keep$${keeping(stream, members, 'changed')}$keep$;
  END IF;
  RETURN NULL;
END $$;
${trigger('insert', 'REFERENCING NEW TABLE AS changed ')}
${trigger('update', 'REFERENCING OLD TABLE AS before NEW TABLE AS changed ')}
${trigger('delete', 'REFERENCING OLD TABLE AS gone ')}
${trigger('truncate', '')}
${keeping(stream, members, source)};`;
}

/** Makes the members of the rows in `source`, which has the columns of the stream's table, equal to their lists. */
function keeping(stream: Stream, members: Members, source: string): string {
  const target = qualified(members.table);
  const row = ['project_id', ...stream.key];
  const key = [...row, ...members.key];
  const columns = [...row, ...Object.keys(members.fields)];
  const own = Object.keys(members.fields).filter((name) => !members.key.includes(name));
  const lasting = own.filter((name) => members.fields[name]?.volatile !== true);
  const changes =
    lasting.length === 0 ? '' : ` OR ${tuple('c', lasting)} IS DISTINCT FROM ${tuple('excluded', lasting)}`;
  const equals = own.length === 0 ? '' : ` AND ${tuple('o', own)} IS NOT DISTINCT FROM ${tuple('w', own)}`;
  const next = "c._changed_at + interval '1 millisecond'";
  // `OFFSET 0` keeps the lookups in the index of the key while Postgres knows nothing of the table.
  return `WITH wanted AS MATERIALIZED (${membersOf(stream, members, source)}
), gone AS (
  UPDATE ${target} c SET _deleted_at = greatest(t.at, ${next})
  FROM (SELECT x.*, coalesce(t._deleted_at, t._changed_at) AS at FROM ${source} t CROSS JOIN LATERAL (
      SELECT ${key.map(quote).join(', ')} FROM ${target} x
      WHERE ${equal('x', 't', row)} AND x._deleted_at IS NULL OFFSET 0) x
    WHERE NOT EXISTS (SELECT FROM wanted w WHERE ${equal('w', 'x', key)})) t
  WHERE ${equal('c', 't', key)}
)
INSERT INTO ${target} AS c (${columns.map(quote).join(', ')}, _first_seen_at, _changed_at)
SELECT ${columns.map((name) => `w.${quote(name)}`).join(', ')}, w._changed_at, w._changed_at FROM wanted w
WHERE NOT EXISTS (SELECT FROM ${target} o WHERE ${equal('o', 'w', key)} AND o._deleted_at IS NULL${equals} OFFSET 0)
ON CONFLICT (${key.map(quote).join(', ')}) DO UPDATE SET ${own.map((name) => `${quote(name)} = excluded.${quote(name)}, `).join('')}
  _changed_at = CASE WHEN c._deleted_at IS NOT NULL${changes}
    THEN greatest(excluded._changed_at, ${next}) ELSE c._changed_at END,
  _deleted_at = NULL`;
}

/**
 * The members that the rows in `source` have, with the time of the row. If two have the same key, the one with the
 * smaller JSON text is used.
 */
function membersOf({ key }: Stream, { column, key: own, fields }: Members, source: string): string {
  const row = ['project_id', ...key];
  const list = `t.${quote(column)}`;
  const isRow = own.flatMap((name) => (fields[name]?.documented.emptyInKey === true ? [] : [`m.${quote(name)} <> ''`]));
  const texts = [...key.map((name) => `t.${quote(name)}`), ...own.map((name) => `m.${quote(name)}`)];
  const keys = [...row.map((name) => `t.${quote(name)}`), ...own.map((name) => `m.${quote(name)}`)];
  return `
  SELECT DISTINCT ON (${keys.join(', ')}) ${row.map((name) => `t.${quote(name)}`).join(', ')}, m.*, t._changed_at
  FROM ${source} t
  CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN t._deleted_at IS NULL AND jsonb_typeof(${list}) = 'array' THEN ${list} END) e(value)
  CROSS JOIN LATERAL (SELECT ${Object.entries(fields)
    .map(([name, field]) => `${valueSql(name, field, own)} AS ${quote(name)}`)
    .join(', ')}) m
  WHERE jsonb_typeof(e.value) = 'object' AND ${[...isRow, `octet_length(concat(${texts.join(', ')})) <= ${LONGEST_KEY}`].join(' AND ')}
  ORDER BY ${keys.join(', ')}, e.value::text`;
}

const NUMBERS: Readonly<Record<string, string>> = {
  bigint: '^[+-]?[0-9]{1,18}$',
  'double precision': '^[+-]?[0-9]{1,30}([.][0-9]{1,30})?$',
};

/** A member of the element `e`, under any of its names. */
function valueSql(name: string, { type, also, documented }: Field, key: readonly string[]): string {
  const names = [name, ...also].flatMap((one) => [one, one.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())]);
  const texts = [...new Set(names)].map((one) => `e.value ->> '${one}'`);
  const text = texts.length === 1 ? `(${texts[0]})` : `coalesce(${texts.join(', ')})`;
  const pattern = NUMBERS[type];
  if (pattern !== undefined) return `CASE WHEN ${text} ~ '${pattern}' THEN ${text}::${type} END`;
  return key.includes(name) && documented.emptyInKey === true ? `coalesce(${text}, '')` : text;
}

/**
 * `$1` a project: keys of its rows whose members are not those of the list in the row, with both as text. One statement, so
 * that it sees rows and members of one moment.
 */
export function strayMembers(stream: Stream, members: Members): string {
  const columns = [...stream.key, ...Object.keys(members.fields)].map(quote).join(', ');
  const rows = stream.key.map(quote).join(', ');
  const texts = Object.keys(members.fields).map((name) => `${quote(name)}::text`);
  const source = `(SELECT * FROM ${qualified(stream.table)} WHERE project_id = $1)`;
  return `WITH wanted AS MATERIALIZED (SELECT ${columns} FROM (${membersOf(stream, members, source)}) w),
stored AS MATERIALIZED (SELECT ${columns} FROM ${qualified(members.table)} WHERE project_id = $1 AND _deleted_at IS NULL)
SELECT ${rows}, string_agg(one, ', ' ORDER BY one) FILTER (WHERE is_stored) AS stored,
  string_agg(one, ', ' ORDER BY one) FILTER (WHERE NOT is_stored) AS listed
FROM (
  SELECT ${rows}, concat_ws(' ', ${texts.join(', ')}) AS one, true AS is_stored FROM (TABLE stored EXCEPT TABLE wanted) a
  UNION ALL
  SELECT ${rows}, concat_ws(' ', ${texts.join(', ')}), false FROM (TABLE wanted EXCEPT TABLE stored) b
) differing
GROUP BY ${rows}`;
}

const equal = (a: string, b: string, names: readonly string[]): string =>
  names.map((name) => `${a}.${quote(name)} = ${b}.${quote(name)}`).join(' AND ');

const tuple = (alias: string, names: readonly string[]): string =>
  `(${names.map((name) => `${alias}.${quote(name)}`).join(', ')})`;
