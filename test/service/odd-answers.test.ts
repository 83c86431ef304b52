import { describe, expect, test } from 'vitest';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { ownProjects } from '../support/answers.ts';
import { testNow } from '../support/clock.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Answers that say less, more or something else than a list with its count. */

const database = await createTestDatabase();
const { start } = ownProjects(database);

async function reasonsOf(projectId: string): Promise<readonly unknown[]> {
  const { rows } = await database.pool.query('select stream, reason from sync.listings where project_id = $1', [
    projectId,
  ]);
  return rows;
}

describe('an unusual form of an empty list', () => {
  const REPORTS = 'ListSecurityCheckClusterReports';

  test.each<[string, { status: number; body: string }]>([
    ['a count without a list', { status: 200, body: '{"total_num":0}' }],
    ['no content', { status: 204, body: '' }],
  ])('is complete, with no row and one request: %s', async (_name, reply) => {
    const { run, sandbox } = await start();
    sandbox.override(REPORTS, () => reply);
    expect(await run(hssClusterSecurityReports)).toMatchObject({
      status: 'succeeded',
      certificate: 'complete',
      records: 0,
    });
  });

  test('in a child stream leaves the stream complete', async () => {
    const { run, sandbox } = await start();
    await run(dbssAuditInstances);
    let emptied: string | undefined;
    sandbox.override('ListAuditReports', ({ instanceId }) => {
      emptied ??= instanceId;
      return instanceId === emptied ? '{"total":0}' : undefined;
    });
    expect(await run(dbssAuditReports)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  });
});

describe('an error code in a response with status 200', () => {
  test('without rows leaves the stored rows as they are, and the run fails', async () => {
    const { run, rows, sandbox } = await start();
    await run(hssProtectedClusters);
    sandbox.override('ListClusterProtectionInfo', () => '{"error_code":"HSS.1001","total_num":0,"data_list":[]}');
    for (let times = 0; times < 2; times += 1) {
      expect(await run(hssProtectedClusters)).toMatchObject({ status: 'failed', requests: 4, deleted: 0 });
    }
    expect(await rows('hss.protected_clusters')).toBe(3);
  });

  test('beside rows: they are stored, the list is not certified, and the code is recorded', async () => {
    const { run, sandbox } = await start();
    sandbox.override('ListClusterProtectionInfo', (_, normal) =>
      normal().body.replace('{', '{"error_code":"HSS.1001","error_msg":"shard timed out",'),
    );
    expect(await run(hssProtectedClusters)).toMatchObject({
      status: 'incomplete',
      reason: 'partial-answer',
      inserted: 3,
    });
    const { rows } = await database.pool.query(
      "select field, sample from sync.api_drift where kind = 'error beside rows'",
    );
    expect(rows).toEqual([{ field: 'error_code', sample: 'HSS.1001' }]);
  });
});

test.each(['the last full page', 'the first page'])(
  'an offset beyond the end that is answered with %s is the end of the list',
  async (page) => {
    const { run: usual } = await start({ events: 600 });
    const { requests } = await usual(hssClusterEvents);
    const { run, sandbox } = await start({ events: 600 });
    const list: unknown[] = [];
    sandbox.override('ListClusterEvents', ({ query }, normal) => {
      const { body } = normal();
      const [offset, limit] = [Number(query.offset), Number(query.limit)];
      const answer: { data_list: unknown[] } = JSON.parse(body);
      for (const [index, record] of answer.data_list.entries()) list[offset + index] = record;
      if (offset < 600) return body;
      const from = page === 'the first page' ? 0 : 600 - limit;
      return JSON.stringify({ ...answer, data_list: list.slice(from, from + limit) });
    });
    const first = await run(hssClusterEvents);
    expect(first).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 600 });
    expect(first.requests).toBeLessThanOrEqual(requests + 2);
  },
);

