import type { RunReport } from '../../src/core/store.ts';
import { inventHistory } from '../../src/postgres/maintenance/demo-database.ts';
import { DEMO_PROJECT, ENTERPRISE_PROJECTS } from '../../src/sandbox/auth/identities.ts';
import { streams } from '../../src/streams/index.ts';
import { startEngine } from './engine.ts';
import type { TestDatabase } from './postgres.ts';

let filled: Promise<void> | undefined;

/**
 * What `security-sync demo` leaves behind: a made-up estate, read twice while it changed, with a past. Filled by the first
 * test of the file that asks for it.
 */
export function fillWithDemo(database: TestDatabase): Promise<void> {
  filled ??= fill(database);
  return filled;
}

async function fill(database: TestDatabase): Promise<void> {
  // Of fewer vulnerabilities no critical one was ignored, and what is handled between the two readings empties a list.
  const { runAll, sandbox } = await startEngine(database, { retiredClusters: 2, vulnerabilities: 160 });
  expectWhole(await runAll());
  await inventHistory(database.pool, streams, DEMO_PROJECT.id);
  for (const { id, name } of ENTERPRISE_PROJECTS) {
    await database.pool.query(
      `insert into sync.enterprise_projects (account, id, name, enabled, seen_at) values ('default', $1, $2, true, now())`,
      [id, name],
    );
  }
  sandbox.estate.step(200);
  expectWhole(await runAll());
  await database.pool.query('analyze');
}

/** A dashboard over half an estate would be empty for no fault of its own. */
function expectWhole(reports: readonly RunReport[]): void {
  for (const { stream, status, reason, error } of reports) {
    if (status !== 'succeeded') throw new Error(`${stream}: ${status} (${reason ?? error})`);
  }
}
