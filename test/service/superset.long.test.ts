import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { openBrowser } from '../support/chromium.ts';
import { fillWithDemo } from '../support/demo-database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';
import { type Superset, startSuperset } from '../support/superset.ts';

/** A BI client that is in use in many places, as the reader: what it asks of `bi` by itself, and what it shows of the answers. */

const ROW_LIMIT = 1_000;
const database = await createTestDatabase();
const { reader } = await createRoles(database);

const answerOf = z.object({
  result: z.array(
    z.object({ data: z.array(z.record(z.string(), z.unknown())), colnames: z.array(z.string()), error: z.null() }),
  ),
});
const described = z.object({ result: z.object({ columns: z.array(z.object({ column_name: z.string() })) }) });

interface Chart {
  readonly id: number;
  readonly view: string;
  readonly columns: readonly string[];
}

/** A chart that lists a view, with every column that Superset finds in it. */
async function chartOf(superset: Superset, databaseId: number, view: string): Promise<Chart> {
  const dataset = await superset.make('dataset', { database: databaseId, schema: 'bi', table_name: view });
  const { result } = described.parse(await superset.ask('GET', `dataset/${dataset}`));
  const columns = result.columns.map(({ column_name: name }) => name);
  const form = { datasource: `${dataset}__table`, viz_type: 'table', query_mode: 'raw', all_columns: columns };
  const id = await superset.make('chart', {
    slice_name: view,
    viz_type: 'table',
    datasource_id: dataset,
    datasource_type: 'table',
    params: JSON.stringify({ ...form, row_limit: ROW_LIMIT }),
    query_context: JSON.stringify({
      datasource: { id: dataset, type: 'table' },
      force: true,
      queries: [{ columns, filters: [], orderby: [], row_limit: ROW_LIMIT }],
      form_data: form,
      result_format: 'json',
      result_type: 'full',
    }),
  });
  return { id, view, columns };
}

/** A dashboard with one chart below the other. */
async function dashboardOf(superset: Superset, charts: readonly Chart[]): Promise<number> {
  const rows = charts.map(({ id, view }) => ({ id, view, row: `ROW-${id}`, chart: `CHART-${id}` }));
  const grid = ['ROOT_ID', 'GRID_ID'];
  const dashboard = await superset.make('dashboard', {
    dashboard_title: 'Security',
    published: true,
    position_json: JSON.stringify({
      DASHBOARD_VERSION_KEY: 'v2',
      ROOT_ID: { id: 'ROOT_ID', type: 'ROOT', children: ['GRID_ID'] },
      GRID_ID: { id: 'GRID_ID', type: 'GRID', parents: ['ROOT_ID'], children: rows.map(({ row }) => row) },
      HEADER_ID: { id: 'HEADER_ID', type: 'HEADER', meta: { text: 'Security' } },
      ...Object.fromEntries(
        rows.flatMap(({ id, view, row, chart }) => [
          [
            row,
            { id: row, type: 'ROW', parents: grid, children: [chart], meta: { background: 'BACKGROUND_TRANSPARENT' } },
          ],
          [
            chart,
            {
              id: chart,
              type: 'CHART',
              parents: [...grid, row],
              children: [],
              meta: { chartId: id, sliceName: view, width: 12, height: 40 },
            },
          ],
        ]),
      ),
    }),
  });
  for (const { id } of charts) await superset.ask('PUT', `chart/${id}`, { dashboards: [dashboard] });
  return dashboard;
}

async function signedIn(superset: Superset): Promise<Page> {
  const browser = await openBrowser();
  const page = await browser.newPage({ viewport: { width: 1600, height: 2400 } });
  // Its pages ask for fonts elsewhere.
  await page.route(
    (url) => url.origin !== superset.url,
    (route) => route.abort(),
  );
  await page.request.post(`${superset.url}/login/`, { form: superset.user });
  return page;
}

test('Apache Superset reads every view of bi as the reader, and shows a dashboard of them', async () => {
  await fillWithDemo(database);
  const { rows } = await reader.query<{ name: string }>(
    "select viewname as name from pg_views where schemaname = 'bi' order by 1",
  );
  expect(rows.length).toBeGreaterThan(15);
  const superset = await startSuperset();
  const uri = new URL(reader.options.connectionString ?? '');
  uri.protocol = 'postgresql+psycopg2';
  const databaseId = await superset.make('database', { database_name: 'security-sync', sqlalchemy_uri: uri.href });

  const charts: Chart[] = [];
  for (const { name } of rows) {
    const chart = await chartOf(superset, databaseId, name);
    charts.push(chart);
    const [answer] = answerOf.parse(await superset.ask('GET', `chart/${chart.id}/data/`)).result;
    const { fields } = await reader.query(`select * from bi.${name} limit 0`);
    const own = await reader.query(`select least(count(*), ${ROW_LIMIT})::int as n from bi.${name}`);
    expect({ view: name, rows: answer?.data.length, columns: answer?.colnames }).toEqual({
      view: name,
      rows: own.rows[0]?.n,
      columns: fields.map((field) => field.name),
    });
  }

  const shown = ['cluster_risk', 'host_risk', 'audit_report_jobs'];
  const dashboard = await dashboardOf(
    superset,
    charts.filter(({ view }) => shown.includes(view)),
  );
  const page = await signedIn(superset);
  await page.goto(`${superset.url}/superset/dashboard/${dashboard}/?standalone=1`);
  const drawn = page.locator('.superset-chart-table');
  await expect.poll(() => drawn.count(), { timeout: 180_000 }).toBe(shown.length);
  for (const [sql, what] of [
    ['select min(cluster_name) as text from bi.cluster_risk', 'a cluster'],
    ['select max(instance_name) as text from bi.audit_report_jobs', 'an audit instance'],
  ] as const) {
    const text = String((await reader.query(sql)).rows[0]?.text);
    await expect.poll(() => page.getByText(text).count(), { timeout: 60_000, message: what }).toBeGreaterThan(0);
  }
  expect(await page.locator('.ant-alert-error, [data-test="error-alert"]').count()).toBe(0);
  if (process.env.SCREENSHOTS !== undefined)
    await page.screenshot({ path: join(process.env.SCREENSHOTS, 'superset.png') });
});
