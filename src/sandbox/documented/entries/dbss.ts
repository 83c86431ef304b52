import { list, type Setting } from '../entry.ts';
import { timeText } from '../values.ts';

const WINDOW = { from: 'body.time.start_time', to: 'body.time.end_time', last: 'body.time.time_range' };

const fixedNow: Setting = ({ time }) => timeText(time, 'dbss');

/** Lists of database audit other than reports. */
export const AUDIT_LISTS = [
  list('ListAuditAlarmLogNew', {
    rows: { per: 'instances', times: 60 },
    key: ['instance_id', 'id'],
    fixed: { member: 'alarm_time', days: 30 },
    set: { alarm_status: 'UNDO', alarm_life: 'ON', alarm_fix_time: '' },
    handled: { alarm_status: 'DONE', alarm_life: 'OFF', alarm_fix_time: fixedNow },
    window: WINDOW,
    changes: { add: 3, handle: 2 },
  }),
  list('ListAuditDatabasesNew', {
    rows: { per: 'databases' },
    key: ['instance_id', 'id'],
    set: { id: ({ bag }) => bag.db_id, name: ({ bag }) => bag.db_name, status: 'ON', audit_status: 'ACTIVE' },
  }),
  list('ListAuditOperateLogsNew', {
    rows: { per: 'instances', times: 50, with: ['people'] },
    key: ['instance_id', 'id'],
    fixed: { member: 'time', days: 30 },
    window: WINDOW,
    changes: { add: 1 },
  }),
  list('ListAuditRuleRisksNew', {
    rows: { per: 'instances', times: 12 },
    key: ['instance_id', 'id'],
  }),
  list('ListAuditSummaryInfos', {
    rows: { per: 'instances' },
    key: ['id'],
    moving: { member: 'update_time', days: 1 },
    set: { status: '1' },
  }),
  list('ListAuditAgentNew', {
    rows: { per: 'databases' },
    key: ['instance_id', 'db_id', 'agent_id'],
    set: { status: 1, datacap_status: 1 },
  }),
];
