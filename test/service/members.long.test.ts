import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { createTableReader } from '../../src/postgres/queries/table-reader.ts';
import { migrate } from '../../src/postgres/schema/migrate.ts';
import { hssHostVulnerabilities as findings } from '../../src/streams/hss/host-vulnerabilities.ts';
import { startChild } from '../support/child.ts';
import { untilUnlocked } from '../support/crash.ts';
import { READ_BY_DEFAULT, scope } from '../support/engine.ts';
import { migrationsFolder } from '../support/migrations-folder.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startWorld, wipe } from '../support/world.ts';

/** Tables of the lists inside rows over processes that are killed, estates that change, and a database of before them. */

const database = await createTestDatabase();
const older = await createTestDatabase({ empty: true });
const { pool } = database;
beforeEach(() => wipe(database));

const tables = createTableReader(pool);
const ask = async (sql: string) => (await pool.query<Record<string, unknown>>(sql)).rows;
const stray = async (stream: Stream) => await tables.strayMembers(stream, scope);

test('after a process was killed while it read findings, every stored one has its CVEs; the next run has all', async () => {
  const world = await startWorld(database, { sandbox: { hosts: 40 }, sandboxClock: 'real' });
  const child = startChild('test/support/sync-child.ts', [
    database.url,
    world.sandbox.url,
    findings.name,
    '500',
    '45000',
  ]);
  world.sandbox.faults.add({
    kind: 'late',
    delayMs: 100,
    operation: 'ListVulHostVuls',
    when: ({ call }) => {
      if (call < 6) return false;
      child.process.kill('SIGKILL');
      return true;
    },
  });
  expect(await child.ended, child.output()).toBe('SIGKILL');
  world.sandbox.faults.clear();
  await untilUnlocked(database);
  const half = await ask('select count(*)::int as n from hss.host_vulnerability_cves');
  expect(half[0]?.n).toBeGreaterThan(0);
  expect(await stray(findings)).toEqual([]);
  expect(await world.run(findings)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  expect(await stray(findings)).toEqual([]);
  const [all] = await ask('select count(*)::int as n from hss.host_vulnerability_cves where _deleted_at is null');
  expect(all?.n).toBeGreaterThan(Number(half[0]?.n));
});

test('runs over an estate that changes leave the members that the lists in the rows have', async () => {
  const world = await startWorld(database, { sandbox: { hosts: 8 } });
  for (let round = 0; round < 3; round += 1) {
    world.sandbox.estate.step(30, 'removed');
    world.sandbox.estate.step(30, 'rescan');
    for (const stream of READ_BY_DEFAULT) {
      if (stream.memberLists.length === 0) continue;
      expect(await world.run(stream, { full: true }), stream.name).toMatchObject({ status: 'succeeded' });
      expect(await stray(stream), stream.name).toEqual([]);
    }
  }
});

test('a database of before these tables has the members of its rows as soon as it is migrated', async () => {
  const journal = join(await migrationsFolder({}), 'meta', '_journal.json');
  const { entries } = JSON.parse(await readFile(journal, 'utf8'));
  const first = entries.findIndex(({ tag }: { tag: string }) => tag.endsWith('members_of_lists'));
  await migrate(older.pool, await migrationsFolder({ first, script: null }));
  await older.pool.query(
    `insert into hss.host_vulnerabilities (project_id, region, account, type, host_id, vul_id, cve_list, _hash, _first_seen_at, _changed_at, _deleted_at)
     values ($1, 'r', 'a', 'linux_vul', 'h1', 'v1', '[{"cve_id": "CVE-1", "cvss": 5}]', '', '2026-01-01', '2026-01-02', null),
       ($1, 'r', 'a', 'linux_vul', 'h2', 'v1', '[{"cve_id": "CVE-2"}]', '', '2026-01-01', '2026-01-02', '2026-01-03')`,
    [scope.projectId],
  );
  await migrate(older.pool);
  const { rows } = await older.pool.query(
    'select host_id, cve_id, cvss, _first_seen_at from hss.host_vulnerability_cves',
  );
  const since = new Date('2026-01-02T00:00:00Z');
  expect(rows).toEqual([{ host_id: 'h1', cve_id: 'CVE-1', cvss: 5, _first_seen_at: since }]);
});
