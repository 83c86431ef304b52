import { from, list, nothing, now } from '../entry.ts';

const OPEN = { handle_status: 'unhandled', handle_time: 0, handle_method: nothing, handler: nothing } as const;

/** Alarms, how they were handled, and their results. */
export const ALARM_LISTS = [
  list('ListSecurityEvents', {
    rows: { times: 400, with: ['hosts'] },
    key: ['event_id'],
    fixed: { member: 'occur_time', days: 30 },
    asked: { category: ['host', 'host', 'host', 'container'] },
    set: OPEN,
    handled: {
      handle_status: 'handled',
      handle_time: now,
      handle_method: ['mark_as_handled', 'ignore', 'isolate_and_kill'],
    },
    window: { from: 'begin_time', to: 'end_time', last: 'last_days' },
    changes: { add: 5, handle: 3 },
  }),
  list('ListEventHandleHistory', {
    rows: { times: 200, with: ['hosts', 'people'] },
    key: ['host_name', 'handle_time', 'event_class_id'],
    fixed: { member: 'handle_time', days: 60 },
    set: { handle_status: 'handled', event_type: [3002, 4004, 4006] },
    sortedBy: 'desc',
    changes: { add: 1 },
  }),
  list('ListBlockedIp', {
    rows: { times: 60, with: ['hosts'] },
    key: ['host_id', 'src_ip', 'login_type', 'block_time'],
    moving: { member: 'latest_time', days: 20 },
    fixed: { member: 'block_time', days: 30 },
    window: { from: '', to: '', last: 'last_days' },
  }),
  list('ListIsolatedFile', {
    rows: { times: 50, with: ['hosts'] },
    key: ['host_id', 'file_hash', 'file_path'],
    moving: { member: 'update_time', days: 30 },
    window: { from: 'begin_time', to: 'end_time', last: 'last_days' },
  }),
  list('ListRaspEvents', {
    rows: { times: 90, with: ['hosts'] },
    key: ['host_name', 'alarm_time', 'req_src_ip', 'req_url'],
    fixed: { member: 'alarm_time', days: 60 },
    set: { req_method: ['GET', 'POST'], req_protocol: 'HTTP/1.1', req_src_ip: '198.51.100.7' },
    window: { from: 'start_time', to: 'end_time' },
    changes: { add: 1 },
  }),
  list('ListFileEvents', {
    rows: { times: 200, with: ['hosts'] },
    key: ['id'],
    moving: { member: 'latest_time', days: 60 },
    set: {
      status: ['trust', 'untrust', 'unknown'],
      change_type: ['file', 'file', 'registry'],
      change_category: ['modify', 'add', 'delete'],
    },
    window: { from: 'begin_time', to: 'end_time' },
  }),
  list('ListAppWhitelistEvent', {
    rows: { times: 80, with: ['hosts'] },
    key: ['event_id'],
    fixed: { member: 'occur_time', days: 30 },
    set: { handle_status: 'unhandled', handle_time: 0, handle_method: nothing },
    handled: { handle_status: 'handled', handle_time: now, handle_method: ['mark_as_trust', 'mark_as_suspicious'] },
    window: { from: 'begin_time', to: 'end_time', last: 'last_days' },
    changes: { add: 2, handle: 1 },
  }),
  list('ListAlarmWhiteList', {
    rows: { times: 14 },
    key: ['hash', 'event_type'],
    moving: { member: 'update_time', days: 90 },
  }),
  list('ListAntiVirusResult', {
    rows: { times: 110, with: ['hosts'] },
    key: ['result_id'],
    fixed: { member: 'occur_time', days: 60 },
    set: { handle_status: 'unhandled', handle_method: nothing, malware_type: ['Trojan', 'Virus', 'Worm'] },
    handled: { handle_status: 'handled', handle_method: ['isolate_and_kill', 'ignore'] },
    changes: { add: 3, handle: 2 },
  }),
  list('ListAntivirusHandleHistory', {
    rows: {
      parent: {
        operation: 'ListAntiVirusResult',
        take: ['result_id', 'malware_name', 'malware_type', 'host_name', 'private_ip', 'public_ip', 'asset_value'],
      },
      with: ['people'],
    },
    key: ['result_id', 'handle_time'],
    fixed: { member: 'handle_time', days: 30 },
    set: { handle_status: 'handled', malware_type: from('malware_type') },
    changes: { add: 1 },
  }),
];
