import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { status } from '../../src/cli/status.ts';
import { PostgresLaneQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { forget } from '../../src/postgres/maintenance/reset.ts';
import { publishProjects } from '../../src/postgres/queries/overview.ts';
import { DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { directoryFor } from '../support/cli.ts';
import { capturing } from '../support/cli-context.ts';
import { testNow } from '../support/clock.ts';
import { quietLogger, startEngine, READ_BY_DEFAULT as streams } from '../support/engine.ts';
import { letPass } from '../support/passing-time.ts';
import { createTestDatabase, EMPTIED_TABLES } from '../support/postgres.ts';

/** What `security-sync status` says of an estate, and how it judges it. */

const database = await createTestDatabase();
const { pool } = database;
const OTHER = '0f3c1e7a9b2d4c5e8f6a7b8c9d0e1f2a';
const SMALL = { hosts: 6, clusters: 3, events: 30, vulnerabilities: 8, instances: 1, reports: 5 };

let readAt = 0;

/** Everything is read once; each test starts from the bookkeeping after that, with the same age. */
beforeEach(async () => {
  const { rows } = await pool.query<{ name: string }>(
    `select tablename as name from ${EMPTIED_TABLES} and schemaname = 'sync'`,
  );
  if (readAt === 0) {
    const { runAll } = await startEngine(database, SMALL);
    await runAll();
    readAt = testNow();
    await pool.query('create schema saved');
    for (const { name } of rows) await pool.query(`create table saved.${name} as table sync.${name}`);
    return;
  }
  for (const { name } of rows) await pool.query(`delete from sync.${name}`);
  for (const { name } of rows) await pool.query(`insert into sync.${name} overriding system value table saved.${name}`);
  const passedMs = testNow() - readAt;
  await letPass(pool, -passedMs);
  for (const table of ['runs', 'listings'])
    await pool.query(`update sync.${table} set content_at = content_at + ${passedMs} * interval '1 millisecond'`);
});

interface Document {
  readonly ok: boolean;
  readonly verdict: readonly string[];
  readonly service_running: boolean;
  readonly streams: readonly Record<string, unknown>[];
  readonly never_read: readonly Record<string, unknown>[];
}

async function told(projects: readonly string[] = [DEMO_PROJECT.id], yaml = '') {
  const cwd = await directoryFor({ sandbox: { url: 'http://127.0.0.1:9' }, databaseUrl: database.url, projects });
  const file = join(cwd, 'security-sync.yaml');
  await appendFile(file, yaml);
  const answer = capturing(file);
  const checked = await status(answer.context, { check: true });
  const { text } = answer;
  const plain = await status(capturing(file).context, {});
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  const document: Document = JSON.parse(JSON.stringify(answer.document));
  return { checked, plain, text, lines: text.split('\n'), document };
}

const setRun = (set: string, stream: string) =>
  pool.query(
    `update sync.runs set ${set} where id = (select id from sync.runs where stream = $1 order by started_at desc limit 1)`,
    [stream],
  );

describe('the first line of the status', () => {
  test('reports that all tables are fresh and proven, and --check ends with 0', async () => {
    const { checked, plain, lines, document } = await told();
    expect(lines[0]).toBe(`All tables (${streams.length}) are fresh and proven.`);
    expect({ checked, plain }).toEqual({ checked: 0, plain: 0 });
    expect(document).toMatchObject({ ok: true, never_read: [], service_running: false });
    expect(document.streams.map(({ standing }) => standing)).toEqual(streams.map(() => 'fresh'));
  });

  test.each<[string, [set: string, stream: string], string]>([
    [
      'content older than its target',
      ["content_at = now() - interval '30 minutes'", 'hss_cluster_events'],
      'stale: 30 min old, target 2 min',
    ],
    [
      'a run that failed',
      ["status = 'failed', error = 'HSS refused permission: 403'", 'hss_cluster_events'],
      'failed: HSS refused permission: 403',
    ],
    [
      'a list that could not be proven complete',
      ["certificate = 'incomplete', reason = 'moving'", 'hss_protected_clusters'],
      'unproven: incomplete (moving); never proven complete',
    ],
    [
      'a certificate that is late',
      ["certified_at = now() - interval '10 days'", 'hss_cluster_events'],
      'late: last read to its end 10 d ago, limit 9 h',
    ],
    [
      'the run of a process that is gone',
      ["status = 'running', finished_at = null, beat_at = now() - interval '5 minutes'", 'hss_cluster_events'],
      'abandoned: its last process died or froze; the next run continues',
    ],
  ])('is followed by %s, with stream and project, and --check ends with 1', async (_, [set, stream], cause) => {
    await setRun(set, stream);
    const { checked, plain, text, document } = await told();
    expect(document.verdict).toEqual([
      `1 of ${streams.length} tables is not fresh and proven:`,
      `${stream} (project ${DEMO_PROJECT.id}): ${cause}`,
    ]);
    expect(text.startsWith(`1 of ${streams.length} tables is not fresh and proven:\n  ${stream} (`)).toBe(true);
    expect({ checked, plain, ok: document.ok }).toEqual({ checked: 1, plain: 0, ok: false });
    expect(text).toMatch(new RegExp(`^${stream} +${cause.split(':')[0]} `, 'm'));
  });

  test('names configured projects that have never been read', async () => {
    const { checked, document } = await told([DEMO_PROJECT.id, OTHER]);
    expect(checked).toBe(1);
    expect(document.verdict).toEqual([
      `${streams.length} of ${2 * streams.length} tables are not fresh and proven:`,
      expect.stringMatching(new RegExp(`^hss_protected_clusters \\(project ${OTHER}\\), .*: never read$`)),
    ]);
    expect(document.never_read).toHaveLength(streams.length);
  });

  test('reports missing permissions once, and does not count unpublished lists as problems', async () => {
    const refused = (refusal: string) =>
      `status = 'failed', certificate = 'incomplete', reason = 'refused', error = 'refused: request ' || id, evidence = '{"refusal":"${refusal}"}'`;
    await setRun(refused('not published'), 'dbss_audit_instances');
    await setRun("certificate = 'incomplete', status = 'incomplete', reason = 'parents'", 'dbss_audit_reports');
    const only = await told();
    expect(only.checked).toBe(0);
    expect(only.document.verdict).toEqual([
      `All tables (${streams.length - 2}) are fresh and proven, except 2 not published.`,
      expect.stringMatching(/^dbss_audit_instances \(.*\), dbss_audit_reports \(.*\): not published: its API is not/),
    ]);
    await setRun(refused('no permission'), 'hss_cluster_events');
    await setRun(refused('no permission'), 'hss_protected_clusters');
    const { checked, document } = await told();
    expect(checked).toBe(1);
    expect(document.verdict[0]).toBe(`2 of ${streams.length} tables are not fresh and proven:`);
    expect(
      document.verdict.filter((line) => /hss_\w+ \(.*\), hss_\w+ \(.*\): no permission: the credentials/.test(line)),
    ).toHaveLength(1);
  });

  test('does not judge a stream that is disabled', async () => {
    await setRun("status = 'failed', error = 'gone'", 'hss_cluster_events');
    const { checked, document } = await told(undefined, 'streams: { hss_cluster_events: { enabled: false } }\n');
    expect(checked).toBe(0);
    expect(document.verdict).toEqual([`All tables (${streams.length - 1}) are fresh and proven.`]);
  });
});

test.each([hssClusterEvents, hssImageVulnerabilityOperations])(
  'after a reset the status does not call $name complete',
  async (stream) => {
    expect(await forget(pool, stream, DEMO_PROJECT.id)).not.toBe('busy');
    const { checked, document } = await told();
    expect(checked).toBe(1);
    expect(document.verdict[1]).toBe(
      `${stream.name} (project ${DEMO_PROJECT.id}): unproven: reset: its next run reads it again and proves it`,
    );
  },
);

/** A service of a configuration that reads a project. */
async function serves(configuration: string, projectId: string) {
  const scopes = [{ projectId, account: 'default', region: DEMO_PROJECT.region }];
  await publishProjects(pool, { configuration, scopes, targets: {} });
  const queue = new PostgresLaneQueue({ pool, url: database.url, logger: quietLogger, configuration, concurrency: 1 });
  onTestFinished(() => queue.stop());
  await queue.start(async () => {});
}

test('status names a project that a service with another configuration reads, without advice to remove it', async () => {
  await serves('other', DEMO_PROJECT.id);
  const { document, text } = await told([OTHER]);
  expect(document).toMatchObject({ service_running: false, not_configured: [], of_other_services: [DEMO_PROJECT.id] });
  expect(text.replaceAll(/\s+/g, ' ')).toContain(
    `Read by a service of another configuration, and not judged here: ${DEMO_PROJECT.id}.`,
  );
  expect(text).not.toContain('reset');
});

test('status --project refuses a project that is neither configured nor stored, and names those that are', async () => {
  const cwd = await directoryFor({ sandbox: { url: 'http://127.0.0.1:9' }, databaseUrl: database.url });
  const { context } = capturing(join(cwd, 'security-sync.yaml'));
  await expect(status(context, { project: 'x' })).rejects.toThrow(
    `project "x" is not configured or stored (configured or stored: ${DEMO_PROJECT.id}`,
  );
});

test('without a service, status reports a run of another command', async () => {
  await setRun("status = 'running', finished_at = null, beat_at = now()", 'hss_cluster_events');
  const { text } = await told();
  expect(text).toContain('No service runs on this database; a one-off command is running at the moment.');
});

test('the next run is shown only while a service runs on the database', async () => {
  const without = await told();
  expect(without.document.streams.map(({ next_run }) => next_run)).toEqual(streams.map(() => null));
  expect(without.text).toContain('No service runs on this database');

  await serves('own', DEMO_PROJECT.id);
  const served = await told();
  expect(served.document).toMatchObject({ service_running: true });
  expect(served.document.streams[0]?.next_run).toEqual(expect.any(String));
  expect(served.text).not.toContain('No service runs');
});
