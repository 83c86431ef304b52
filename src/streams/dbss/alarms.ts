import { pagePaging } from '../../core/stream/endpoint.ts';
import { flag, text, zonelessTime } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { timeWindow } from '../../core/stream/time.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

const TYPES =
  'RISK_RULE RISK_CPU RISK_MEMORY RISK_DISK RISK_DISK_CAPACITY RISK_BACKUP AUDIT_QPS_OVERFLOW RISK_AGENT AUDIT_BACKUP_FAILED';

export const dbssAlarms = defineStream({
  name: 'dbss_alarms',
  about:
    'Alarms of the database audit instances: findings of their rules in the databases, and problems of the instances.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditAlarmLogNew.html',
  group: 'dbss',
  endpoint: {
    service: 'dbss',
    method: 'POST',
    // The older generation writes some members in camelCase; regions without the newer one answer it with 404.
    paths: ['/v2/{project_id}/audit/{instance_id}/alarm-log', '/v1/{project_id}/{instance_id}/audit/alarm-log'],
    enterpriseProjects: false,
  },
  paging: pagePaging({ list: 'alarm_log', total: 'total_num' }),
  parent: childOf(dbssAuditInstances, { instance_id: 'instance_id' }),
  window: timeWindow({
    begin: 'time.start_time',
    end: 'time.end_time',
    in: 'body',
    unit: 'text',
    column: 'alarm_time',
  }),
  order: [fixed('alarm_time'), fixed('id')],
  history: true,
  schedule: '* * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 10 * 60_000,
  table: {
    schema: dbss,
    name: 'alarms',
    key: ['instance_id', 'id'],
    indexes: [['alarm_time']],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      id: text('Id of the alarm.'),
      alarm_time: zonelessTime('When the alarm occurred.'),
      alarm_fix_time: zonelessTime('When its cause ended; null while it lasts.'),
      alarm_life: text('Whether its cause lasts: ON, or OFF.', { values: ['ON', 'OFF'] }),
      alarm_status: text('Whether it was confirmed: DONE, or UNDO.', { values: ['DONE', 'UNDO'] }),
      alarm_type: text('Subject of the alarm: a rule, or a resource of the instance.', { values: TYPES.split(' ') }),
      alarm_risk: text('Severity.', { values: ['LOW', 'MEDIUM', 'HIGH'] }),
      alarm_description: text('What happened.'),
      send_email: flag('Whether an e-mail was sent.'),
    },
  },
});

export const { table, history } = drizzleTables(dbssAlarms);
