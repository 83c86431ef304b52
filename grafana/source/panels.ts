import { PanelBuilder as BarChartBuilder } from '@grafana/grafana-foundation-sdk/barchart';
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type DynamicConfigValue,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { datasource, SqlQuery } from './sql.ts';

export interface PanelPlan {
  readonly title: string;
  readonly about?: string;
  readonly sql: string;
  /** Width in columns, of 24. */
  readonly width: number;
  readonly height: number;
  readonly unit?: string;
  /** The text of an empty panel. */
  readonly empty: string;
}

/** Green below the first number, then orange, and red from the second; with a single number, red from that. */
export function limits(...numbers: readonly number[]): readonly Threshold[] {
  const colors = numbers.length === 1 ? ['red'] : ['orange', 'red'];
  return [
    { value: null, color: 'green' },
    ...numbers.map((value, index) => ({ value, color: colors[index] ?? 'red' })),
  ];
}

const thresholds = (steps: readonly Threshold[]) =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps]);

/** A single number: the first field of the first row. */
export function stat(
  plan: PanelPlan & { readonly limits?: readonly Threshold[]; readonly link?: string },
): StatBuilder {
  const panel = new StatBuilder()
    .title(plan.title)
    .description(plan.about ?? '')
    .datasource(datasource)
    .withTarget(new SqlQuery(plan.sql))
    .span(plan.width)
    .height(plan.height)
    .noValue(plan.empty)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false).fields('/.*/'))
    .graphMode(BigValueGraphMode.None)
    .colorMode(plan.limits === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
    .thresholds(thresholds(plan.limits ?? [{ value: null, color: 'text' }]));
  if (plan.unit !== undefined) panel.unit(plan.unit);
  if (plan.link !== undefined) panel.dataLinks([link('Show them', plan.link)]);
  return panel;
}

/** A table; `fields` sets the appearance of columns. */
export function table(plan: PanelPlan & { readonly fields?: Readonly<Record<string, readonly Look[]>> }): TableBuilder {
  const panel = new TableBuilder()
    .title(plan.title)
    .description(plan.about ?? '')
    .datasource(datasource)
    .withTarget(new SqlQuery(plan.sql))
    .span(plan.width)
    .height(plan.height)
    .noValue(plan.empty)
    .filterable(true);
  for (const [name, looks] of Object.entries(plan.fields ?? {})) panel.overrideByName(name, [...looks]);
  return panel;
}

/** Columns `time`, `metric` and a number; stacked bars for counts, else lines. */
export function series(plan: PanelPlan & { readonly bars: boolean; readonly minInterval?: string }): TimeSeriesBuilder {
  return new TimeSeriesBuilder()
    .title(plan.title)
    .description(plan.about ?? '')
    .datasource(datasource)
    .withTarget(new SqlQuery(plan.sql, 'time_series'))
    .span(plan.width)
    .height(plan.height)
    .noValue(plan.empty)
    .unit(plan.unit ?? 'short')
    .min(0)
    .interval(plan.minInterval ?? '1h')
    .drawStyle(plan.bars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .fillOpacity(plan.bars ? 80 : 10)
    .lineWidth(1)
    .showPoints(VisibilityMode.Auto)
    .spanNulls(!plan.bars)
    .stacking(new StackingConfigBuilder().mode(plan.bars ? StackingMode.Normal : StackingMode.None).group('A'))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
}

/** Horizontal bars: a name and one or more numbers for each row. */
export function bars(plan: PanelPlan & { readonly name: string }): BarChartBuilder {
  return new BarChartBuilder()
    .title(plan.title)
    .description(plan.about ?? '')
    .datasource(datasource)
    .withTarget(new SqlQuery(plan.sql))
    .span(plan.width)
    .height(plan.height)
    .noValue(plan.empty)
    .unit(plan.unit ?? 'short')
    .min(0)
    .xField(plan.name)
    .orientation(VizOrientation.Horizontal)
    .stacking(StackingMode.Normal)
    .fillOpacity(80)
    .showValue(VisibilityMode.Auto)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    );
}

/** The appearance of a column: a property of Grafana's field configuration. */
type Look = DynamicConfigValue;

export const inUnit = (unit: string): Look => ({ id: 'unit', value: unit });
export const named = (name: string): Look => ({ id: 'displayName', value: name });
export const leadsTo = (title: string, url: string): Look => ({ id: 'links', value: [{ title, url }] });

/** Text with a background color per value. */
export const colored = (colors: Readonly<Record<string, string>>): readonly Look[] => [
  { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } },
  {
    id: 'mappings',
    value: [
      {
        type: 'value',
        options: Object.fromEntries(Object.entries(colors).map(([text, color], index) => [text, { color, index }])),
      },
    ],
  },
];

export const SEVERITY_COLORS = { Critical: 'dark-red', High: 'red', Medium: 'orange', Low: 'yellow' } as const;

export function link(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url);
}
