import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardJson, dashboards } from '../../grafana/source/index.ts';
import { TABLE_QUESTIONS } from '../../src/cli/catalogue/markdown.ts';
import { QUESTIONS } from '../../src/cli/catalogue/questions.ts';
import { CLOCK_PATH, testNow } from '../support/clock.ts';
import { fillWithDemo } from '../support/demo-database.ts';
import { alertFile, type DashboardFile, dashboardFile, expand, relativeTime, type View } from '../support/grafana.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'grafana');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');
const files = readdirSync(join(FOLDER, 'dashboards')).sort();
const all = files.map((file) => dashboardFile.parse(JSON.parse(read(`dashboards/${file}`))));

/** Panels that are good news when they are empty, and that a healthy estate leaves empty. */
const MEANT_TO_BE_EMPTY = [
  'Runs that proved less than completeness',
  'Rejected records, by reason',
  'Where the API differs from its documents',
];

const database = await createTestDatabase();
const unread = await createTestDatabase();
const { reader } = await createRoles(database);

/** As Grafana's role, and without a search path: a query must say `bi.` itself. */
async function ask<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
  await fillWithDemo(database);
  const client = await reader.connect();
  try {
    await client.query(`set search_path = ${CLOCK_PATH}`);
    return await work(client);
  } finally {
    await client.query('reset search_path');
    client.release();
  }
}

function viewOf({ time, templating }: DashboardFile, values: Readonly<Record<string, string>> = {}): View {
  const now = new Date(testNow());
  const everything = templating.list.map(({ name, allValue }) => [name, allValue ?? "''"]);
  const variables = { ...Object.fromEntries(everything), ...values };
  return { from: relativeTime(time.from, now), to: relativeTime(time.to, now), interval: '1h', variables };
}

describe('over a database without data', () => {
  const numbers = all
    .filter(({ uid }) => uid !== 'security-sync-health')
    .flatMap((dashboard) =>
      dashboard.panels.flatMap(({ type, title, targets = [] }) =>
        type === 'stat' ? targets.map(({ rawSql }) => [dashboard.title, title, { dashboard, rawSql }] as const) : [],
      ),
    );

  it.each(numbers)(
    'dashboard %s has no number, and no green zero, in panel "%s"',
    async (_, _title, { dashboard, rawSql }) => {
      const { rows } = await unread.pool.query<Record<string, unknown>>(expand(rawSql, viewOf(dashboard)));
      expect(rows.flatMap((row) => Object.values(row)).filter((value) => value !== null)).toEqual([]);
    },
  );
});

it('shows data after two readings of a generated estate', () => fillWithDemo(database), 180_000);

it('the committed dashboards equal their source (npm run grafana:generate)', () => {
  const made = dashboards();
  expect(files).toEqual([...made.keys()].map((name) => `${name}.json`).sort());
  for (const [name, dashboard] of made) expect(read(`dashboards/${name}.json`), name).toBe(dashboardJson(dashboard));
});

it('has dashboards with fixed uids', () => {
  expect(all.map(({ uid }) => uid).sort()).toEqual([
    'security-sync-cluster-events',
    'security-sync-compliance',
    'security-sync-health',
    'security-sync-hosts',
    'security-sync-image-vulnerabilities',
    'security-sync-overview',
    'security-sync-vulnerabilities',
  ]);
});

