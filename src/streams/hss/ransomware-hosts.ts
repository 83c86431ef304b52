import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { AGENT_STATUS, BACKUP_FIELDS, EDITIONS, OS_TYPE, RISK_COUNT } from './host-fields.ts';

const PROTECTION = ['closed', 'opened', 'opening', 'closing', 'protect_failed', 'protect_degraded'];
const FAILURES =
  'driver_load_failed protect_interrupted decoy_deploy_totally_failed decoy_deploy_partially_failed'.split(' ');

export const hssRansomwareHosts = defineStream({
  name: 'hss_ransomware_hosts',
  about: 'Hosts and their protection against ransomware: decoys, backups, and the vault that holds the backups.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListRansomwareProtectionNodes.html',
  group: 'ransomware',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/ransomware/servers'],
    query: { last_days: '30' }, // the longest; without it events of one day are counted
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('host_id')],
  history: true,
  schedule: '*/15 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'ransomware_hosts',
    key: ['host_id'],
    fields: {
      host_id: text('Id of the host, as in the other tables about hosts.', { max: 128 }),
      host_name: text('Name of the host.', { max: 128 }),
      enterprise_project_id: text('Enterprise project of the host; 0 is the default one.', { max: 128 }),
      host_ip: text('Elastic IP address; empty without one.', { max: 128 }),
      private_ip: text('Private IP address.', { max: 128 }),
      os_type: text('Linux or Windows.', { values: OS_TYPE }),
      os_name: text('Operating system.', { max: 128 }),
      host_status: text('State of the machine.', { values: ['ACTIVE', 'SHUTOFF'] }),
      host_source: text('Whether it is a cloud server, a machine outside of the cloud, or a cloud desktop.', {
        values: ['ecs', 'outside', 'workspace'],
      }),
      version: text('Edition that protects it; hss.version.null for none.', { values: EDITIONS }),
      protect_status: text('Whether the protection of the host is enabled.', { values: ['closed', 'opened'] }),
      agent_id: text('Id of its agent; empty without one.', { max: 128 }),
      agent_status: text('State of the agent.', { values: AGENT_STATUS }),
      agent_version: text('Version of the agent.', { max: 128 }),
      group_id: text('Id of the server group it is in.', { max: 128 }),
      group_name: text('Server group it is in.', { max: 128 }),
      ransom_protection_status: text('State of the protection against ransomware.', { values: PROTECTION }),
      ransom_protection_fail_reason: text('Why the protection failed, completely or partly.', { values: FAILURES }),
      failed_decoy_dir: text('Folders where no decoy could be placed.', { max: 512 }),
      protect_policy_id: text('Id of the policy that protects it.', { max: 128 }),
      protect_policy_name: text('Name of the policy that protects it.', { max: 128 }),
      count_protect_event: int('Number of events in the last 30 days.', RISK_COUNT),
      ...BACKUP_FIELDS,
    },
  },
});

export const { table, history } = drizzleTables(hssRansomwareHosts);