describe('a record that is nested thousands of levels deep', () => {
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}9007199254740993${'}'.repeat(levels)}`;

  test.each([1_000, 3_000, 100_000])('is stored with the other records of its page: %i', async (levels) => {
    const { run, id, sandbox } = await start();
    sandbox.override('ListClusterEvents', (_, normal) =>
      normal().body.replace('"action":', `"new_field":${nest(levels)},"action":`),
    );
    expect(await run(hssClusterEvents)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 30 });
    const { rows } = await database.pool.query<{ text: string }>(
      "select _extra::text as text from hss.cluster_events where project_id = $1 and _extra ? 'new_field'",
      [id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.text.split('{').length).toBeGreaterThan(levels);
    expect(rows[0]?.text).toContain('9007199254740993');
    expect(await run(hssClusterEvents)).toMatchObject({ status: 'succeeded', updated: 0 });
  });

  test('is rejected alone if it is not a valid row, and the others are stored', async () => {
    const { run, rows, sandbox } = await start();
    sandbox.override('ListClusterEvents', (_, normal) =>
      normal().body.replace(/"(update_?time)":\d+/i, `"new_field":${nest(3_000)},"$1":"soon"`),
    );
    const report = await run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', inserted: 29, rejected: 1 });
    expect(await rows('sync.rejected_records')).toBe(1);
  });
});

describe('a list that does not support all_granted_eps', () => {
  test('is stored as the default project shows it, and not certified', async () => {
    const { run, rows, id, sandbox } = await start();
    const operation = 'ListSecurityCheckClusterReports';
    sandbox.override(operation, ({ query }) =>
      query.enterprise_project_id === 'all_granted_eps' ? '{"total_num":0,"data_list":[]}' : undefined,
    );
    const report = await run(hssClusterSecurityReports);
    expect(report).toMatchObject({ status: 'incomplete', certificate: 'incomplete', reason: 'default-project' });
    expect(report.inserted).toBeGreaterThan(0);
    expect(await rows('hss.cluster_security_reports')).toBe(report.inserted);
    expect(await reasonsOf(id)).toEqual([{ stream: 'hss_cluster_security_reports', reason: 'default-project' }]);
    sandbox.override(operation, undefined);
    expect(await run(hssClusterSecurityReports)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  });

  test('and is empty in the default project too is a complete list, for one more request', async () => {
    const { run, sandbox } = await start();
    sandbox.override('ListSecurityCheckClusterReports', () => '{"total_num":0,"data_list":[]}');
    expect(await run(hssClusterSecurityReports)).toMatchObject({ certificate: 'complete', requests: 2 });
    expect(await run(hssClusterSecurityReports)).toMatchObject({ certificate: 'complete', requests: 1 });
  });

  test('is not requested for the default project if all_granted_eps has returned rows before', async () => {
    const { run, sandbox } = await start();
    expect(await run(hssClusterSecurityReports)).toMatchObject({ certificate: 'complete' });
    const asked = new Set<unknown>();
    sandbox.override('ListSecurityCheckClusterReports', ({ query }) => {
      asked.add(query.enterprise_project_id);
      return '{"total_num":0,"data_list":[]}';
    });
    await run(hssClusterSecurityReports, true);
    expect(asked).toEqual(new Set(['all_granted_eps']));
  });
});

test('the reason of a list that was refused follows the newest error', async () => {
  const { run, id, sandbox } = await start();
  sandbox.faults.add({ kind: 'forbidden', operation: 'ListClusterProtectionInfo' });
  expect(await run(hssProtectedClusters)).toMatchObject({ reason: 'refused' });
  sandbox.faults.add({ kind: 'server-error', operation: 'ListClusterProtectionInfo', times: 4 });
  expect(await run(hssProtectedClusters)).toMatchObject({ status: 'failed', reason: 'interrupted' });
  expect(await reasonsOf(id)).toEqual([{ stream: 'hss_protected_clusters', reason: 'interrupted' }]);
});

test('if servers return two versions of a row in turn, the newer one is kept', async () => {
  const { run, sandbox, id } = await start();
  const base = testNow() - 60_000;
  let requests = 0;
  sandbox.override('ListClusterEvents', ({ query }) => {
    requests += 1;
    const events = Array.from({ length: 250 }, (_, index) => {
      const time = base - index * 400;
      return {
        event_id: `e${index}`,
        create_time: time,
        update_time: time,
        handle_status: 'unhandled',
        cluster_id: 'c',
      };
    });
    // The first two requests reach a server that knows of a change, the others one that lags behind.
    const [handled] = events.splice(5, 1);
    if (handled !== undefined && requests <= 2)
      events.unshift({ ...handled, update_time: base + 500, handle_status: 'handled' });
    else if (handled !== undefined) events.splice(5, 0, handled);
    const start = Number(query.offset);
    const data_list = events.slice(start, start + Number(query.limit));
    return JSON.stringify({ total_num: events.length, last_update_time: base + requests, data_list });
  });
  await run(hssClusterEvents);
  expect(requests).toBeGreaterThan(4);
  const { rows } = await database.pool.query(
    "select handle_status from hss.cluster_events where project_id = $1 and event_id = 'e5'",
    [id],
  );
  expect(rows).toEqual([{ handle_status: 'handled' }]);
});
