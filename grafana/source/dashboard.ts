import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';

const TAG = 'security-sync';

/** Must not change: links, bookmarks and alert rules use them. */
export const UID = {
  overview: 'security-sync-overview',
  events: 'security-sync-cluster-events',
  vulnerabilities: 'security-sync-image-vulnerabilities',
  hosts: 'security-sync-hosts',
  hostVulnerabilities: 'security-sync-vulnerabilities',
  compliance: 'security-sync-compliance',
  health: 'security-sync-health',
} as const;

interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly from: string;
  readonly variables: readonly Builder<VariableModel>[];
  /** Rows of panels; each row fills the 24 columns. A title adds a header row. */
  readonly rows: readonly { readonly title?: string; readonly panels: readonly Builder<Panel>[] }[];
}

export function dashboard({ uid, title, about, from, variables, rows }: DashboardPlan): DashboardBuilder {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags([TAG])
    .time({ from, to: 'now' })
    .refresh('1m')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('Security dashboards')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .includeVars(true)
        .keepTime(true),
    )
    .variables([...variables]);
  for (const row of rows) {
    if (row.title !== undefined) builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  // Alert rules and shared links refer to panel ids, which follow the order of the panels.
  builder.build().panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return builder;
}

/** A link to another dashboard with the same time range and scope, and further variables if given. */
export function pathTo(uid: string, variables: Readonly<Record<string, string>> = {}): string {
  const kept = ['account', 'region', 'project'].map((name) => `$\{${name}:queryparam}`);
  const more = Object.entries(variables).map(([name, value]) => `var-${name}=${value}`);
  return `/d/${uid}?$\{__url_time_range}&${[...kept, ...more].join('&')}`;
}

/** A field of the clicked row, encoded for a path. */
export function field(name: string): string {
  return `$\{__data.fields["${name}"]:percentencode}`;
}
