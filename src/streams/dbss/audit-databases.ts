import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, json, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

export const dbssAuditDatabases = defineStream({
  name: 'dbss_audit_databases',
  about: 'Databases registered in the audit instances, and whether each is audited.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditDatabasesNew.html',
  group: 'dbss',
  onByDefault: false,
  endpoint: {
    service: 'dbss',
    method: 'GET',
    paths: ['/v2/{project_id}/audit/{instance_id}/databases'],
    enterpriseProjects: false,
  },
  paging: offsetPaging({ list: 'databases', item: 'database', total: 'total', limit: 1000 }),
  parent: childOf(dbssAuditInstances, { instance_id: 'instance_id' }),
  order: [fixed('id')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: dbss,
    name: 'audit_databases',
    key: ['instance_id', 'id'],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      id: text('Id of the database.'),
      name: text('Name of the database.'),
      type: text('Product of the database.', {
        values: [
          'MYSQL',
          'ORACLE',
          'POSTGRESQL',
          'SQLSERVER',
          'DAMENG',
          'TAURUS',
          'DWS',
          'KINGBASE',
          'GAUSSDBOPENGAUSS',
          'GREENPLUM',
          'HIGHGO',
          'SHENTONG',
          'GBASE8A',
          'GBASE8S',
          'GBASEXDM',
          'MONGODB',
          'DDS',
        ],
      }),
      version: text('Version of the database.'),
      charset: text('Its character set.', { values: ['GBK', 'UTF8'] }),
      ip: text('Its IP address.'),
      port: text('Its port.'),
      os: text('Operating system it runs on.'),
      status: text('Whether its audit is enabled.', { values: ['ON', 'OFF'] }),
      instance_name: text('Name of the database instance.'),
      audit_status: text('State of the database.', { values: ['ACTIVE', 'SHUTOFF', 'ERROR'] }),
      agent_url: json('Ids of its agents: a list of texts.'),
      db_classification: text('Whether it is a managed database (RDS) or one that runs on a host (ECS).', {
        values: ['RDS', 'ECS'],
      }),
      rds_audit_switch_mismatch: flag('Whether the audit is on while the managed database uploads no logs.'),
      rds_id: text('Id of the managed database.'),
      rds_obj_info: text('Details of the managed database.'),
      dws_obj_info: text('Details of the data warehouse.'),
      clouddb_obj_info: text('Details of the cloud database; no longer filled.', { optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditDatabases);
