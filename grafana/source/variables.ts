import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { ALL, chosen, DATASOURCE_TYPE, DATASOURCE_UID, datasource, inScope } from './sql.ts';

type Variable = Builder<VariableModel>;

const dataSource: Variable = new DatasourceVariableBuilder('datasource')
  .label('Data source')
  .type(DATASOURCE_TYPE)
  .current({ text: DATASOURCE_UID, value: DATASOURCE_UID });

function choice(name: string, label: string, sql: string, refresh = VariableRefresh.OnDashboardLoad): Variable {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(sql)
    .definition(sql)
    .refresh(refresh)
    .multi(true)
    .includeAll(true)
    .allValue(ALL)
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

const account = choice('account', 'Account', 'select distinct account from bi.stream_freshness order by 1');
const region = choice(
  'region',
  'Region',
  `select distinct region from bi.stream_freshness where ${chosen('account', 'account')} order by 1`,
);
const project = choice(
  'project',
  'Project',
  `select distinct project_id from bi.stream_freshness where ${chosen('account', 'account')} and ${chosen('region', 'region')} order by 1`,
);

/** On every dashboard. */
export const scopeVariables: readonly Variable[] = [dataSource, account, region, project];

/** Clusters, namespaces and policies with events in the chosen time range. */
function ofEvents(name: string, label: string, column: string): Variable {
  return choice(
    name,
    label,
    `select distinct ${column} from bi.cluster_events where $__timeFilter(event_time) and ${inScope} order by 1`,
    VariableRefresh.OnTimeRangeChanged,
  );
}

export const eventVariables: readonly Variable[] = [
  ofEvents('cluster', 'Cluster', 'cluster_name'),
  ofEvents('namespace', 'Namespace', 'namespace'),
  ofEvents('policy', 'Policy', 'policy_name'),
];

export const severityVariable: Variable = choice(
  'severity',
  'Severity',
  `select severity from bi.image_vulnerabilities where ${inScope} group by severity order by min(severity_rank)`,
);

/** Severities of findings on hosts. */
export const hostSeverityVariable: Variable = choice(
  'severity',
  'Severity',
  `select severity from bi.host_vulnerabilities where ${inScope} group by severity order by min(severity_rank)`,
);

/** Hosts with findings. */
export const hostVariable: Variable = choice(
  'host',
  'Host',
  `select distinct host_name from bi.host_vulnerabilities where ${inScope} order by 1`,
);

export const standardVariable: Variable = choice(
  'standard',
  'Standard',
  `select distinct standard_text from bi.baseline_rules where ${inScope} order by 1`,
);

export const groupVariable: Variable = choice(
  'group',
  'Server group',
  `select distinct group_name from bi.hosts where ${inScope} order by 1`,
);

export const userVariable: Variable = choice(
  'user',
  'Handled by',
  `select distinct user_name from bi.image_vulnerability_operations where $__timeFilter(operation_time) and ${inScope} order by 1`,
  VariableRefresh.OnTimeRangeChanged,
);

export const streamVariable: Variable = choice(
  'stream',
  'Stream',
  `select distinct stream from bi.stream_freshness where ${inScope} order by 1`,
);
