import { describe, expect, it } from 'vitest';
import { SchemaError } from '../../src/core/errors.ts';
import { migrate, migrationState } from '../../src/postgres/schema/migrate.ts';
import { addColumn, builtOnBi, removeColumn } from '../support/built-on-bi.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { migrateByDrizzle } from '../support/other-applications.ts';

/** The number of migrations at commit c37b8ca, the last version that made its views by migrations. */
const BEFORE_THE_SCRIPT = 6;

const { open, rows, insertCluster, buildReports, reports } = await builtOnBi();

describe('an upgrade', () => {
  it('from the last version that made views by migrations keeps what others built on them', async () => {
    const pool = await open({ empty: true });
    await migrateByDrizzle(pool, await migrationsFolder({ first: BEFORE_THE_SCRIPT, script: null }));
    await insertCluster();
    await buildReports();
    const before = await reports();
    expect(before.grants).toHaveLength(3);
    expect(await migrationState(pool)).toBe('behind');
    await migrate(pool);
    expect(await migrationState(pool)).toBe('current');
    expect(await reports()).toEqual(before);
    expect(await rows('select * from reports.more')).toEqual([{ clusters: 1 }]);
  });

  it('that changes a column which views read sets them aside and keeps what others built', async () => {
    const pool = await open();
    await insertCluster();
    await buildReports();
    const before = await reports();
    const next = await migrationsFolder({
      more: ['alter table hss.protected_clusters alter column cluster_name type varchar(400)'],
    });
    await migrate(pool, next);
    const after = await reports();
    expect({ ...after, views: [] }).toEqual({ ...before, views: [] });
    expect(await rows('select * from reports.mine')).toEqual([{ cluster_id: 'c', cluster_name: 'prod' }]);
  });

  it('names the view of others that uses a column which goes, and changes nothing', async () => {
    const pool = await open();
    await pool.query('create schema reports; create view reports.mine as select cluster_name from bi.clusters');
    const next = await migrationsFolder({ script: removeColumn });
    await expect(migrate(pool, next)).rejects.toThrow(
      /the view reports\.mine is built on views that this version changes, and cannot be created again \(column .*cluster_name/,
    );
    await expect(migrate(pool, next)).rejects.toBeInstanceOf(SchemaError);
    expect(await rows('select cluster_name from reports.mine')).toEqual([]);
  });
});

describe('the script', () => {
  it('is applied once, and not by an older version that starts beside a newer one', async () => {
    const pool = await open();
    const next = await migrationsFolder({ script: addColumn });
    expect(await migrationState(pool, next)).toBe('behind');
    await migrate(pool, next);
    expect(await migrationState(pool)).toBe('current');
    await migrate(pool);
    expect(await rows('select new_one from bi.clusters')).toEqual([]);
  });

  it('changes nothing in the catalogue where only other objects changed', async () => {
    const pool = await open();
    const clusters = async () => rows(`select xmin::text from pg_class where oid = 'bi.clusters'::regclass`);
    const before = await clusters();
    await migrate(
      pool,
      await migrationsFolder({ script: (text) => text.replace('What the run proved', 'What it proved') }),
    );
    expect(await clusters()).toEqual(before);
    expect(await rows(`select objoid from pg_description where description like 'What it proved%'`)).toHaveLength(1);
  });

  it('gives every table and column of ours its comment', async () => {
    await open();
    expect(
      await rows(`select c.oid::regclass::text, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace::regnamespace::text in ('bi', 'hss', 'dbss', 'sync') and c.relkind in ('r', 'v')
          and not a.attisdropped and col_description(c.oid, a.attnum) is null`),
    ).toEqual([]);
  });
});
