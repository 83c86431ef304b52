import { describe, expect, test } from 'vitest';
import type { Operation } from '../../src/sandbox/server/operations.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { ownProjects } from '../support/answers.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { editList } from '../support/world.ts';

/** Answers to something else than what was asked, and answers of another time than now. */

const database = await createTestDatabase();
const { start } = ownProjects(database);
type Started = Awaited<ReturnType<typeof start>>;

async function driftOf(stream: string, kind: string): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ field: string; sample: string }>(
    'select field, sample from sync.api_drift where stream = $1 and kind = $2',
    [stream, kind],
  );
  return Object.fromEntries(rows.map(({ field, sample }) => [field, sample]));
}

/** From the given call on, the records of the operation are changed on their way out, as often as told. */
function edit({ sandbox }: Started, operation: Operation, { times = Number.POSITIVE_INFINITY, ...how }: Edit): void {
  let left = times;
  sandbox.override(operation, ({ query }, normal) => {
    if (left === 0 || how.when?.(query) === false) return undefined;
    left -= 1;
    return { ...normal(), body: editList(normal().body, how.record), headers: how.headers ?? {} };
  });
}

interface Edit {
  readonly times?: number;
  readonly when?: (query: Readonly<Record<string, string>>) => boolean;
  readonly record: (record: Readonly<Record<string, unknown>>) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const same = (record: Readonly<Record<string, unknown>>) => record;

describe('rows that contradict the parameters of the request', () => {
  const toLinux = {
    when: (query: Readonly<Record<string, string>>) => query.type === 'app_vul' && query.handle_status === 'unhandled',
    record: (record: Readonly<Record<string, unknown>>) => ({ ...record, type: 'linux_vul' }),
  };
  const estate = { vulnerabilities: 200 };

  test('in one response: the page is requested again, and the list is proven complete', async () => {
    const { run: runBefore } = await start(estate);
    const usual = await runBefore(hssImageVulnerabilities);
    const started = await start(estate);
    edit(started, 'ListGeneralImageVuls', { ...toLinux, times: 1 });
    const report = await started.run(hssImageVulnerabilities);
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', requests: usual.requests + 1 });
  });

  test('in every response: the list is not certified, and no row is stored under the requested parameters', async () => {
    const started = await start(estate);
    edit(started, 'ListGeneralImageVuls', toLinux);
    const report = await started.run(hssImageVulnerabilities);
    expect(report).toMatchObject({ status: 'incomplete', certificate: 'incomplete', reason: 'other-list' });
    const { rows } = await database.pool.query<{ type: string; n: number }>(
      `select type, count(*)::int as n from hss.image_vulnerabilities
       where project_id = $1 and handle_status = 'unhandled' group by type`,
      [started.id],
    );
    expect(rows.map(({ type }) => type)).toEqual(['linux_vul']);
    expect(await driftOf('hss_image_vulnerabilities', 'other list')).toEqual({ type: 'asked app_vul, got linux_vul' });
  });

  test('of another project: no row is stored under this project', async () => {
    const started = await start();
    edit(started, 'ListClusterEvents', {
      record: (record) => ({ ...record, [record.projectId === undefined ? 'project_id' : 'projectId']: 'another' }),
    });
    const report = await started.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'incomplete', reason: 'other-list', inserted: 0, rejected: 0 });
    expect(await started.rows('hss.cluster_events')).toBe(0);
    expect(await driftOf('hss_cluster_events', 'other list')).toMatchObject({ project_id: expect.any(String) });
  });

  test('of another enterprise project: the rows are stored, but the list is not certified', async () => {
    const started = await start();
    edit(started, 'ListClusterEvents', {
      record: ({ enterpriseProjectId: _, ...record }) => ({ ...record, enterprise_project_id: 'ep-2' }),
    });
    const where = { ...scope, projectId: started.id, enterpriseProjectId: '0' };
    const report = await runStream(
      started.engine,
      { stream: hssClusterEvents, scope: where },
      { signal: new AbortController().signal },
    );
    expect(report).toMatchObject({ status: 'incomplete', reason: 'other-list' });
    expect(report.inserted).toBeGreaterThan(0);
    const { rows } = await database.pool.query(
      'select distinct enterprise_project_id from hss.cluster_events where project_id = $1',
      [started.id],
    );
    expect(rows).toEqual([{ enterprise_project_id: 'ep-2' }]);
  });
});

describe('an answer from a cache', () => {
  const aged = { record: same, headers: { Age: '240' } };

  test('to one request: the page is requested again, and the list is proven complete', async () => {
    const started = await start();
    edit(started, 'ListClusterEvents', { ...aged, times: 1 });
    expect(await started.run(hssClusterEvents)).toMatchObject({ certificate: 'complete', requests: 2, inserted: 30 });
  });

  test('to every request: the rows are stored, and the list is not certified', async () => {
    const started = await start();
    edit(started, 'ListClusterEvents', aged);
    expect(await started.run(hssClusterEvents)).toMatchObject({
      status: 'incomplete',
      certificate: 'incomplete',
      reason: 'old-answer',
      inserted: 30,
      deleted: 0,
    });
  });

  test('to a poll: the earlier certificate stays, and is not renewed', async () => {
    const started = await start({ events: 600 });
    const first = await started.run(hssClusterEvents);
    edit(started, 'ListClusterEvents', aged);
    expect(await started.run(hssClusterEvents)).toMatchObject({
      certificate: 'incomplete',
      reason: 'old-answer',
      requests: 2,
    });
    started.sandbox.override('ListClusterEvents', undefined);
    expect(await started.run(hssClusterEvents)).toMatchObject({
      certificate: 'complete',
      certified_at: first.certified_at,
      walk: 'probe',
    });
  });

  test.each([hssProtectedClusters, hssClusterEvents])(
    'does not replace newer content by older: $name',
    async (stream) => {
      const started = await start();
      const operation = stream === hssClusterEvents ? 'ListClusterEvents' : 'ListClusterProtectionInfo';
      const name = (text: string, later = 0) => ({
        record: (record: Readonly<Record<string, unknown>>) => ({
          ...record,
          cluster_name: text,
          ...('updateTime' in record ? { updateTime: Number(record.updateTime) + later } : {}),
          ...('update_time' in record ? { update_time: Number(record.update_time) + later } : {}),
        }),
      });
      edit(started, operation, name('new', 1));
      await started.run(stream);
      edit(started, operation, { ...aged, ...name('old') });
      expect(await started.run(stream)).toMatchObject({ reason: 'old-answer', updated: 0, unchanged: 0 });
      const table = stream === hssClusterEvents ? 'hss.cluster_events' : 'hss.protected_clusters';
      const { rows } = await database.pool.query(`select distinct cluster_name from ${table} where project_id = $1`, [
        started.id,
      ]);
      expect(rows).toEqual([{ cluster_name: 'new' }]);
    },
  );
});
