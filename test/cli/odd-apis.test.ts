import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { testNow } from '../support/clock.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { editList } from '../support/world.ts';

/** What the commands say of APIs that are slow, cut their lists off, or do not know the value for all enterprise projects. */

const database = await createTestDatabase();

async function startSmall() {
  const sandbox = await startSandbox({
    hosts: 2,
    clusters: 2,
    events: 20,
    vulnerabilities: 2,
    instances: 1,
    reports: 2,
  });
  onTestFinished(() => sandbox.close());
  return { sandbox, cwd: await directoryFor({ sandbox, databaseUrl: database.url }) };
}

test('a page that takes longer than pageTimeout fails its list, and is read where pageTimeout is longer', async () => {
  const { sandbox, cwd } = await startSmall();
  const file = join(cwd, 'security-sync.yaml');
  const configuration = await readFile(file, 'utf8');
  await writeFile(file, `${configuration}pageTimeout: 1s\n`);
  sandbox.faults.add({ kind: 'late', delayMs: 1_500, times: Number.POSITIVE_INFINITY });
  const short = await runCli(['sync', 'hss_kubernetes_clusters'], { cwd });
  expect(short.code, short.stderr).toBe(1);
  expect(short.stdout).toContain('no complete response within pageTimeout');
  await writeFile(file, `${configuration}pageTimeout: 30s\n`);
  const long = await runCli(['sync', 'hss_kubernetes_clusters'], { cwd });
  expect(long, long.stdout).toMatchObject({ code: 0 });
});

test('check names a list that shows rows for the default enterprise project and none for all of them', async () => {
  const { sandbox, cwd } = await startSmall();
  sandbox.override('ListClusterProtectionInfo', ({ query }, normal) => {
    const reply = normal();
    if (query.enterprise_project_id !== 'all_granted_eps') return reply;
    return { ...reply, body: editList(reply.body, () => null) };
  });
  const { code, stdout } = await runCli(['check'], { cwd });
  expect(stdout).toMatch(
    /^hss_protected_clusters: returns \d+ rows for enterprise project 0 but 0 for all_granted_eps, so this list does not support all_granted_eps: configure one entry/m,
  );
  expect(code).toBe(0);
});

test('sync says that a list is capped where its API shows half of it from now on, marks nothing, and ends with exit code 1', async () => {
  const { sandbox, cwd } = await startSmall();
  const newest = testNow() - 3_600_000;
  const records = Array.from({ length: 1_200 }, (_, index) => ({
    cluster_id: `c${index}`,
    cluster_name: 'one',
    creation_timestamp: newest - index * 150_000,
  }));
  let shown = 1_200;
  sandbox.override('ListKubernetesClusterDetails', ({ query: { offset, limit } }) => {
    const start = Number(offset ?? 0);
    const page = records.slice(0, shown).slice(start, start + Number(limit ?? 10));
    return JSON.stringify({ total_num: shown, cluster_info_list: page });
  });
  const whole = await runCli(['sync', 'hss_kubernetes_clusters'], { cwd });
  expect(whole, whole.stdout).toMatchObject({ code: 0 });
  shown = 600;
  for (const args of [[], ['--full']]) {
    const half = await runCli(['sync', 'hss_kubernetes_clusters', ...args], { cwd });
    expect(half.code, half.stdout).toBe(1);
    expect(half.stdout).toContain('hss_kubernetes_clusters: incomplete (capped)');
  }
  const { rows } = await database.pool.query(
    `select count(*)::int as live, (select (evidence->>'outOfSight')::int from sync.listings
       where stream = 'hss_kubernetes_clusters') as "outOfSight"
     from hss.kubernetes_clusters where _deleted_at is null and cluster_name = 'one'`,
  );
  expect(rows).toEqual([{ live: 1_200, outOfSight: 600 }]);
});

test('events that their API cuts to half are read by the clusters of the rows, also where no list names these clusters', async () => {
  const { sandbox, cwd } = await startSmall();
  sandbox.override('ListClusterProtectionInfo', (_, normal) => {
    const reply = normal();
    return { ...reply, body: editList(reply.body, () => null) };
  });
  const newest = testNow() - 3_600_000;
  const records = Array.from({ length: 1_200 }, (_, index) => ({
    event_id: `e${index}`,
    cluster_id: `c${index % 3}`,
    handle_status: 'unhandled',
    create_time: newest - index * 15_000,
    update_time: newest - index * 15_000,
  }));
  let shown = 1_200;
  sandbox.override('ListClusterEvents', ({ query: { offset, limit, cluster_id: cluster } }) => {
    const start = Number(offset ?? 0);
    const listed =
      cluster === undefined ? records.slice(0, shown) : records.filter((one) => one.cluster_id === cluster);
    const page = listed.slice(start, start + Number(limit ?? 10));
    return JSON.stringify({ total_num: listed.length, last_update_time: newest, data_list: page });
  });
  const proof = async () => {
    const { code, stdout } = await runCli(['sync', 'hss_cluster_events'], { cwd });
    const { rows } = await database.pool.query(
      `select certificate, proof, (evidence->>'distinct')::int as read,
         (select count(*)::int from hss.cluster_events where _deleted_at is null and cluster_id in ('c0', 'c1', 'c2')) as live
       from sync.listings where stream = 'hss_cluster_events' and listing = ''`,
    );
    expect(code, stdout).toBe(0);
    return rows;
  };
  expect(await proof()).toEqual([{ certificate: 'complete', proof: 'order', read: 1_200, live: 1_200 }]);
  shown = 600;
  expect(await proof()).toEqual([{ certificate: 'complete', proof: 'split', read: 1_200, live: 1_200 }]);
});
