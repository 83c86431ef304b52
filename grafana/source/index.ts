import type { Dashboard, DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { clusterEvents } from './cluster-events.ts';
import { compliance } from './compliance.ts';
import { hosts } from './hosts.ts';
import { imageVulnerabilities } from './image-vulnerabilities.ts';
import { overview } from './overview.ts';
import { syncHealth } from './sync-health.ts';
import { vulnerabilities } from './vulnerabilities.ts';

/** File name without extension -> dashboard. */
const DASHBOARDS: Readonly<Record<string, () => DashboardBuilder>> = {
  overview,
  'cluster-events': clusterEvents,
  'image-vulnerabilities': imageVulnerabilities,
  hosts,
  vulnerabilities,
  compliance,
  'sync-health': syncHealth,
};

/** The dashboards as Grafana reads them from files. */
export function dashboards(): ReadonlyMap<string, Dashboard> {
  return new Map(Object.entries(DASHBOARDS).map(([name, make]) => [name, make().build()]));
}

/** The content of a file in `grafana/dashboards`. */
export function dashboardJson(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
