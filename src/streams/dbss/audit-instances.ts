import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

const LIST = '{project_id}/audit/instances';
const STATUS = ['SHUTOFF', 'ACTIVE', 'DELETING', 'BUILD', 'DELETED', 'ERROR', 'HAWAIT', 'FROZEN', 'UPGRADING'];
const SCENES = ['POLICE', 'ILLEGAL', 'VERIFY', 'PARTNER', 'ARREARS'];
const TASKS = ['powering-on', 'powering-off', 'rebooting', 'delete_wait', 'NO_TASK'];
/** Not every generation of the list has it. */
const optional = true;

export const dbssAuditInstances = defineStream({
  name: 'dbss_audit_instances',
  about: 'Database audit instances of the project.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditInstancesLast.html',
  group: 'dbss',
  endpoint: {
    service: 'dbss',
    method: 'GET',
    // Three generations coexist; regions that lack the newest answer it with 404.
    paths: [`/v2/${LIST}`, `/v1/${LIST}`, '/v1/{project_id}/dbss/audit/instances'],
    enterpriseProjects: false,
  },
  paging: offsetPaging({ list: ['instances', 'servers'], total: 'total', limit: 100 }),
  order: [fixed('instance_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: dbss,
    name: 'audit_instances',
    key: ['instance_id'],
    fields: {
      instance_id: text('Id of the audit instance.', { also: ['id'] }),
      name: text('Name of the instance.', { also: ['instance_name'] }),
      status: text('State of the instance, such as ACTIVE or FROZEN.', { values: STATUS }),
      task: text('Task running on the instance; NO_TASK if none is.', { values: TASKS, optional }),
      version: text('Version of the instance.', { optional }),
      new_version: text('Version it can be upgraded to, if any.', { optional }),
      created: text('When the instance was created, as the API writes it.', { optional }),
      expired: text('When it expires, as the API writes it.', { optional }),
      remain_days: text('Days until it expires.', { volatile: true, optional }),
      keep_days: text('Days until it expires; in the previous generation, days online.', { volatile: true, optional }),
      charge_model: text('Billing: by Period (subscription) or on Demand.', { values: ['Period', 'Demand'], optional }),
      effect: int('Why it is frozen: 1 may be released, 2 may not be, 3 may not be renewed.', {
        min: 1,
        max: 3,
        optional,
      }),
      config_num: int('Number of databases it is configured to audit.', { optional }),
      database_limit: int('Number of databases it may audit.', { optional }),
      cpu: int('Number of CPUs.', { optional }),
      ram: int('Memory.', { optional }),
      specification: text('Size of the instance.', { optional }),
      resource_spec_code: text('Code of its specification.', { optional }),
      resource_id: text('Id of the resource that is billed.', { optional }),
      scene: text('Cause of freezing: police, illegal use, identity, partner, arrears.', { values: SCENES, optional }),
      timezone: text('Time zone of the instance and of its reports; one generation of the list has it.', { optional }),
      supported_feature: json('Features it supports: a list of texts.', { optional }),
      binding_db_type: text('Kind of databases it is bound to.', { optional }),
      failed_reason: text('Why its creation failed.', { optional }),
      upgrade_log: text('Log of its last upgrade.', { optional }),
      comment: text('Remark.', { optional }),
      zone: text('Availability zone.', { optional }),
      connect_ip: text('IPv4 address.', { optional }),
      connect_ipv6: text('IPv6 address.', { optional }),
      port_id: text('Port of its elastic IP.', { optional }),
      vpc_id: text('VPC it is in.', { optional }),
      subnet_id: text('Subnet it is in.', { optional }),
      security_group_id: text('Its security group.', { optional }),
      enterprise_project_id: text('Enterprise project of the instance.', { optional }),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditInstances);
