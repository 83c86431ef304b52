import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { plan } from '../../src/cli/plan.ts';
import { DEMO_PROJECT, startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor } from '../support/cli.ts';
import { capturing } from '../support/cli-context.ts';
import { startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { wipe } from '../support/world.ts';

/** What `security-sync plan` says of the first load and of the time after it. */

const database = await createTestDatabase();
beforeEach(() => wipe(database));

const SIZES = { clusters: 7, events: 900, vulnerabilities: 12, instances: 2, reports: 12 };

interface Lane {
  readonly stream: string;
  readonly lists: number;
  readonly rows: number;
  readonly firstLoad: number;
  readonly neverRead: boolean;
  readonly problems: readonly string[];
}

interface Document {
  readonly first_load_ms: number | null;
  readonly lanes: readonly Lane[];
}

interface Planned {
  readonly requestsPerMinute?: number;
  readonly code?: number;
  readonly secretKey?: string;
  readonly projects?: readonly string[];
}

async function planned(url: string, { requestsPerMinute = 600, code = 0, ...more }: Planned = {}) {
  const cwd = await directoryFor({ sandbox: { url }, databaseUrl: database.url, requestsPerMinute, ...more });
  const answer = capturing(join(cwd, 'security-sync.yaml'));
  expect(await plan(answer.context)).toBe(code);
  const document: Document = JSON.parse(JSON.stringify(answer.document));
  return { ...document, text: answer.text, lane: (name: string) => document.lanes.find((l) => l.stream === name) };
}

test('before the first load the plan counts the rows that the API lists, and states how long reading them takes', async () => {
  const sandbox = await startSandbox(SIZES);
  onTestFinished(() => sandbox.close());
  const { lane, first_load_ms, text } = await planned(sandbox.url);
  expect(lane('hss_cluster_events')).toMatchObject({ rows: 900, lists: 1, neverRead: true });
  const vulnerabilities = lane('hss_image_vulnerabilities')?.rows ?? 0;
  expect(vulnerabilities).toBeGreaterThan(10);
  // Each vulnerability has a list of how it was handled, and each list takes a request.
  expect(lane('hss_image_vulnerability_operations')).toMatchObject({
    lists: vulnerabilities,
    firstLoad: vulnerabilities,
  });
  const parent = lane('hss_image_vulnerabilities')?.firstLoad ?? 0;
  expect(first_load_ms).toBe(((parent + vulnerabilities) / 600) * 60_000);
  expect(text).toMatch(/^The first load takes about \d+ s; rows can be queried as they come\.$/m);
  expect(text).toContain('Some streams have never been read');
});

test('after the first load the plan sends no request and mentions no first load', async () => {
  const { sandbox, runAll } = await startEngine(database, SIZES);
  await runAll();
  sandbox.requests.clear();
  const { lane, first_load_ms, text } = await planned(sandbox.url);
  expect(sandbox.requests.count()).toBe(0);
  expect(first_load_ms).toBeNull();
  expect(lane('hss_cluster_events')).toMatchObject({ rows: 900, neverRead: false, problems: [] });
  expect(text).not.toMatch(/first load takes|never read|full cycle/);
  const slow = await planned(sandbox.url, { requestsPerMinute: 1 });
  expect(slow.text).toMatch(
    /^hss_image_vulnerability_operations: \d+ lists in turn, the one read longest ago first; a full cycle takes \d+ min\.$/m,
  );
});

test('if the API does not respond, the plan states that the size is unknown, and why', async () => {
  const { lane, first_load_ms, text } = await planned('http://127.0.0.1:9', { code: 1 });
  expect(first_load_ms).toBeNull();
  expect(lane('hss_cluster_events')?.problems).toEqual([expect.stringContaining('ECONNREFUSED')]);
  expect(text).toMatch(/^hss_protected_clusters, .*hss_cluster_events.*, size unknown: .*ECONNREFUSED/m);
});

test('if the credentials are refused, the plan asks once and says so once', async () => {
  const sandbox = await startSandbox(SIZES);
  onTestFinished(() => sandbox.close());
  const { text } = await planned(sandbox.url, { code: 1, secretKey: 'wrong' });
  expect(sandbox.requests.count()).toBe(1);
  expect(text).toMatch(/^hss_protected_clusters, .*, dbss_alarms, size unknown: .*refused the credentials/m);
  expect(text.match(/refused the credentials/g)).toHaveLength(1);
  expect(text).not.toMatch(/requests\/h|current counts/);
});

test('a project whose lists have no answer does not hide the plan of the others', async () => {
  const sandbox = await startSandbox(SIZES);
  onTestFinished(() => sandbox.close());
  const { lane, text } = await planned(sandbox.url, { projects: [DEMO_PROJECT.id, 'f'.repeat(32)] });
  expect(lane('hss_cluster_events')).toMatchObject({ rows: 900, problems: [expect.any(String)] });
  expect(text).toMatch(/requests\/h/);
  expect(text).toMatch(/hss_cluster_events, .*size unknown: /);
});
