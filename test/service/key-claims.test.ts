import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/app.ts';
import { createRejectStore } from '../../src/postgres/run/reject-store.ts';
import type { Override } from '../../src/sandbox/server/handle-request.ts';
import { hssKubernetesClusters as clusters } from '../../src/streams/hss/kubernetes-clusters.ts';
import { replayRejects } from '../../src/sync/once.ts';
import { ownProjects } from '../support/answers.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { OF_EVERY_KIND, scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { refuteKeys, rejectsOf } from '../support/refute-keys.ts';

/** The key of a definition is a claim about the API: two records of one moment with the same key refute it. */

const database = await createTestDatabase();
const { pool } = database;
const { start } = ownProjects(database, 60);

describe('two records with the same key on different pages', () => {
  interface Record {
    readonly cluster_id: string;
    readonly cluster_name: string;
    readonly creation_timestamp: number;
  }
  const record = (place: number, more: Partial<Record> = {}): Record => ({
    cluster_id: `c${String(place).padStart(3, '0')}`,
    cluster_name: 'one',
    creation_timestamp: 1_700_000_000_000 - place * 60_000,
    ...more,
  });
  const list = (count: number) => Array.from({ length: count }, (_, place) => record(place));

  type Count = 'counted' | 'uncounted';
  type Served = Pick<Awaited<ReturnType<typeof start>>, 'sandbox'>;

  async function serve(records: () => readonly Record[], count: Count = 'counted') {
    const started = await start();
    answerWith(started, records, count);
    const versions = async () => {
      const { rows } = await pool.query<{ n: number }>(
        'select count(*)::int as n from hss.kubernetes_clusters_history where project_id = $1',
        [started.id],
      );
      return rows[0]?.n;
    };
    return { ...started, versions };
  }

  function answerWith({ sandbox }: Served, records: () => readonly Record[], count: Count = 'counted'): void {
    const answer: Override = ({ query }) => {
      const [from, limit] = [Number(query.offset), Number(query.limit)];
      const total = count === 'counted' ? { total_num: records().length } : {};
      return JSON.stringify({ ...total, cluster_info_list: records().slice(from, from + limit) });
    };
    sandbox.override('ListKubernetesClusterDetails', answer);
  }

  const twin = (place: number) => record(place, { cluster_id: 'c010', cluster_name: 'two' });

  test.each([
    ['sorted, with a count', list(450).with(350, twin(350)), 'counted'],
    ['sorted, without a count', list(450).with(350, twin(350)), 'uncounted'],
    ['in no order', list(450).with(350, twin(3)).reverse().toSpliced(1, 0, record(700)), 'counted'],
  ] as const)('are a row and a reject where the list stood still (%s), again and again', async (_, all, count) => {
    const { run, rows, id, versions } = await serve(() => all, count);
    expect(await run(clusters)).toMatchObject({ certificate: 'incomplete', reason: 'key', deleted: 0 });
    expect(await rows('hss.kubernetes_clusters')).toBe(all.length - 1);
    const [reject, ...others] = await rejectsOf(database, clusters, id);
    expect(others).toEqual([]);
    expect(reject?.key).toBe('c010');
    const kept = async () =>
      (
        await pool.query(
          `select cluster_name from hss.kubernetes_clusters where project_id = $1 and cluster_id = 'c010'`,
          [id],
        )
      ).rows[0]?.cluster_name;
    const row = await kept();
    expect([row, JSON.parse(reject?.payload ?? '{}').cluster_name].sort()).toEqual(['one', 'two']);
    const before = await versions();
    expect(await run(clusters, true)).toMatchObject({ reason: 'key', inserted: 0, updated: 0 });
    expect(await versions(), 'the two do not overwrite each other').toBe(before);
    expect(await kept()).toBe(row);

    const signal = new AbortController().signal;
    const rejects = createRejectStore(pool, { timeZone: 'UTC' });
    const replayed = await replayRejects({ rejects, clock: systemClock, timeZone: 'UTC', signal }, [clusters], []);
    expect(replayed.find(({ project_id }) => project_id === id)).toMatchObject({
      rows: 0,
      superseded: 0,
      reasons: [{ reason: 'another record of the list has the same key', count: 1 }],
    });
    expect(await kept(), 'a replay does not decide between the two').toBe(row);
  });

  test('are one row if it changed between the two pages, and the newer content stays', async () => {
    let all: readonly Record[] = list(450);
    let asked = 0;
    const { run, rows, id } = await serve(() => {
      asked += 1;
      // `serve` looks twice for each answer. The row of the first page is created again behind the reader's next page.
      if (asked === 3) all = [...all.filter(({ cluster_id }) => cluster_id !== 'c010'), record(450, twin(450))];
      return all;
    });
    const report = await run(clusters);
    expect(report.reason).not.toBe('key');
    expect(await rejectsOf(database, clusters, id)).toEqual([]);
    expect(await rows('hss.kubernetes_clusters')).toBe(450);
    const { rows: found } = await pool.query(
      `select cluster_name from hss.kubernetes_clusters where project_id = $1 and cluster_id = 'c010'`,
      [id],
    );
    expect(found).toEqual([{ cluster_name: 'two' }]);
  });

  test('withhold the certificate of a list that was certified before, in the next run, and check reports why', async () => {
    let all: readonly Record[] = list(20);
    const { run, sandbox } = await startEngine(database);
    answerWith({ sandbox }, () => all);
    expect(await run(clusters)).toMatchObject({ certificate: 'complete' });
    const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
    const check = async () => {
      const { stdout } = await runCli(['check', '--json'], { cwd });
      const answer: { findings: { stream: string; note: string | null }[] } = JSON.parse(stdout);
      return answer.findings.find(({ stream }) => stream === clusters.name)?.note;
    };
    expect(await check()).toBeNull();
    all = all.with(5, twin(5));
    expect(await run(clusters)).toMatchObject({ certificate: 'incomplete', reason: 'key' });
    expect(await rejectsOf(database, clusters, scope.projectId)).toHaveLength(1);
    expect(await check()).toContain('its key (cluster_id) is not unique');
  });
});

test('two records of a page with the same key are a row and a reject, and the list is not certified', () =>
  // Last, because rejects of lists that only grow stay. Every list: key-claims.long.test.ts.
  refuteKeys(
    database,
    OF_EVERY_KIND.map(({ name }) => name),
  ));
