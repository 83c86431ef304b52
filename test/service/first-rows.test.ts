import { expect, test } from 'vitest';
import type { RunReport } from '../../src/core/store.ts';
import { inOrder } from '../../src/core/stream/stream.ts';
import type { Estate } from '../../src/sandbox/estate/live-estate.ts';
import { streams } from '../../src/streams/index.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

/** Tables whose truth the sandbox can name: list, table, and the columns that identify a row there and here. */
const LISTS = [
  ['events', 'hss.cluster_events', ['event_id', 'update_time']],
  ['clusterReports', 'hss.cluster_security_reports', ['report_id', 'scan_time']],
  ['clusters', 'hss.protected_clusters', ['cluster_id', 'policy_num']],
  ['vulnerabilities', 'hss.image_vulnerabilities', ['image_type', 'handle_status', 'type', 'vul_id']],
  [
    'operations',
    'hss.image_vulnerability_operations',
    ['vul_id', 'image_type', 'handle_time', 'user_name', 'image_id'],
  ],
  ['reports', 'dbss.audit_reports', ['instance_id', 'id', 'percentum']],
] as const;

/** Rows as text, sorted; what only the request says comes from the request. */
function truth(estate: Estate, list: (typeof LISTS)[number][0], columns: readonly string[]): string[] {
  return [...estate.records(list)]
    .map(({ request, text }) => ({ ...JSON.parse(text), ...request }))
    .map((record) =>
      columns.map((column) => (record[column] === 'local' ? 'local_image' : String(record[column]))).join(' '),
    )
    .sort();
}

test('one sync of all streams leaves every row of the estate in its table, each stream certified', async () => {
  const { run, sandbox } = await startEngine(database, {
    hosts: 4,
    events: 700,
    vulnerabilities: 12,
    reports: 60,
    retiredClusters: 2,
  });
  const runs: RunReport[] = [];
  for (const stream of inOrder(streams)) runs.push(await run(stream));
  expect(runs).toHaveLength(streams.length);
  for (const { stream, status, certificate, reason, error, rejected, certified_at } of runs) {
    expect({ status, certificate, reason, error, rejected }, stream).toEqual({
      status: 'succeeded',
      certificate: 'complete',
      reason: null,
      error: null,
      rejected: 0,
    });
    expect(certified_at).not.toBeNull();
  }
  const requests = runs.reduce((sum, run) => sum + run.requests, 0);
  expect(requests, 'every request that was sent is counted').toBe(sandbox.requests.count());
  for (const [list, table, columns] of LISTS) {
    const { rows } = await database.pool.query<Record<string, unknown>>(`select ${columns.join(', ')} from ${table}`);
    const stored = rows.map((row) =>
      columns.map((column) => (row[column] instanceof Date ? row[column].getTime() : String(row[column]))).join(' '),
    );
    expect(stored.sort(), table).toEqual(truth(sandbox.estate, list, columns));
  }
  const { rows: instances } = await database.pool.query('select instance_id from dbss.audit_instances order by 1');
  expect(instances.map(({ instance_id }) => instance_id)).toEqual([...sandbox.estate.instanceIds()].sort());
  const { rows: left } = await database.pool.query("select 1 from sync.runs where status = 'running'");
  expect(left).toEqual([]);
});
