import type { ClientBase } from 'pg';
import { coerceError, SchemaError } from '../../core/errors.ts';
import { quote } from '../rows/statements.ts';

interface ViewColumnType {
  readonly name: string;
  readonly type: number;
  readonly modifier: number;
}

/**
 * Changes a view to its definition (`sql`: `CREATE OR REPLACE VIEW` and its comments). `CREATE OR REPLACE` keeps grants
 * and dependent views of others, but can only append columns. So existing columns keep their positions, and a view that
 * loses a column or changes the type of one is dropped and created again.
 */
export async function replaceView(
  client: ClientBase,
  view: string,
  { sql, dropped }: { readonly sql: string; readonly dropped: DroppedViews },
): Promise<void> {
  const { query, comments } = partsOf(sql);
  const present = await columnsOf(client, view);
  const wanted = await columnsOfQuery(client, query);
  const keeps = present.every((column) => wanted.some((other) => isSame(column, other)));
  if (!keeps) await dropped.drop([view]);
  const inPlace = !keeps || present.every((column, index) => column.name === wanted[index]?.name);
  await client.query(`create or replace view ${view} as\n${inPlace ? query : reordered(query, present, wanted)}`);
  await client.query(comments);
}

function partsOf(sql: string): { readonly query: string; readonly comments: string } {
  const [, query, comments] = /^CREATE OR REPLACE VIEW \S+ AS\n(.*?);\n(COMMENT ON VIEW .*)$/s.exec(sql) ?? [];
  if (query === undefined || comments === undefined) throw new Error(`not the statements of a view: ${sql}`);
  return { query, comments };
}

function isSame(one: ViewColumnType, other: ViewColumnType): boolean {
  return one.name === other.name && one.type === other.type && one.modifier === other.modifier;
}

function reordered(query: string, present: readonly ViewColumnType[], wanted: readonly ViewColumnType[]): string {
  const names = new Set([...present, ...wanted].map(({ name }) => name));
  return `select ${[...names].map(quote).join(', ')} from (\n${query}\n) as v`;
}

