import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server/server.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { dashboardFile, expand, type View } from '../support/grafana.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** The two published events, which have no `create_time`: they are in every view, panel and drop-down about events. */

const FOLDER = join(import.meta.dirname, '..', '..', 'grafana', 'dashboards');
const dashboards = readdirSync(FOLDER).map((file) =>
  dashboardFile.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))),
);
const { pool, url } = await createTestDatabase();

test('the published responses are read completely', async () => {
  const sandbox = await startSandbox({ examples: true, eventsDocument: 'zh' });
  const cwd = await directoryFor({ sandbox, databaseUrl: url });
  const { code } = await runCli(['sync', '--json'], { cwd });
  await sandbox.close();
  expect(code).toBe(0);
});

function dashboardOf(uid: string) {
  return dashboards.find((one) => one.uid === uid) ?? expect.unreachable();
}

function viewOf(uid: string): View {
  const everything = dashboardOf(uid).templating.list.map(({ name, allValue }) => [name, allValue ?? "''"]);
  const [from, to] = [new Date('2023-01-01T00:00:00Z'), new Date('2024-01-01T00:00:00Z')];
  return { from, to, interval: '1h', variables: Object.fromEntries(everything) };
}

async function panelRows(uid: string, title: string): Promise<readonly Record<string, unknown>[]> {
  const panel = dashboardOf(uid).panels.find((one) => one.title === title) ?? expect.unreachable();
  const sql = panel.targets?.[0]?.rawSql ?? expect.unreachable();
  return (await pool.query<Record<string, unknown>>(expand(sql, viewOf(uid)))).rows;
}

const EVENTS = 'security-sync-cluster-events';
const OVERVIEW = 'security-sync-overview';

describe('both published events without a create_time', () => {
  test.each([
    ['bi.cluster_events', 'count(*)'],
    ['bi.open_cluster_events', 'count(*)'],
    ['bi.cluster_events_hourly', 'sum(events)'],
    ['bi.cluster_events_hourly', 'sum(open_events)'],
  ])('are in %s: %s', async (view, sum) => {
    const { rows } = await pool.query<{ n: number }>(`select ${sum}::int as n from ${view}`);
    expect(rows).toEqual([{ n: 2 }]);
  });

  test.each([
    [EVENTS, 'Events', '*'],
    [EVENTS, 'Still open', '*'],
    [EVENTS, 'Events by policy', 'events'],
    [EVENTS, 'Events by cluster', 'events'],
    [EVENTS, 'Which policy fires most, and where', 'events'],
    [EVENTS, 'Namespaces with most events', 'open'],
    [OVERVIEW, 'Open events', '*'],
    [OVERVIEW, 'Events by what the policy did', 'events'],
    [OVERVIEW, 'Policies that fire most', 'open'],
  ])('are counted on dashboard %s in panel "%s"', async (uid, title, column) => {
    const rows = await panelRows(uid, title);
    const counts = rows.map((row) => Number(column === '*' ? Object.values(row)[0] : row[column]));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  test.each(['Open events, the oldest first', 'Events'])('are rows of the table "%s", with a time', async (title) => {
    const panel = dashboardOf(EVENTS).panels.findLast((one) => one.title === title) ?? expect.unreachable();
    const { rows } = await pool.query(expand(panel.targets?.[0]?.rawSql ?? '', viewOf(EVENTS)));
    const expected = { event_time: new Date('2023-09-19T03:35:00.324Z'), policy_name: 'lbytest-warn' };
    expect(rows).toMatchObject([expected, expected]);
  });

  test.each([
    ['cluster', ['44753d6c-415e-11ee-834b-0255ac1001b2']],
    ['namespace', ['default', 'test-lby']],
    ['policy', ['lbytest-warn']],
  ])('fill the drop-down $%s', async (name, values) => {
    const variable = dashboardOf(EVENTS).templating.list.find((one) => one.name === name) ?? expect.unreachable();
    const { rows } = await pool.query<Record<string, string>>(expand(variable.query, viewOf(EVENTS)));
    expect(rows.flatMap((row) => Object.values(row))).toEqual(values);
  });
});

test('no published response differs from the documents', async () => {
  const { rows } = await pool.query('select stream, field, kind, sample from bi.sync_drift');
  expect(rows).toEqual([]);
});
