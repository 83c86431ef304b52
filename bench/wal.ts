import type { Pool } from 'pg';
import type { BenchServer } from './support/database.ts';
import { eventPages } from './support/rows.ts';
import { hand, withLoad } from './writer.ts';

export interface WalResult {
  readonly relation: string;
  readonly bytes: number;
  readonly bytesPerRow: number;
}

const EVENTS = 50_000;

/** Write-ahead log of a second, identical reading by relation: unchanged rows must write none. */
export async function wal(server: BenchServer): Promise<readonly WalResult[]> {
  const pages = await eventPages(EVENTS);
  return server.withDatabase(async (pool) => {
    await withLoad(pool, (load) => hand(load, pages));
    await pool.query('vacuum analyze');
    await pool.query('create extension if not exists pg_walinspect');
    const start = await position(pool);
    await withLoad(pool, (load) => hand(load, pages));
    const { rows } = await pool.query<{ relation: string; bytes: number }>(BY_RELATION, [start, await position(pool)]);
    const data = rows.filter(({ relation }) => relation.startsWith('hss.'));
    const named = data.length > 0 ? rows : [{ relation: 'hss.cluster_events and its indexes', bytes: 0 }, ...rows];
    return named.map(({ relation, bytes }) => ({
      relation,
      bytes,
      bytesPerRow: Math.round((bytes / EVENTS) * 100) / 100,
    }));
  });
}

async function position(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ position: string }>('select pg_current_wal_insert_lsn()::text as position');
  return rows[0]?.position ?? '';
}

/** Records of this database; a record of several relations counts for the first. */
const BY_RELATION = `
with record as (
  select distinct on (b.start_lsn) b.record_length + b.block_fpi_length as bytes, b.relfilenode
  from pg_get_wal_block_info($1::pg_lsn, $2::pg_lsn) b
  join pg_database d on d.oid = b.reldatabase and d.datname = current_database()
  order by b.start_lsn, b.block_id
)
select coalesce(n.nspname || '.' || c.relname, 'dropped meanwhile') as relation, sum(r.bytes)::bigint as bytes
from record r left join pg_class c on pg_relation_filenode(c.oid) = r.relfilenode left join pg_namespace n on n.oid = c.relnamespace
group by 1 order by 2 desc`;
