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

/** A variable whose values come from a query. */
interface Choice {
  readonly name: string;
  readonly label: string;
  readonly sql: string;
  readonly refresh?: VariableRefresh;
}

function choice({ name, label, sql, refresh = VariableRefresh.OnDashboardLoad }: Choice): Variable {
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

const account = choice({
  name: 'account',
  label: 'Account',
  sql: 'select distinct account from bi.stream_freshness order by 1',
});
const region = choice({
  name: 'region',
  label: 'Region',
  sql: `select distinct region from bi.stream_freshness where ${chosen('account', 'account')} order by 1`,
});
const project = choice({
  name: 'project',
  label: 'Project',
  sql: `select distinct project_id from bi.stream_freshness where ${chosen('account', 'account')} and ${chosen('region', 'region')} order by 1`,
});

/** On every dashboard. */
export const scopeVariables: readonly Variable[] = [dataSource, account, region, project];

/** Clusters, namespaces and policies with events in the chosen time range. */
function ofEvents(name: string, label: string, column: string): Variable {
  return choice({
    name,
    label,
    sql: `select distinct ${column} from bi.cluster_events where $__timeFilter(event_time) and ${inScope} order by 1`,
    refresh: VariableRefresh.OnTimeRangeChanged,
  });
}

export const eventVariables: readonly Variable[] = [
  ofEvents('cluster', 'Cluster', 'cluster_name'),
  ofEvents('namespace', 'Namespace', 'namespace'),
  ofEvents('policy', 'Policy', 'policy_name'),
];

export const severityVariable: Variable = choice({
  name: 'severity',
  label: 'Severity',
  sql: `select severity from bi.image_vulnerabilities where ${inScope} group by severity order by min(severity_rank)`,
});

/** Severities of findings on hosts. */
export const hostSeverityVariable: Variable = choice({
  name: 'severity',
  label: 'Severity',
  sql: `select severity from bi.host_vulnerabilities where ${inScope} group by severity order by min(severity_rank)`,
});

/** Hosts with findings. */
export const hostVariable: Variable = choice({
  name: 'host',
  label: 'Host',
  sql: `select distinct host_name from bi.host_vulnerabilities where ${inScope} order by 1`,
});

export const standardVariable: Variable = choice({
  name: 'standard',
  label: 'Standard',
  sql: `select distinct standard_text from bi.baseline_rules where ${inScope} order by 1`,
});

export const groupVariable: Variable = choice({
  name: 'group',
  label: 'Server group',
  sql: `select distinct group_name from bi.hosts where ${inScope} order by 1`,
});

export const userVariable: Variable = choice({
  name: 'user',
  label: 'Handled by',
  sql: `select distinct user_name from bi.image_vulnerability_operations where $__timeFilter(operation_time) and ${inScope} order by 1`,
  refresh: VariableRefresh.OnTimeRangeChanged,
});

export const streamVariable: Variable = choice({
  name: 'stream',
  label: 'Stream',
  sql: `select distinct stream from bi.stream_freshness where ${inScope} order by 1`,
});
