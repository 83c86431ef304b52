import { hostColumns } from './hosts.ts';
import {
  daysSince,
  decoded,
  hoursSince,
  listedColumns,
  minutesBetween,
  projectJoin,
  scopeColumns,
  severityColumns,
  type View,
} from './view.ts';
import { ALARM_HANDLING, ATTACK, HANDLE_STATUS, ISOLATED } from './words.ts';

/** Alarms have one value more than other findings. */
const alarmSeverity = (sql: string) => {
  const columns = severityColumns(sql);
  return {
    ...columns,
    severity: [
      `coalesce(nullif(${sql}, ''), 'Unknown')`,
      'Severity: Critical, High, Medium, Low, Security (no risk) or Unknown.',
    ] as const,
  };
};

/** Both published answers have the time; an alarm without it is dated when it was first read. */
const alarmTime = (prefix: string) => `coalesce(${prefix}occur_time, ${prefix}_first_seen_at)`;
const ALARM_TIME = alarmTime('a.');
const IS_OPEN = "a.handle_status IS DISTINCT FROM 'handled' AND a._deleted_at IS NULL";

/** As the API dates it, else the end of the last version that was open; of an alarm that was never seen open it is not known. */
const HANDLED_AT = `CASE WHEN a.handle_status = 'handled' THEN coalesce(a.handle_time, (
    SELECT max(p._valid_to) FROM hss.alarms_history p
    WHERE p.project_id = a.project_id AND p.category = a.category AND p.event_id = a.event_id AND p.handle_status IS DISTINCT FROM 'handled'
  )) END`;

const alarms: View = {
  name: 'alarms',
  about:
    'Alarms about hosts and containers, one row each, with the time until they were handled. Those that the API no longer lists stay. Filter on alarm_time.',
  columns: {
    ...scopeColumns('a'),
    event_id: ['a.event_id', 'Id of the alarm.'],
    category: ['a.category', 'What it is about: host or container.'],
    alarm_time: [
      ALARM_TIME,
      'When it occurred, or where the API does not say that, when the service first read it. Filter on this column: it is indexed.',
    ],
    alarm_name: ['a.event_name', 'Name of the alarm.'],
    alarm_class: ['a.event_class_id', 'Class of the alarm.'],
    ...alarmSeverity('a.severity'),
    ...decoded('attack_tag', ['a.attack_tag', 'What it shows'], ATTACK),
    attack_phase: ['a.attack_phase', 'Phase of the attack.'],
    times: ['a.event_count', 'Number of times that it occurred.'],
    ...decoded('handle_status', ['a.handle_status', 'Whether it was handled'], HANDLE_STATUS),
    is_open: [IS_OPEN, 'Whether it is not handled yet, and still listed.'],
    age_hours: [
      `CASE WHEN ${IS_OPEN} THEN ${hoursSince(ALARM_TIME)} END`,
      'Hours since an open alarm occurred; null for others.',
    ],
    handled_at: [HANDLED_AT, 'When it was handled; null for one that is not, and where that is not known.'],
    minutes: [minutesBetween(ALARM_TIME, HANDLED_AT), 'Minutes from the alarm to its handling.'],
    ...decoded('handle_method', ['a.handle_method', 'How it was handled'], ALARM_HANDLING),
    ...hostColumns('a'),
    private_ip: ['a.private_ip', 'Private IP address of the host.'],
    asset_value: ['a.asset_value', 'How important the host is: important, common or test.'],
    container_name: ["nullif(a.container_name, '')", 'Name of the container; null for none.'],
    what_happened: [
      "coalesce(nullif(a.event_abstract, ''), nullif(a.description, ''))",
      'What happened, or what such an alarm means.',
    ],
    recommendation: ["nullif(a.recommendation, '')", 'What to do about it.'],
    ...listedColumns('a'),
  },
  from: `FROM hss.alarms a\n${projectJoin('a')}`,
};

/** A record without the time of handling is dated when it was first read. */
const handlingTime = (prefix: string) => `coalesce(${prefix}handle_time, ${prefix}_first_seen_at)`;

