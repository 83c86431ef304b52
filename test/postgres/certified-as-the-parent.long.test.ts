import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { createTestDatabase } from '../support/postgres.ts';

const epoch = await createTestDatabase({ empty: true });

test('a run of a stream without lists, once stored as of 1970, is as certified as its parent was', async () => {
  const folder = await migrationsFolder({});
  const { entries } = JSON.parse(await readFile(join(folder, 'meta', '_journal.json'), 'utf8'));
  const first = entries.findIndex(({ tag }: { tag: string }) => tag.endsWith('certified_as_the_parent'));
  // Without views: today's ask for columns that the version did not have.
  await migrate(epoch.pool, await migrationsFolder({ first, script: null }));
  const [parent, later, child] = ['2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z', '2026-01-02T00:00:00Z'];
  await epoch.pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, certificate, certified_at, started_at, beat_at, owner)
     select stream, 'a', 'r', 'p', 'succeeded', 'complete', certified, started, started, 'w'
     from (values ('dbss_audit_instances', $1::timestamptz, $1::timestamptz), ('dbss_audit_instances', $2, $2),
       ('dbss_audit_reports', 'epoch', $3), ('hss_image_vulnerability_operations', 'epoch', $3)) runs (stream, certified, started)`,
    [parent, later, child],
  );
  await migrate(epoch.pool);
  const { rows } = await epoch.pool.query<{ stream: string; certified_at: Date }>(
    'select stream, certified_at from sync.runs where started_at = $1 order by stream',
    [child],
  );
  expect(rows).toEqual([
    { stream: 'dbss_audit_reports', certified_at: new Date(parent) },
    { stream: 'hss_image_vulnerability_operations', certified_at: new Date(child) },
  ]);
});
