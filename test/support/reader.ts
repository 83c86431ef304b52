import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll } from 'vitest';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { type RoleNames, roleStatements, SCHEMAS } from '../../src/postgres/schema/roles.ts';
import { CLOCK_PATH } from './clock.ts';
import type { TestDatabase } from './postgres.ts';

export interface TestRoles {
  readonly names: RoleNames;
  readonly reader: pg.Pool;
  readonly writer: pg.Pool;
  readonly owner: pg.Pool;
}

/** The three roles, under names of their own because roles belong to the whole server, and a pool for each. */
export async function createRoles({ pool, url, name: database }: TestDatabase): Promise<TestRoles> {
  const suffix = randomBytes(4).toString('hex');
  const names = { owner: `owner_${suffix}`, writer: `writer_${suffix}`, reader: `reader_${suffix}` };
  const all = Object.values(names);
  const { rows } = await pool.query<{ name: string }>(
    'select nspname as name from pg_namespace where nspname = any($1)',
    [SCHEMAS],
  );
  const schemas = rows.map(({ name }) => name);
  for (const statement of roleStatements(schemas, names)) await pool.query(statement);
  for (const name of all) await pool.query(`alter role ${name} password '${suffix}'`);
  // The reader's role has a search path of its own, which would hide the clock of the tests.
  await pool.query(`alter role ${names.reader} in database ${database} set search_path = bi, hss, dbss, ${CLOCK_PATH}`);
  const as = (name: string) => {
    const own = new URL(url);
    own.username = name;
    own.password = suffix;
    return createPool(own.href, { max: 4, applicationName: 'test-role' });
  };
  const pools = { reader: as(names.reader), writer: as(names.writer), owner: as(names.owner) };
  afterAll(async () => {
    await Promise.all(Object.values(pools).map((each) => each.end()));
    await pool.query(`reassign owned by ${names.owner} to current_user`);
    for (const name of all) await pool.query(`drop owned by ${name}`);
    await pool.query(`drop role ${all.join(', ')}`);
  });
  return { names, ...pools };
}