const alarmOperations: View = {
  name: 'alarm_operations',
  about: 'How alarms were handled: by whom, when, and how long after. Filter on operation_time.',
  columns: {
    ...scopeColumns('o'),
    operation_key: ['o.operation_key', 'Identity of the operation, computed from its content.'],
    operation_time: [
      handlingTime('o.'),
      'When it was handled, or where the API does not say that, when the service first read it. Filter on this column: it is indexed.',
    ],
    user_name: ["coalesce(nullif(o.user_name, ''), '(unknown)')", 'Who handled it.'],
    ...decoded('operation', ['o.operate_type', 'What was done, or taken back'], ALARM_HANDLING),
    ...decoded('handle_status', ['o.handle_status', 'State of the alarm after that'], HANDLE_STATUS),
    remark: ['o.notes', 'Remark of the person who handled it.'],
    alarm_name: ['o.event_name', 'Name of the alarm.'],
    alarm_class: ['o.event_class_id', 'Class of the alarm.'],
    ...alarmSeverity('o.severity'),
    ...decoded('attack_tag', ['o.attack_tag', 'What the alarm shows'], ATTACK),
    alarm_time: ['o.occur_time', 'When the alarm occurred.'],
    minutes: [
      minutesBetween('o.occur_time', 'o.handle_time'),
      'Minutes from the alarm to this operation; null where the API does not date one of them.',
    ],
    host_name: ["coalesce(nullif(o.host_name, ''), '(unknown)')", 'Name of the host.'],
    private_ip: ['o.private_ip', 'Private IP address of the host.'],
    asset_value: ['o.asset_value', 'How important the host is: important, common or test.'],
    ...listedColumns('o'),
  },
  from: `FROM hss.alarm_operations o\n${projectJoin('o')}`,
};

const foundTime = 'coalesce(m.occur_time, m._first_seen_at)';

const malware: View = {
  name: 'malware',
  about: 'Malware that virus scans found on hosts: one row a finding. Those that the API no longer lists stay.',
  columns: {
    ...scopeColumns('m'),
    result_id: ['m.result_id', 'Id of the finding.'],
    found_at: [foundTime, 'When it was found, or where the API does not say that, first read.'],
    age_days: [daysSince(foundTime), 'Days since it was found.'],
    malware_name: ['m.malware_name', 'Name of the malware.'],
    malware_type: ['m.malware_type', 'Kind of malware, such as Trojan, Virus or Worm.'],
    ...severityColumns('m.severity'),
    ...decoded('handle_status', ['m.handle_status', 'Whether it was dealt with'], HANDLE_STATUS),
    is_open: [
      "m.handle_status IS DISTINCT FROM 'handled' AND m._deleted_at IS NULL",
      'Whether it is not dealt with yet, and still listed.',
    ],
    ...decoded('handle_method', ['m.handle_method', 'What was done about it'], ALARM_HANDLING),
    ...decoded('isolated', ['m.isolate_tag', 'Whether the file was isolated'], ISOLATED),
    host_id: ['m.resource_info_host_id', 'Id of the host.'],
    host_name: [
      "coalesce(nullif(m.resource_info_host_name, ''), m.resource_info_host_id, '(unknown)')",
      'Name of the host, or its id.',
    ],
    private_ip: ['m.resource_info_private_ip', 'Private IP address of the host.'],
    asset_value: ['m.resource_info_asset_value', 'How important the host is: important, common or test.'],
    file_path: ['m.file_info_file_path', 'Path of the file.'],
    file_hash: ['m.file_info_file_hash', 'SHA-256 of the file.'],
    ...listedColumns('m'),
  },
  from: `FROM hss.antivirus_results m\n${projectJoin('m')}`,
};

export const ALARM_VIEWS: readonly View[] = [alarms, alarmOperations, malware];

export const ALARM_INDEXES: Readonly<Record<string, string>> = {
  alarms_time_idx: `hss.alarms (project_id, (${alarmTime('')}))`,
  alarm_operations_time_idx: `hss.alarm_operations (project_id, (${handlingTime('')}))`,
};
