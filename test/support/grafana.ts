import { z } from 'zod';

/** What a query sees of Grafana: the chosen time and the values of the variables. */
export interface View {
  readonly from: Date;
  readonly to: Date;
  readonly interval: string;
  /** Text that stands for each variable: quoted values, separated by commas. */
  readonly variables: Readonly<Record<string, string>>;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

function seconds(interval: string): number {
  const [, count, unit = ''] = /^(\d+)([smhdw])$/.exec(interval) ?? [];
  const size = UNIT_SECONDS[unit];
  if (size === undefined) throw new Error(`error parsing interval ${interval}`);
  return Number(count) * size;
}

/**
 * A query as Grafana sends it to Postgres: first the variables, which its web page puts in, then the macros, which its
 * PostgreSQL data source expands the same way: a name after `$` with everything up to the next closing parenthesis.
 */
export function expand(sql: string, view: View): string {
  const interpolated = sql
    .replaceAll('$__interval', view.interval)
    .replaceAll(/\$(?:\{(\w+)\}|(?!__)(\w+))/g, (text, braced: string | undefined, plain: string | undefined) => {
      const value = view.variables[braced ?? plain ?? ''];
      if (value === undefined) throw new Error(`no variable ${text}`);
      return value;
    });
  return interpolated.replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (_, name: string, list: string) =>
    macro(
      name,
      list.split(',').map((each) => each.replace(/^ +| +$/g, '')),
      view,
    ),
  );
}

function macro(name: string, [column = '', interval = '', ...rest]: readonly string[], view: View): string {
  const [from, to] = [view.from.toISOString(), view.to.toISOString()];
  if (name === '__timeFilter') return `${column} BETWEEN '${from}' AND '${to}'`;
  if (name === '__timeFrom') return `'${from}'`;
  if (name === '__timeTo') return `'${to}'`;
  if (name !== '__timeGroup' && name !== '__timeGroupAlias') throw new Error(`unknown macro ${name}`);
  if (interval === '' || rest.length > 1)
    throw new Error(`macro ${name} needs time column and interval and optional fill value`);
  const width = seconds(interval.replaceAll("'", ''));
  const group = `floor(extract(epoch from ${column})/${width})*${width}`;
  return name === '__timeGroup' ? group : `${group} AS "time"`;
}

/** `now`, `now-6h`, `now-30d`. */
export function relativeTime(text: string, now: Date): Date {
  const [, interval] = /^now(?:-(\w+))?$/.exec(text) ?? [];
  return interval === undefined ? now : new Date(now.getTime() - seconds(interval) * 1000);
}

/** What the tests need of a dashboard, read from its file. */
export const dashboardFile = z.object({
  uid: z.string(),
  title: z.string(),
  tags: z.array(z.string()),
  schemaVersion: z.number(),
  time: z.object({ from: z.string(), to: z.string() }),
  templating: z.object({
    list: z.array(
      z.object({
        name: z.string(),
        type: z.enum(['query', 'datasource']),
        query: z.string(),
        allValue: z.string().optional(),
        multi: z.boolean().optional(),
      }),
    ),
  }),
  panels: z.array(
    z.object({
      id: z.number(),
      type: z.enum(['stat', 'table', 'timeseries', 'barchart', 'row']),
      title: z.string(),
      interval: z.string().optional(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      fieldConfig: z
        .object({ defaults: z.looseObject({ noValue: z.string().optional() }), overrides: z.array(z.unknown()) })
        .optional(),
      targets: z
        .array(z.object({ refId: z.string(), rawSql: z.string(), format: z.enum(['table', 'time_series']) }))
        .optional(),
    }),
  ),
});

export type DashboardFile = z.infer<typeof dashboardFile>;

/** The parts of an alert rule that its file must have. */
export const alertFile = z.object({
  apiVersion: z.literal(1),
  groups: z.array(
    z.object({
      name: z.string(),
      folder: z.string(),
      interval: z.string(),
      rules: z.array(
        z.object({
          uid: z.string(),
          title: z.string(),
          condition: z.string(),
          dashboardUid: z.string(),
          panelId: z.number(),
          for: z.string().regex(/^\d+[smh]$/),
          noDataState: z.enum(['NoData', 'Alerting', 'OK']),
          execErrState: z.enum(['Error', 'Alerting', 'OK']),
          labels: z.object({ severity: z.enum(['info', 'warning', 'critical']), about: z.string() }),
          annotations: z.object({ summary: z.string(), description: z.string() }),
          data: z.tuple([
            z.object({
              refId: z.string(),
              datasourceUid: z.literal('security-sync'),
              model: z.looseObject({ rawSql: z.string() }),
            }),
            z.object({
              refId: z.string(),
              datasourceUid: z.literal('__expr__'),
              model: z.looseObject({ type: z.literal('threshold'), expression: z.string() }),
            }),
          ]),
        }),
      ),
    }),
  ),
});