/** Columns of a view in order; empty if it does not exist. */
async function columnsOf(client: ClientBase, view: string): Promise<readonly ViewColumnType[]> {
  const { rows } = await client.query<ViewColumnType>(
    `select attname as name, atttypid::bigint as type, atttypmod as modifier
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [view],
  );
  return rows;
}

async function columnsOfQuery(client: ClientBase, query: string): Promise<readonly ViewColumnType[]> {
  const { fields } = await client.query(`select * from (\n${query}\n) as v limit 0`);
  return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
    name,
    type: dataTypeID,
    modifier: dataTypeModifier,
  }));
}

/** Owner and grants of a relation, to be restored on its replacement. */
interface Rights {
  readonly oid: number;
  readonly name: string;
  readonly owner: string;
  readonly grants: readonly Grant[];
}

interface Grant {
  /** Null for a grant on the whole relation. */
  readonly column: string | null;
  readonly sql: string;
}

/** A view or materialized view of others that depends on our views. */
interface Foreign extends Rights {
  readonly create: string;
  /** Indexes and comments. */
  readonly after: readonly string[];
}

/**
 * Drops views that prevent a change, and restores what belongs to others: grants on our views, and dependent views and
 * materialized views with their grants, comments and indexes. All of it happens in the caller's transaction, so a
 * failure changes nothing.
 */
export class DroppedViews {
  private readonly client: ClientBase;
  /** Qualified names of the views that the caller creates again. */
  private readonly ours: ReadonlySet<string>;
  private readonly rights = new Map<string, Rights>();
  private readonly foreign: Foreign[] = [];

  constructor(client: ClientBase, ours: Iterable<string>) {
    this.client = client;
    this.ours = new Set(ours);
  }

  /** Stores owner and grants of all our existing views, before something drops them. */
  async remember(): Promise<void> {
    for (const rights of await rightsOf(this.client, await this.existing([...this.ours]))) {
      if (!this.rights.has(rights.name)) this.rights.set(rights.name, rights);
    }
  }

  /** Drops these views (default: all of ours) and everything that depends on them. */
  async drop(names: readonly string[] = [...this.ours]): Promise<void> {
    await this.remember();
    const roots = await this.existing(names);
    if (roots.length === 0) return;
    const all = await dependents(this.client, roots);
    await assertRestorable(this.client, all, names);
    const theirs: Foreign[] = [];
    // With an empty search path, definitions contain qualified names.
    const { rows } = await this.client.query<{ path: string }>("select current_setting('search_path') as path");
    await this.client.query("set local search_path = ''");
    for (const one of all) if (!this.ours.has(one.name)) theirs.push(await this.capture(one));
    await this.client.query("select set_config('search_path', $1, true)", [rows[0]?.path]);
    // Views dropped later may be read by views dropped earlier.
    this.foreign.unshift(...theirs);
    for (const { name, materialized } of all.toReversed()) {
      await this.client.query(`drop ${materialized ? 'materialized view' : 'view'} ${name}`);
    }
  }

  /** Restores the views of others, owners and grants. Our own views have to exist again. */
  async restore(): Promise<void> {
    for (const rights of this.rights.values()) {
      const [oid] = await this.existing([rights.name]);
      if (oid !== undefined && oid !== rights.oid) await restoreRights(this.client, rights);
    }
    for (const one of this.foreign) {
      try {
        await this.client.query(one.create);
        for (const sql of one.after) await this.client.query(sql);
        await restoreRights(this.client, one);
      } catch (error) {
        throw new SchemaError(
          `the view ${one.name} is built on views that this version changes, and cannot be created again ` +
            `(${coerceError(error).message}): drop it, run security-sync migrate, and create it again to fit the new ones`,
          {},
          { cause: error },
        );
      }
    }
  }

  private async existing(names: readonly string[]): Promise<readonly number[]> {
    const { rows } = await this.client.query<{ oid: number }>(
      'select to_regclass(name)::oid::bigint as oid from unnest($1::text[]) as name where to_regclass(name) is not null',
      [names],
    );
    return rows.map(({ oid }) => oid);
  }

  private async capture({ oid, name }: Dependent): Promise<Foreign> {
    const [rights] = await rightsOf(this.client, [oid]);
    const { rows } = await this.client.query<{ create: string; after: string[] }>(CAPTURE, [oid]);
    const [row] = rows;
    if (rights === undefined || row === undefined) throw new Error(`${name} is gone`);
    return { ...rights, ...row };
  }
}

interface Dependent {
  readonly oid: number;
  readonly name: string;
  readonly materialized: boolean;
}

/** The views and all views that read them, directly or indirectly; a view comes after the views that it reads. */
async function dependents(client: ClientBase, roots: readonly number[]): Promise<readonly Dependent[]> {
  const { rows } = await client.query<Dependent>(
    `with recursive built as (
       select unnest($1::oid[]) as oid, 0 as depth
       union
       select r.ev_class, b.depth + 1
       from built b
       join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = b.oid and d.classid = 'pg_rewrite'::regclass
       join pg_rewrite r on r.oid = d.objid and r.rulename = '_RETURN' and r.ev_class <> b.oid
       where b.depth < 100
     )
     select c.oid::bigint as oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind = 'm' as materialized
     from built b join pg_class c on c.oid = b.oid join pg_namespace n on n.oid = c.relnamespace
     group by c.oid, n.nspname, c.relname, c.relkind
     order by max(b.depth), name`,
    [roots],
  );
  return rows;
}

/**
 * Throws a SchemaError that lists dependent functions, policies, triggers, rules and column types, which cannot be
 * restored.
 */
async function assertRestorable(
  client: ClientBase,
  views: readonly Dependent[],
  changed: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ what: string }>(
    `with views as (select unnest($1::oid[]) as oid),
     types as (
       select t.oid from views v join pg_type t on t.typrelid = v.oid
       union select a.oid from views v join pg_type t on t.typrelid = v.oid join pg_type a on a.oid = t.typarray
     )
     select distinct pg_describe_object(d.classid, d.objid, d.objsubid) as what
     from pg_depend d
     where d.deptype in ('n', 'a')
       and (d.refclassid = 'pg_class'::regclass and d.refobjid in (select oid from views)
         or d.refclassid = 'pg_type'::regclass and d.refobjid in (select oid from types))
       and not (d.classid = 'pg_rewrite'::regclass and exists (
         select from pg_rewrite r where r.oid = d.objid and r.rulename = '_RETURN' and r.ev_class in (select oid from views)))
       and not (d.classid = 'pg_class'::regclass and exists (select from pg_index i where i.indexrelid = d.objid))
     order by 1`,
    [views.map(({ oid }) => oid)],
  );
  if (rows.length === 0) return;
  const what = rows.map((row) => row.what).join('; ');
  throw new SchemaError(
    `this version changes ${changed.join(', ')}, and other objects depend on it: ${what}. ` +
      'Drop them, run security-sync migrate, and create them again',
  );
}

/** `$1` oid of a view: the statements that create it again, without owner and grants. */
const CAPTURE = `
  select
    format('create %s %I.%I%s as %s', case c.relkind when 'm' then 'materialized view' else 'view' end,
      n.nspname, c.relname, ' with (' || array_to_string(c.reloptions, ', ') || ')',
      rtrim(pg_get_viewdef(c.oid), ';') || case when c.relkind = 'm' and not c.relispopulated then ' with no data' else '' end
    ) as create,
    array(select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = c.oid order by i.indexrelid)
    || array(
      select case when d.objsubid = 0
        then format('comment on %s %I.%I is %L', case c.relkind when 'm' then 'materialized view' else 'view' end,
          n.nspname, c.relname, d.description)
        else format('comment on column %I.%I.%I is %L', n.nspname, c.relname,
          (select attname from pg_attribute a where a.attrelid = c.oid and a.attnum = d.objsubid), d.description)
        end
      from pg_description d where d.classoid = 'pg_class'::regclass and d.objoid = c.oid order by d.objsubid
    ) as after
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1`;

async function rightsOf(client: ClientBase, oids: readonly number[]): Promise<readonly Rights[]> {
  const { rows } = await client.query<Rights>(
    `select c.oid::bigint as oid, format('%I.%I', n.nspname, c.relname) as name, pg_get_userbyid(c.relowner) as owner,
       coalesce((select json_agg(json_build_object('column', g.attname, 'sql', format('grant %s%s on %I.%I to %s%s',
         a.privilege_type, ' (' || quote_ident(g.attname) || ')', n.nspname, c.relname,
         case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
         case when a.is_grantable then ' with grant option' else '' end)))
       from (
         select c.relacl as acl, null::name as attname
         union all select attacl, attname from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
       ) g, aclexplode(g.acl) a
       where a.grantee <> c.relowner), '[]') as grants
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = any($1::oid[])`,
    [oids],
  );
  return rows;
}

/**
 * Restores owner and grants of a recreated relation. Revokes first, because default privileges may have granted more.
 */
async function restoreRights(client: ClientBase, { name, owner, grants }: Rights): Promise<void> {
  const { rows } = await client.query<{ owner: string; grantees: string[]; columns: string[] }>(
    `select pg_get_userbyid(c.relowner) as owner,
       array(select distinct case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
         from aclexplode(c.relacl) where grantee <> c.relowner) as grantees,
       array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
     from pg_class c where c.oid = to_regclass($1)`,
    [name],
  );
  const [now] = rows;
  if (now === undefined) return;
  for (const grantee of now.grantees) await client.query(`revoke all on ${name} from ${grantee}`);
  for (const { column, sql } of grants) {
    if (column === null || now.columns.includes(column)) await client.query(sql);
  }
  if (now.owner !== owner) await client.query(`alter table ${name} owner to ${quote(owner)}`);
}