describe.each(all.map((dashboard) => [dashboard.title, dashboard] as const))('%s', (_, dashboard) => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  const queries = panels.flatMap(({ title, targets = [] }) => targets.map((target) => [title, target] as const));
  const variables = dashboard.templating.list.filter(({ type }) => type === 'query');

  it('queries only the schema bi', () => {
    for (const sql of [...queries.map(([, { rawSql }]) => rawSql), ...variables.map(({ query }) => query)]) {
      const tables = [...sql.matchAll(/\b(?:from|join)\s+(?!lateral|\()([\w.]+)/g)].map(([, name]) => name);
      expect(tables.length, sql).toBeGreaterThan(0);
      for (const name of tables) expect(name, sql).toMatch(/^bi\.\w+$/);
    }
  });

  it('starts with completeness and age of the data', () => {
    expect(panels[0]?.targets?.[0]?.rawSql).toMatch(/as_of, [\s\S]*certificate_text[\s\S]*from bi\.stream_freshness/);
  });

  it('numbers its panels, fills its rows, and has a text for every empty panel', () => {
    expect(dashboard.panels.map(({ id }) => id)).toEqual(dashboard.panels.map((_panel, index) => index + 1));
    for (const { title, gridPos, fieldConfig } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      expect(fieldConfig?.defaults.noValue, title).toBeTruthy();
    }
  });

  it.each(queries)('%s', async (title, { rawSql, format }) => {
    const { rows, fields } = await ask((client) => client.query(expand(rawSql, viewOf(dashboard))));
    const empty = rows.length === 0 || rows.every((row: object) => Object.values(row).every((value) => value === null));
    expect(empty, rawSql).toBe(MEANT_TO_BE_EMPTY.includes(title));
    if (format === 'time_series') expect(fields[0]?.name).toBe('time');
  });

  it.each(variables.map((variable) => [variable.name, variable] as const))(
    'lists values of $%s',
    async (name, { query }) => {
      await ask(async (client) => {
        const { rows } = await client.query<Record<string, string | null>>(expand(query, viewOf(dashboard)));
        const values = rows.flatMap((row) => Object.values(row));
        expect(values.length).toBeGreaterThan(0);
        expect(values).not.toContain(null);
        // One value, chosen: every panel still understands its query.
        const chosen = {
          [name]: values
            .slice(0, 2)
            .map((value) => `'${value?.replaceAll("'", "''")}'`)
            .join(','),
        };
        for (const [, { rawSql }] of queries) await client.query(expand(rawSql, viewOf(dashboard, chosen)));
      });
    },
  );

  it('links only to dashboards and variables that exist', () => {
    const paths = [
      ...JSON.stringify(dashboardJson(dashboards().get(nameOf(dashboard)) ?? expect.unreachable())).matchAll(
        /\/d\/([\w-]+)\?([^"\\]*)/g,
      ),
    ];
    for (const [path, uid, query = ''] of paths) {
      const target = all.find((each) => each.uid === uid);
      expect(target, path).toBeDefined();
      for (const [, name] of query.matchAll(/var-(\w+)=/g)) {
        expect(
          target?.templating.list.map((variable) => variable.name),
          path,
        ).toContain(name);
      }
    }
  });
});

function nameOf({ title }: DashboardFile): string {
  const index = all.findIndex((each) => each.title === title);
  return files[index]?.replace('.json', '') ?? '';
}

it('counts the events of a time that begins within an hour, and no fewer than are open', async () => {
  const dashboard = all.find(({ uid }) => uid === 'security-sync-cluster-events') ?? expect.unreachable();
  await ask(async (client) => {
    const { rows } = await client.query<{ create_time: Date }>(
      `select create_time from bi.open_cluster_events
        where extract(minute from create_time) > 30 order by create_time desc limit 1`,
    );
    const event = rows[0]?.create_time.getTime() ?? expect.unreachable();
    // Within one hour: no hour begins between the two.
    const view = { ...viewOf(dashboard), from: new Date(event - 25 * 60_000), to: new Date(event) };
    const numberOf = async (title: string) => {
      const sql = dashboard.panels.find((panel) => panel.title === title)?.targets?.[0]?.rawSql ?? expect.unreachable();
      return Number(Object.values((await client.query(expand(sql, view))).rows[0])[0]);
    };
    const open = await numberOf('Still open');
    expect(open).toBeGreaterThan(0);
    expect(await numberOf('Events')).toBeGreaterThanOrEqual(open);
  });
});

describe('the first day of a chosen time', () => {
  it('is in the chart of handled vulnerabilities, whose days begin before the time does', async () => {
    const dashboard = all.find(({ uid }) => uid === 'security-sync-image-vulnerabilities') ?? expect.unreachable();
    const panel = dashboard.panels.find(({ title }) => title === 'How vulnerabilities were handled');
    await ask(async (client) => {
      const { rows } = await client.query<{ time: Date }>(
        'select operation_time as time from bi.image_vulnerability_operations order by 1 desc limit 1',
      );
      const last = rows[0]?.time ?? expect.unreachable();
      const view = { ...viewOf(dashboard), from: new Date(last.getTime() - 1), to: new Date(last.getTime() + 1) };
      const { rows: bars } = await client.query<{ operations: string }>(
        expand(panel?.targets?.[0]?.rawSql ?? expect.unreachable(), view),
      );
      expect(bars.reduce((sum, { operations }) => sum + Number(operations), 0)).toBeGreaterThan(0);
    });
  });
});

describe('alert rules', () => {
  const { groups } = alertFile.parse(parse(read('provisioning/alerting/security-sync.yaml')));
  const rules = groups.flatMap((group) => group.rules);

  it('cover outages, staleness, incompleteness, rejects, throttling, drift and events, each on a panel that exists', () => {
    expect(rules.map(({ labels }) => labels.about)).toEqual([
      'outage',
      'freshness',
      'completeness',
      'rejects',
      'quota',
      'drift',
      'events',
    ]);
    expect(new Set(rules.map(({ uid }) => uid)).size).toBe(rules.length);
    // Panels are numbered in their order: one more panel moves those behind it.
    const panels = rules.map(
      ({ dashboardUid, panelId }) =>
        all.find(({ uid }) => uid === dashboardUid)?.panels.find(({ id }) => id === panelId)?.title,
    );
    expect(panels).toEqual([
      'Is the data complete, and how old is it?',
      'Is the data complete, and how old is it?',
      'Is the data complete, and how old is it?',
      'Rejected records',
      'Throttled',
      'Where the API differs from its documents',
      'Open events, the oldest first',
    ]);
  });

  it.each(rules.map((rule) => [rule.title, rule] as const))(
    '%s',
    async (_, { condition, data: [query, threshold] }) => {
      expect(condition).toBe(threshold.refId);
      expect(threshold.model.expression).toBe(query.refId);
      expect(query.model.rawSql).not.toMatch(/\b(hss|dbss|sync)\./);
      const { rows, fields } = await ask((client) => client.query<Record<string, unknown>>(query.model.rawSql));
      const numbers = fields.filter(({ dataTypeID }) => [20, 21, 23, 700, 701, 1700].includes(dataTypeID));
      expect(numbers).toHaveLength(1);
      // The other columns become labels: texts, and no two alerts with the same ones.
      expect(fields.filter((field) => !numbers.includes(field)).every(({ dataTypeID }) => dataTypeID === 25)).toBe(
        true,
      );
      const labels = rows.map((row) => JSON.stringify({ ...row, [numbers[0]?.name ?? '']: null }));
      expect(new Set(labels).size).toBe(rows.length);
    },
  );
});

it('sets up the data source that dashboards and rules name', () => {
  const file = parse(read('provisioning/datasources/security-sync.yaml'));
  expect(file.datasources).toMatchObject([{ uid: 'security-sync', type: 'grafana-postgresql-datasource' }]);
});

/** Of docs/tables.md; here because the demo is in this database. */
const catalogue = [['bi', QUESTIONS] as const, ...Object.entries(TABLE_QUESTIONS)];

describe.each(catalogue)('the questions of docs/tables.md about %s', (_, questions) => {
  it.each(questions.map(({ ask, sql }) => [ask, sql]))('the demo has an answer to "%s"', async (_ask, sql) => {
    await fillWithDemo(database);
    expect((await reader.query(sql)).rowCount).toBeGreaterThan(0);
  });
});
