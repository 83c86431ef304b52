import type { Pool } from 'pg';
import { withClient } from '../connection/pool.ts';
import { QUEUE_SCHEMA } from '../coordination/lane-queue.ts';
import { quote } from '../rows/statements.ts';

/** Database roles: `owner` migrates, `writer` is the service, `reader` is for dashboards and analysts. */
export interface RoleNames {
  readonly owner: string;
  readonly writer: string;
  readonly reader: string;
}

export const ROLE_NAMES: RoleNames = {
  owner: 'security_sync_owner',
  writer: 'security_sync_writer',
  reader: 'security_sync_reader',
};

/** Schemas with data tables. */
const DATA = ['hss', 'dbss'];
/** Schemas that a reader sees. Of `sync` it sees only what the views show, so no rejected records. */
const READ = ['bi', ...DATA];
/** Schemas that the service writes. */
const WRITTEN = [...DATA, 'sync', QUEUE_SCHEMA];

/** All schemas of the service. */
export const SCHEMAS: readonly string[] = [...new Set([...READ, ...WRITTEN])];

/**
 * Statements that create the three roles on a migrated database and give each only the rights it needs; safe to repeat.
 * Existing objects go to the owner. Default privileges cover objects that later migrations create, such as replaced
 * views. The roles can log in once they have a password.
 *
 * `schemas`: those of {@link SCHEMAS} that exist.
 */
export function roleStatements(schemas: readonly string[], names: RoleNames = ROLE_NAMES): readonly string[] {
  const { owner, writer, reader } = names;
  const present = (wanted: readonly string[]) => wanted.filter((schema) => schemas.includes(schema));
  return [
    ...[owner, writer, reader].map(createRole),
    // An administrator who is not a superuser can transfer ownership only to a role that it belongs to.
    `GRANT ${quote(owner)} TO CURRENT_USER`,
    `DO $do$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), ${text(owner)}); END $do$`,
    ...present(SCHEMAS).map((schema) => handOver(schema, owner)),
    ...present(WRITTEN).flatMap((schema) =>
      allow(schema, { owner, role: writer, rights: 'SELECT, INSERT, UPDATE, DELETE' }),
    ),
    ...present(WRITTEN).flatMap((schema) => allowSequences(schema, owner, writer)),
    ...present(READ).flatMap((schema) => allow(schema, { owner, role: reader, rights: 'SELECT' })),
    // A longer query is probably a mistake. With the search path, analysts need no schema name.
    `ALTER ROLE ${quote(reader)} SET statement_timeout = '60s'`,
    `ALTER ROLE ${quote(reader)} SET idle_in_transaction_session_timeout = '60s'`,
    `ALTER ROLE ${quote(reader)} SET default_transaction_read_only = on`,
    `ALTER ROLE ${quote(reader)} SET search_path = bi, hss, dbss`,
    // Compiling the view of all streams takes seconds, reading it milliseconds.
    `ALTER ROLE ${quote(reader)} SET jit = off`,
  ];
}

function createRole(name: string): string {
  return `DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${text(name)}) THEN
    CREATE ROLE ${quote(name)} LOGIN;
  END IF;
END $do$`;
}

interface Grant {
  readonly owner: string;
  readonly role: string;
  readonly rights: string;
}

/** Rights on existing objects, and on those that the owner will create. */
function allow(schema: string, { owner, role, rights }: Grant): readonly string[] {
  return [
    `GRANT USAGE ON SCHEMA ${quote(schema)} TO ${quote(role)}`,
    `GRANT ${rights} ON ALL TABLES IN SCHEMA ${quote(schema)} TO ${quote(role)}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(owner)} IN SCHEMA ${quote(schema)} GRANT ${rights} ON TABLES TO ${quote(role)}`,
  ];
}

function allowSequences(schema: string, owner: string, role: string): readonly string[] {
  return [
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${quote(schema)} TO ${quote(role)}`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${quote(owner)} IN SCHEMA ${quote(schema)} GRANT USAGE, SELECT ON SEQUENCES TO ${quote(role)}`,
  ];
}

/**
 * Transfers a schema and its objects to the owner. Sequences and row types of a table follow the table, and Postgres
 * refuses to transfer them separately.
 */
function handOver(schema: string, owner: string): string {
  return `DO $do$ DECLARE statement text; BEGIN
  FOR statement IN
    SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, ${text(owner)}) FROM pg_namespace WHERE nspname = ${text(schema)}
    UNION ALL
    SELECT format('ALTER %s %s OWNER TO %I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass, ${text(owner)})
    FROM pg_class c
    WHERE c.relnamespace = ${text(schema)}::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, ${text(owner)})
    FROM pg_proc p WHERE p.pronamespace = ${text(schema)}::regnamespace
    UNION ALL
    SELECT format('ALTER TYPE %s OWNER TO %I', t.oid::regtype, ${text(owner)})
    FROM pg_type t WHERE t.typnamespace = ${text(schema)}::regnamespace AND t.typtype = 'e'
  LOOP EXECUTE statement; END LOOP;
END $do$`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/**
 * Gives every role that may write the schema `sync` the same rights on the queue. Does nothing unless called by its
 * owner.
 */
export async function shareQueue(pool: Pool): Promise<void> {
  await withClient(pool, async (client) => {
    const { rows } = await client.query<{ role: string }>(
      `select distinct pg_get_userbyid(a.grantee) as role
       from pg_class c, aclexplode(c.relacl) a, pg_namespace n
       where c.oid = to_regclass('sync.runs') and a.privilege_type = 'INSERT' and a.grantee not in (0, c.relowner)
         and n.nspname = $1 and pg_has_role(n.nspowner, 'usage')`,
      [QUEUE_SCHEMA],
    );
    for (const { role } of rows) {
      const to = `schema ${QUEUE_SCHEMA} to ${quote(role)}`;
      await client.query(`grant usage on ${to}`);
      await client.query(`grant select, insert, update, delete on all tables in ${to}`);
      await client.query(`grant usage, select on all sequences in ${to}`);
      const later = `alter default privileges in schema ${QUEUE_SCHEMA}`;
      await client.query(`${later} grant select, insert, update, delete on tables to ${quote(role)}`);
      await client.query(`${later} grant usage, select on sequences to ${quote(role)}`);
    }
  });
}
