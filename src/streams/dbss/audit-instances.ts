import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { dbss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

const STATUS = ['SHUTOFF', 'ACTIVE', 'DELETING', 'BUILD', 'DELETED', 'ERROR', 'HAWAIT', 'FROZEN', 'UPGRADING'];

const TASKS = ['powering-on', 'powering-off', 'rebooting', 'delete_wait', 'NO_TASK'];

export const dbssAuditInstances = defineStream({
  name: 'dbss_audit_instances',
  about: 'Database audit instances of the project.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditInstancesLast.html',
  group: 'dbss',
  endpoint: {
    service: 'dbss',
    method: 'GET',
    // Three generations coexist; regions that lack the newest answer it with 404.
    paths: [
      '/v2/{project_id}/audit/instances',
      '/v1/{project_id}/audit/instances',
      '/v1/{project_id}/dbss/audit/instances',
    ],
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
      task: text('Task running on the instance; NO_TASK if none is.', { values: TASKS, optional: true }),
      version: text('Version of the instance.', { optional: true }),
      new_version: text('Version it can be upgraded to, if any.', { optional: true }),
      created: text('When the instance was created, as the API writes it.', { optional: true }),
      expired: text('When it expires, as the API writes it.', { optional: true }),
      remain_days: text('Days until it expires.', { volatile: true, optional: true }),
      keep_days: text('Days until it expires; in the previous generation of the list, days it has been online.', {
        volatile: true,
        optional: true,
      }),
      charge_model: text('Billing: Period for subscriptions, Demand for pay per use.', {
        values: ['Period', 'Demand'],
        optional: true,
      }),
      effect: int('Why it is frozen: 1 may be released, 2 may not be released, 3 may not be renewed.', {
        min: 1,
        max: 3,
        optional: true,
      }),
      config_num: int('Number of databases it is configured to audit.', { optional: true }),
      database_limit: int('Number of databases it may audit.', { optional: true }),
      cpu: int('Number of CPUs.', { optional: true }),
      ram: int('Memory.', { optional: true }),
      specification: text('Size of the instance.', { optional: true }),
      resource_spec_code: text('Code of its specification.', { optional: true }),
      resource_id: text('Id of the resource that is billed.', { optional: true }),
      scene: text('Why it is frozen: police request, illegal use, missing identity check, partner, or arrears.', {
        values: ['POLICE', 'ILLEGAL', 'VERIFY', 'PARTNER', 'ARREARS'],
        optional: true,
      }),
      timezone: text(
        'Time zone of the instance and of the times in its reports; only one generation of the list has it.',
        {
          optional: true,
        },
      ),
      supported_feature: json('Features it supports: a list of texts.', { optional: true }),
      binding_db_type: text('Kind of databases it is bound to.', { optional: true }),
      failed_reason: text('Why its creation failed.', { optional: true }),
      upgrade_log: text('Log of its last upgrade.', { optional: true }),
      comment: text('Remark.', { optional: true }),
      zone: text('Availability zone.', { optional: true }),
      connect_ip: text('IPv4 address.', { optional: true }),
      connect_ipv6: text('IPv6 address.', { optional: true }),
      port_id: text('Port of its elastic IP.', { optional: true }),
      vpc_id: text('VPC it is in.', { optional: true }),
      subnet_id: text('Subnet it is in.', { optional: true }),
      security_group_id: text('Its security group.', { optional: true }),
      enterprise_project_id: text('Enterprise project of the instance.', { optional: true }),
    },
  },
});

export const { table, history } = dbssAuditInstances;
