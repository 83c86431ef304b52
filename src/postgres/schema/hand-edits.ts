import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { getTableConfig } from '../../core/stream/table.ts';
import { qualified } from '../rows/statements.ts';
import { literal } from './bi/view.ts';

/**
 * Detects rows that were changed or deleted by anything but the service. The writer writes a row again only if its
 * fingerprint differs, and the fingerprint is that of the received row. So triggers clear the fingerprint of an edited
 * row and record the edit, and the next run reads the lists of the stream in full. Updates by the writer change the
 * fingerprint and therefore do not meet the condition of the trigger.
 *
 * Rejected: comparing every column of every unchanged row with the received one, which would cost more than all other
 * work of the writer; a generated column with a fingerprint of the stored content, which changes with an edit.
 */

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
  const { schema, name } = getTableConfig(table);
  return `${schema}.${name}`;
}

/** Ids of the recorded edits of a stream in a project. */
export async function readEdits(client: ClientBase, stream: Stream, scope: Scope): Promise<readonly number[]> {
  const { rows } = await client.query<{ id: number }>(
    'select id::float8 as id from sync.hand_edits where stream = $1 and project_id = $2',
    [stream.name, scope.projectId],
  );
  return rows.map(({ id }) => id);
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
