import type pg from 'pg';
import { beforeEach } from 'vitest';
import { wipe } from './world.ts';

export type Values = Readonly<Record<string, string | number | null>>;

/** Rows made by hand, to see what the views make of them; every test begins with empty tables. */
export interface Rows {
  /** Inserts a row; a value that starts with `@` is an age: `@2 hours` is two hours ago. */
  insert(table: string, values: Values): Promise<void>;
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
}

export function rowsIn(pool: pg.Pool): Rows {
  beforeEach(() => wipe({ pool }));
  return {
    async insert(table, values) {
      const isData = !table.startsWith('sync.') && !table.endsWith('_history');
      const system = isData ? { _hash: 'x', _first_seen_at: '@0 s', _changed_at: '@0 s' } : {};
      const row: Values = { project_id: 'p1', region: 'cn-north-4', account: 'default', ...system, ...values };
      const isAge = (value: Values[string] | undefined) => typeof value === 'string' && value.startsWith('@');
      const sql = Object.values(row).map((value, index) =>
        isAge(value) ? `now() - $${index + 1}::interval` : `$${index + 1}`,
      );
      const bound = Object.values(row).map((value) => (isAge(value) ? String(value).slice(1) : value));
      await pool.query(`insert into ${table} (${Object.keys(row).join(', ')}) values (${sql.join(', ')})`, bound);
    },
    async query(sql) {
      return (await pool.query<Record<string, unknown>>(sql)).rows;
    },
  };
}
