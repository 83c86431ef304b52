import { describe, expect, it } from 'vitest';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { addColumn, builtOnBi, removeColumn } from '../support/built-on-bi.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { migrateByDrizzle } from '../support/other-applications.ts';

const { open, rows, insertCluster, buildReports, reports } = await builtOnBi();

describe('an upgrade', () => {
  it('whose old migrations drop the views gives grants and views of others back', async () => {
    const pool = await open({ empty: true });
    await migrateByDrizzle(pool, await migrationsFolder({ first: 3, script: null }));
    await insertCluster();
    await buildReports();
    const before = await reports();
    await migrate(pool);
    expect(await reports()).toEqual(before);
  });

  it('adds a column in the middle of a view in place', async () => {
    const pool = await open();
    await insertCluster();
    await buildReports();
    const before = await reports();
    const oid = await rows(`select 'bi.clusters'::regclass::oid as oid`);
    const next = await migrationsFolder({ script: addColumn });
    await migrate(pool, next);
    expect(await rows(`select 'bi.clusters'::regclass::oid as oid`)).toEqual(oid);
    expect(await rows('select cluster_id, new_one from bi.clusters')).toEqual([{ cluster_id: 'c', new_one: 1 }]);
    expect(await reports()).toEqual(before);
  });

  it('names functions and policies that are built on a view that has to be created again', async () => {
    const pool = await open();
    await pool.query(`create schema reports;
      create function reports.newest() returns setof bi.clusters language sql as 'select * from bi.clusters'`);
    const next = await migrationsFolder({ script: removeColumn });
    await expect(migrate(pool, next)).rejects.toThrow(
      /changes bi\.clusters, and other objects depend on it: function reports\.newest\(\)\. Drop them/,
    );
  });

  it('drops a view that is gone, unless others have built on it', async () => {
    // A script that was applied once, as in a migrated database, is taken for an older version's.
    const pool = await open({ empty: true });
    const withOld = await migrationsFolder({
      script: (text) =>
        `${text}\n-- object: view bi.old\nCREATE OR REPLACE VIEW "bi"."old" AS\nSELECT 1 AS "one";\nCOMMENT ON VIEW "bi"."old" IS 'Old.';\n`,
    });
    await migrate(pool, withOld);
    await pool.query('create schema reports; create view reports.mine as select one from bi.old');
    await expect(migrate(pool)).rejects.toThrow(/the view reports\.mine is built on views/);
    await pool.query('drop view reports.mine');
    await migrate(pool);
    expect(await rows(`select to_regclass('bi.old') as old`)).toEqual([{ old: null }]);
  });

  it('recreates an index whose definition changed', async () => {
    const pool = await open();
    const next = await migrationsFolder({
      script: (text) =>
        text.replace('ON hss.cluster_events (project_id) WHERE', 'ON hss.cluster_events (region) WHERE'),
    });
    await migrate(pool, next);
    expect(await rows(`select indexdef from pg_indexes where indexname = 'cluster_events_listed_idx'`)).toEqual([
      { indexdef: expect.stringContaining('(region)') },
    ]);
  });
});
