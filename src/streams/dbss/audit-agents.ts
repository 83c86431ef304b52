import { wholePaging } from '../../core/stream/endpoint.ts';
import { flag, int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditDatabases } from './audit-databases.ts';

export const dbssAuditAgents = defineStream({
  name: 'dbss_audit_agents',
  about: 'Agents that send the traffic of the databases to the audit instances, and whether they work.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditAgentNew.html',
  group: 'dbss',
  onByDefault: false,
  endpoint: {
    service: 'dbss',
    method: 'GET',
    paths: ['/v3/{project_id}/audit/{instance_id}/agents'],
    enterpriseProjects: false,
  },
  paging: wholePaging({ list: 'agents' }),
  parent: childOf(dbssAuditDatabases, { instance_id: 'instance_id', db_id: 'id' }),
  order: [fixed('agent_id')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 6 * 3_600_000,
  table: {
    schema: dbss,
    name: 'audit_agents',
    key: ['instance_id', 'db_id', 'agent_id'],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      db_id: text('Id of the database, from the request.', { max: 64, optional: true }),
      agent_id: text('Id of the agent.'),
      agent_type: text('Where it runs: on the database, or on an application.', { values: ['DB', 'APP'] }),
      agent_os: text('Operating system it runs on.'),
      agent_ip: text('IP address of the node it runs on.'),
      mem_threshold: int('Memory threshold; the unit is not documented.'),
      cpu_threshold: int('CPU threshold; the unit is not documented.'),
      status: int('Whether it is on: 1 on, 0 off.', { min: 0, max: 1 }),
      agent_nic: text('Network interface that it listens on.'),
      db_name: text('Name of the database.'),
      datacap_status: int('State of the capture: 1 running, 2 sleeping, 3 stopped, 4 faulty.', { min: 1, max: 4 }),
      agent_url: text('Address from which it is installed.'),
      universal: flag('Whether it runs in a CCE cluster.'),
      sha256: text('SHA-256 of its program.'),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditAgents);
