import { describe, expect, test } from 'vitest';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { ownProjects, shown } from '../support/answers.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Where documents and regions disagree about the API: what is accepted there is found out, and remembered. */

const database = await createTestDatabase();
const { pool } = database;
const { start } = ownProjects(database, 16);

describe('which spelling of image_type the handling history accepts', () => {
  test.each([
    ['local_image', 'error'],
    ['local', 'error'],
    ['local_image', 'empty'],
    ['local', 'empty'],
    ['both', 'error'],
  ] as const)(
    '%s, the other one gives an %s: all records arrive, in the stored spelling',
    async (imageTypeSpelling, otherImageType) => {
      const { run, rows, sandbox, id } = await start({ imageTypeSpelling, otherImageType });
      await run(hssImageVulnerabilities);
      const report = await run(hssImageVulnerabilityOperations);
      expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', rejected: 0 });
      const truth = [...sandbox.estate.records('operations')].map(({ request }) => request);
      expect(truth.length).toBeGreaterThan(5);
      expect(await rows('hss.image_vulnerability_operations')).toBe(truth.length);
      const { rows: types } = await pool.query(
        'select image_type, count(*)::int as n from hss.image_vulnerability_operations where project_id = $1 group by 1 order by 1',
        [id],
      );
      const counts = Map.groupBy(truth, ({ image_type }) => image_type);
      expect(types).toEqual(
        [...counts]
          .map(([image_type, all]) => ({ image_type, n: all.length }))
          .sort((a, b) => (String(a.image_type) < String(b.image_type) ? -1 : 1)),
      );
      expect(report.requests).toBe(sandbox.requests.count('ListGeneralImageVulOperations'));
    },
  );

  test('is tried once, and remembered across runs', async () => {
    const { run, sandbox } = await start({ imageTypeSpelling: 'local_image' });
    await run(hssImageVulnerabilities);
    await run(hssImageVulnerabilityOperations);
    sandbox.requests.clear();
    await run(hssImageVulnerabilityOperations);
    const asked = sandbox.requests.entries().filter(({ operation }) => operation === 'ListGeneralImageVulOperations');
    expect(asked.filter(({ query }) => query.image_type === 'local')).toEqual([]);
    expect(asked.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('the times of reports, which name no zone', () => {
  const firstEnds = async (id: string) => {
    const { rows } = await pool.query<{ id: string; end_time: Date }>(
      'select id, end_time from dbss.audit_reports where project_id = $1 order by id',
      [id],
    );
    return rows.map((row) => [row.id, row.end_time.toISOString()]);
  };

  test.each(['UTC+08:00', 'UTC-03:30'])(
    'are read in the time zone of their instance if the list has it: %s',
    async (zone) => {
      const { run, sandbox, id } = await start({ instanceGenerations: ['v1'], instanceTimeZone: zone });
      await run(dbssAuditInstances);
      expect(await run(dbssAuditReports)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
      const truth = [...sandbox.estate.records('reports')].map(({ text }) => JSON.parse(text));
      const inUtc = truth.map((report) => [report.id, new Date(`${report.end_time.replace(' ', 'T')}Z`).toISOString()]);
      expect(await firstEnds(id)).toEqual(inUtc.sort());
    },
  );

  test('are read in the configured time zone if the list has none', async () => {
    const { run, sandbox, id } = await start({ instanceTimeZone: 'UTC+08:00' });
    await run(dbssAuditInstances);
    await run(dbssAuditReports);
    const [report] = [...sandbox.estate.records('reports')].map(({ text }) => JSON.parse(text));
    const written = new Date(`${report.end_time.replace(' ', 'T')}Z`).getTime() + 8 * 3_600_000;
    expect(await firstEnds(id)).toContainEqual([report.id, new Date(written).toISOString()]);
  });
});

describe('the generations of the instance list', () => {
  test.each([
    [['v2', 'v1', 'v1-dbss'], 'instances', 1],
    [['v1', 'v1-dbss'], 'instances', 2],
    [['v1'], 'servers', 2],
    [['v1-dbss'], 'instances', 3],
  ] as const)(
    '%j with %s: the newest that exists is found in %i requests, and remembered',
    async (instanceGenerations, v1InstanceShape, requests) => {
      const { run, rows, sandbox } = await start({ instanceGenerations, v1InstanceShape });
      const report = await run(dbssAuditInstances);
      expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 2, requests });
      expect(await rows('dbss.audit_instances')).toBe(2);
      sandbox.requests.clear();
      expect(await run(dbssAuditInstances)).toMatchObject({ status: 'succeeded', unchanged: 2, requests: 1 });
      expect(sandbox.requests.count()).toBe(1);
    },
  );

  test('are not tried in turn after a 404 of the service itself, because that API exists', async () => {
    const { run, sandbox } = await start();
    sandbox.faults.add({
      kind: 'reply',
      operation: 'ListAuditInstancesLast',
      status: 404,
      body: JSON.stringify({ error_code: 'DBSS.10021004', error_msg: 'not found' }),
    });
    const report = await run(dbssAuditInstances);
    expect(report).toMatchObject({ status: 'failed', reason: 'refused', requests: 1 });
    expect(report.error).toMatch(/DBSS did not find the resource: 404 DBSS\.10021004/);
    expect(await run(dbssAuditInstances)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 2 });
  });

  test('none of which exists is reported as a refusal', async () => {
    const { run } = await start({ instanceGenerations: [] });
    const report = await run(dbssAuditInstances);
    expect(report).toMatchObject({ status: 'failed', reason: 'refused', requests: 3 });
    expect(report.error).toMatch(/DBSS did not find the resource: 404 APIG\.0101/);
  });
});
