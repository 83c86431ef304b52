import { describe, expect, test } from 'vitest';
import { createRunLog } from '../../src/postgres/run/store.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { ownProjects, shown } from '../support/answers.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Projects and instances that may not be read: never the same as an empty list, and no harm to the others. */

const database = await createTestDatabase();
const { pool } = database;
const { start } = ownProjects(database, 13);

describe('a project that may not be read', () => {
  test('fails with the code of the API and advice, and is never the same as an empty list', async () => {
    const { run, engine, sandbox } = await start();
    const signal = new AbortController().signal;
    const unknown = await runStream(
      engine,
      { stream: hssClusterEvents, scope: { ...scope, projectId: 'unknown' } },
      { signal },
    );
    expect(unknown).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'refused', requests: 1 });
    expect(unknown.error).toMatch(
      /HSS refused permission: 400 HSS\.0013 .*project unknown.*request id [0-9a-f]+.*Give the IAM user a role/,
    );
    expect(shown(await run(hssClusterEvents))).toMatchObject({ status: 'succeeded', inserted: 30 });
    expect(sandbox.requests.count()).toBe(2);
  });

  test('is stored as a missing permission, which differs from an API that is not published and from a lost resource', async () => {
    const { run, engine, sandbox, id } = await start({ instanceGenerations: [] });
    const signal = new AbortController().signal;
    await runStream(engine, { stream: hssClusterEvents, scope: { ...scope, projectId: 'closed' } }, { signal });
    await run(dbssAuditInstances);
    await run(hssProtectedClusters);
    const gone = JSON.stringify({ error_code: 'HSS.0011', error_msg: 'not found' });
    sandbox.faults.add({ kind: 'reply', operation: 'ListClusterEvents', status: 400, body: gone });
    expect(await run(hssClusterEvents)).toMatchObject({ status: 'failed', reason: 'refused' });
    const attempts = await createRunLog(pool).lastAttempts({
      streams: [hssClusterEvents, hssProtectedClusters, dbssAuditInstances].map(({ name }) => name),
      projects: [id, 'closed'],
    });
    const of = (stream: string, projectId: string) =>
      attempts.find((attempt) => attempt.stream === stream && attempt.projectId === projectId);
    expect(of('hss_cluster_events', 'closed')).toMatchObject({ refusal: 'no permission', wasComplete: false });
    expect(of('dbss_audit_instances', id)).toMatchObject({ refusal: 'not published', wasComplete: false });
    expect(of('hss_cluster_events', id)).toMatchObject({ refusal: null, wasComplete: false });
    expect(of('hss_protected_clusters', id)).toMatchObject({ refusal: null, wasComplete: true });
  });

  test('does not affect the account or its other projects, in DBSS and in HSS', async () => {
    const { run, engine } = await start();
    const signal = new AbortController().signal;
    const refused = await runStream(
      engine,
      { stream: dbssAuditInstances, scope: { ...scope, projectId: 'nowhere' } },
      { signal },
    );
    expect(refused).toMatchObject({
      status: 'failed',
      reason: 'refused',
      error: expect.stringContaining('DBSS.10020101'),
    });
    expect(shown(await run(dbssAuditInstances))).toMatchObject({ status: 'succeeded', inserted: 2 });
  });

  test('for one of two instances does not prevent reading the other one, and the stream is incomplete', async () => {
    const { run, sandbox } = await start();
    await run(dbssAuditInstances);
    const [refused = '', other = ''] = sandbox.estate.instanceIds();
    sandbox.faults.add({
      kind: 'forbidden',
      operation: 'ListAuditReports',
      instanceId: refused,
      times: Number.POSITIVE_INFINITY,
    });
    const report = await run(dbssAuditReports);
    expect(report).toMatchObject({ status: 'incomplete', certificate: 'incomplete', reason: 'refused' });
    expect(report.error).toContain('DBSS refused permission');
    const { rows } = await pool.query('select distinct instance_id from dbss.audit_reports');
    expect(rows).toEqual([{ instance_id: other }]);
    expect(report.requests).toBe(sandbox.requests.count('ListAuditReports'));
  });
});
