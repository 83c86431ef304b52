import { pagePaging } from '../../core/stream/endpoint.ts';
import { text, zonelessTime } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

export const dbssAuditOperationLogs = defineStream({
  name: 'dbss_audit_operation_logs',
  about: 'Operations of users on the audit instances themselves: who, when, what, and the result.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditOperateLogsNew.html',
  group: 'dbss',
  onByDefault: false,
  endpoint: {
    service: 'dbss',
    method: 'POST',
    paths: ['/v1/{project_id}/audit/{instance_id}/operation-log'],
    enterpriseProjects: false,
  },
  paging: pagePaging({ list: 'operate_log', total: 'total_num', asText: true }),
  parent: childOf(dbssAuditInstances, { instance_id: 'instance_id' }, { timeZone: 'timezone' }),
  window: timeWindow({
    begin: 'time.start_time',
    end: 'time.end_time',
    in: 'body',
    unit: 'text',
    column: 'time',
  }),
  order: [fixed('time'), fixed('id')],
  appendOnly: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: dbss,
    name: 'audit_operation_logs',
    key: ['instance_id', 'id'],
    indexes: [['time']],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      id: text('Id of the entry.'),
      user: text('Who did it.'),
      time: zonelessTime('When it was done.'),
      action: text('What was done.', { values: ['create', 'update', 'delete', 'download'] }),
      function: text('Module of the service.'),
      name: text('Object of the operation.'),
      description: text('Details of the operation.'),
      result: text('Whether it succeeded.', { values: ['success', 'fail'] }),
    },
  },
});

export const { table } = drizzleTables(dbssAuditOperationLogs);
