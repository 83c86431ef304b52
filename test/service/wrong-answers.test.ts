import { describe, expect, test } from 'vitest';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { ownProjects, shown } from '../support/answers.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Answers that cannot be read or do not hold what they promise, and what a run makes of them. */

const database = await createTestDatabase();
const { start } = ownProjects(database);

describe('a response that is not the documented JSON is requested again, and counted', () => {
  test.each(['html', 'truncated', 'no-list', 'reset', 'reset-mid-body', 'bad-gateway'] as const)(
    '%s, once',
    async (kind) => {
      const { run, sandbox } = await start();
      sandbox.faults.add({ kind, operation: 'ListClusterEvents' });
      const report = await run(hssClusterEvents);
      expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 30 });
      expect(report.requests).toBe(sandbox.requests.count('ListClusterEvents'));
      expect(report.requests).toBe(2);
    },
  );

  test('in every response: the run fails after four attempts and reports the response without its data', async () => {
    const kinds = [
      ['html', /HSS gave no usable answer: 200 with \d+ characters of text\/html, saying Sign in: /],
      ['truncated', /HSS gave no usable answer: 200 with \d+ characters of application\/json: .*JSON/],
      ['no-list', /HSS gave no usable answer: .*the answer has no data_list: its keys are total_num/],
    ] as const;
    // The waits between attempts are real, so they pass side by side.
    await Promise.all(
      kinds.map(async ([kind, says]) => {
        const { run, rows, sandbox } = await start();
        sandbox.faults.add({ kind, operation: 'ListClusterEvents', times: Number.POSITIVE_INFINITY });
        const report = await run(hssClusterEvents);
        expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', requests: 4, records: 0 });
        expect(sandbox.requests.count('ListClusterEvents')).toBe(4);
        expect(report.error).toMatch(says);
        expect(report.error).toContain('/v5/{project_id}/cluster-protect/events, account default, region cn-north-4');
        expect(report.error).not.toContain('event_id');
        expect(await rows('hss.cluster_events')).toBe(0);
      }),
    );
  });
});

describe('a failure of the service that comes with status 400 in the middle of a list', () => {
  test.each(['HSS.1001', '00001001', 'HSS.0014'])(
    '%s is requested again, and does not end the list',
    async (error_code) => {
      const { run, sandbox } = await start({ events: 1_000 });
      sandbox.faults.add({
        kind: 'reply',
        operation: 'ListClusterEvents',
        when: ({ query }) => Number(query.offset) > 300,
        status: 400,
        body: JSON.stringify({ error_code, error_msg: 'internal error' }),
      });
      const report = await run(hssClusterEvents);
      expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 1_000 });
      expect(report.requests).toBe(sandbox.requests.count('ListClusterEvents'));
      const asked = sandbox.requests.entries().map(({ query }) => query);
      expect(
        asked.filter(({ cluster_id }) => cluster_id !== undefined),
        'parts of a split',
      ).toEqual([]);
      expect(report.requests).toBeLessThan(12);
    },
  );
});

describe('a list with a wrong count', () => {
  test('is recorded as drift after two readings, with field, count and number of rows', async () => {
    const { run, sandbox } = await start();
    const rows = [1, 2, 3].map((id) => ({ cluster_id: `c${id}`, protect_status: 'unprotected' }));
    sandbox.override('ListClusterProtectionInfo', ({ query }) =>
      JSON.stringify({ total_num: 9, data_list: rows.slice(Number(query.offset)) }),
    );
    for (let look = 0; look < 2; look += 1) await run(hssProtectedClusters);
    const { rows: drift } = await database.pool.query(
      "select field, sample from bi.sync_drift where stream = 'hss_protected_clusters' and kind = 'wrong total'",
    );
    expect(drift).toEqual([{ field: 'total_num', sample: '9 for 3 rows' }]);
  });
});

describe('an empty list', () => {
  test.each(['[]', 'null'])('written as %s is complete, with no row', async (list) => {
    const { run, sandbox } = await start();
    sandbox.override('ListSecurityCheckClusterReports', () => `{"total_num":0,"data_list":${list}}`);
    expect(shown(await run(hssClusterSecurityReports))).toEqual({
      status: 'succeeded',
      certificate: 'complete',
      records: 0,
      inserted: 0,
      rejected: 0,
    });
  });

  test('with a positive count is not complete', async () => {
    const { run, sandbox } = await start();
    sandbox.override('ListSecurityCheckClusterReports', () => '{"total_num":3,"data_list":null}');
    expect(await run(hssClusterSecurityReports)).toMatchObject({ status: 'failed', certificate: 'incomplete' });
  });
});

test('the run reports a list that ends before its count, and a stream whose parent is not certified', async () => {
  const { run, sandbox } = await start();
  sandbox.override('ListClusterProtectionInfo', (_, normal) => ({
    ...normal(),
    body: normal().body.replace('"total_num":3', '"total_num":5'),
  }));
  const clusters = await run(hssProtectedClusters);
  expect(clusters).toMatchObject({ records: expect.any(Number), inserted: 3 });
  sandbox.faults.add({ kind: 'forbidden', operation: 'ListAuditInstancesLast', times: Number.POSITIVE_INFINITY });
  await run(dbssAuditInstances);
  expect(await run(dbssAuditReports)).toMatchObject({
    status: 'incomplete',
    certificate: 'incomplete',
    reason: 'parents',
    requests: 0,
  });
});
