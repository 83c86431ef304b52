import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { AGENT_FIELDS, ASSET_VALUE, HOST_FIELDS, RISK_COUNT, SYSTEM_FIELDS } from './host-fields.ts';

const SWITCHED = ['closed', 'opened', 'opening', 'closing'];
/** Absent in the published example. */
const optional = true;

export const hssHosts = defineStream({
  name: 'hss_hosts',
  about: 'Every host the service knows, in the cloud or outside: its agent, protection and number of findings.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListHostStatus.html',
  group: 'hosts',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/host-management/hosts'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // The API can only sort by the number of risks, which rises and falls.
  order: [fixed('host_id')],
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 15 * 60_000,
  table: {
    schema: hss,
    name: 'hosts',
    key: ['host_id'],
    fields: {
      ...HOST_FIELDS,
      ...AGENT_FIELDS,
      ...SYSTEM_FIELDS,
      protect_status: text('State of the protection.', { values: ['closed', 'opened', 'protection_exception'] }),
      interrupt_reason: text('Why the protection is interrupted.', { max: 32, optional }),
      open_time: instant('When the protection was enabled.', { optional }),
      ransom_protection_status: text('State of the ransomware protection.', {
        values: [...SWITCHED, 'protect_failed', 'protect_degraded'],
        optional,
      }),
      wtp_protect_status: text('State of the web tamper protection.', {
        values: [...SWITCHED, 'open_failed', 'partial_protection', 'protection_pause'],
        optional,
      }),
      two_factor_auth: flag('Whether logins need a second factor.', { optional }),
      baseline: int('Number of failed configuration checks and weak passwords.', RISK_COUNT),
      charging_mode: text('Billing: packet_cycle for subscriptions.', { values: ['packet_cycle', 'on_demand'] }),
      expire_time: instant('When the trial of the protection ends; null if it is not a trial.'),
      auto_open_version: text('Edition purchased with the cluster node.', { max: 32, optional }),
      asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
      labels: json('Labels: a list of texts.'),
      group_id: text('Id of the server group.', { max: 128 }),
      enterprise_project_id: text('Enterprise project it is in.', { max: 256 }),
      outside_host: flag('Whether it runs outside of Huawei Cloud.'),
      host_sources: text('Where it comes from: an ECS, a workspace, or outside.', {
        values: ['ecs', 'outside', 'workspace'],
        optional,
      }),
      service_provider_name: text('Its cloud provider.', { max: 128, optional }),
      data_center_tag: text('Its data centre.', { max: 128, optional }),
      vpc_id: text('VPC it is in.', { max: 128, optional }),
      cluster_id: text('Id of the cluster of which it is a node.', { max: 128, optional }),
      cluster_name: text('Name of that cluster.', { max: 128, optional }),
      container_type: int('1 if containers can run on it, else 0.', { min: 0, max: 1, optional }),
      node_runtime_info: json('Container runtimes, with version and storage drivers.', { optional }),
      key_name: text('Name of the key pair for logins.', { max: 32, optional }),
      common_login_area_codes: json('Codes of the usual login locations.', { optional }),
      mode: text('Resource limit of the agent: default, set manually, or adaptive.', { optional }),
      cpu_limit: text('Most CPU the agent may use.', { max: 32, optional }),
      mem_limit: text('Most memory the agent may use.', { max: 32, optional }),
    },
  },
});

export const { table, history } = drizzleTables(hssHosts);
