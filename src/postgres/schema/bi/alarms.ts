import { hostColumns } from './hosts.ts';
import {
  daysSince,
  decoded,
  enterpriseProjectColumns,
  enterpriseProjectJoin,
  hoursSince,
  inWords,
  listedColumns,
  minutesBetween,
  projectJoin,
  scopeColumns,
  severityColumns,
  startOf,
  type View,
  type ViewColumns,
} from './view.ts';
import { ACTION, ALARM_HANDLING, ATTACK, HANDLE_STATUS, ISOLATED } from './words.ts';

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

/** As dated by the API, otherwise the end of the last open version; null for an alarm that was never seen open. */
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

/** The API gives these events no severity. The reaction of the policy is the closest substitute. */
const CRITICAL = "coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun')";

/**
 * Time of an event, never null. Both published examples omit the creation time; then the last change replaces it,
 * limited to the time at which the service first read the event, because it moves when the event is handled.
 */
function eventTime(prefix: string): string {
  return `coalesce(${prefix}create_time, least(${prefix}update_time, ${prefix}_first_seen_at))`;
}

const EVENT_TIME = eventTime('e.');
const EVENT_TIME_ABOUT =
  'When the event happened: its creation, or where the API does not say that, its last change or when the service first read it, whichever was first. Filter on this column: it is indexed.';
const OPEN = "e.handle_status IS DISTINCT FROM 'handled'";

const where: ViewColumns = {
  cluster_id: ['e.cluster_id', 'Id of the cluster.'],
  cluster_name: ["coalesce(nullif(e.cluster_name, ''), e.cluster_id, '(unknown)')", 'Name of the cluster, or its id.'],
  namespace: [
    "coalesce(nullif(e.resource_info_namespace, ''), '(cluster-wide)')",
    'Kubernetes namespace of the resource; (cluster-wide) where it has none.',
  ],
  policy_id: ['e.policy_id', 'Id of the protection policy that fired.'],
  policy_name: [
    "coalesce(nullif(e.policy_name, ''), e.policy_id, '(unknown)')",
    'Name of the protection policy that fired, or its id.',
  ],
};

const event: ViewColumns = {
  ...scopeColumns('e'),
  ...enterpriseProjectColumns('e'),
  event_id: ['e.event_id', 'Id of the event.'],
  event_time: [EVENT_TIME, EVENT_TIME_ABOUT],
  create_time: ['e.create_time', 'When the event was created; empty where the API does not say.'],
  update_time: ['e.update_time', 'When the event last changed, its handling included.'],
  event_name: ['e.event_name', 'What kind of event it is.'],
  event_class_id: ['e.event_class_id', 'Id of the class of events.'],
  ...where,
  ...decoded('action', ['e.action', 'What the policy did'], ACTION),
  is_critical: [
    CRITICAL,
    'Whether the policy stepped in instead of only warning. The API gives these events no severity; this is the closest substitute.',
  ],
  ...decoded('handle_status', ['e.handle_status', 'Whether the event was handled'], HANDLE_STATUS),
  is_open: [OPEN, 'Whether the event is not handled yet.'],
  resource_kind: ['e.resource_info_kind', 'Kind of the Kubernetes resource, such as Pod or Deployment.'],
  resource_name: ['e.resource_info_name', 'Name of the Kubernetes resource.'],
  message: ['e.resource_info_message', 'Why the policy fired.'],
};

const clusterEvents: View = {
  name: 'cluster_events',
  about: 'Alarm events of the cluster protection policies, one row each. Filter on event_time.',
  columns: {
    ...event,
    ...listedColumns('e'),
    first_seen_at: ['e._first_seen_at', 'When the service first read the event.'],
  },
  from: `FROM hss.cluster_events e\n${projectJoin('e')}\n${enterpriseProjectJoin('e')}`,
};

const openClusterEvents: View = {
  name: 'open_cluster_events',
  about:
    'Events that are not handled yet and that the API still lists. Whether events that aged out were handled is unknown.',
  columns: {
    ...event,
    age_hours: [hoursSince(EVENT_TIME), 'Hours since the event happened.'],
  },
  from: `FROM hss.cluster_events e\n${projectJoin('e')}\n${enterpriseProjectJoin('e')}\nWHERE ${OPEN} AND e._deleted_at IS NULL`,
};

/** When the event was first seen as handled: in an earlier version, otherwise in the current one. */
const EVENT_HANDLED_AT = `coalesce(h.handled_at, CASE WHEN e.handle_status = 'handled' THEN coalesce(e.update_time, e._changed_at) END)`;

const eventResponseTimes: View = {
  name: 'event_response_times',
  about: 'How long it took until events were handled for the first time: one row for each event that was ever handled.',
  columns: {
    ...scopeColumns('e'),
    ...enterpriseProjectColumns('e'),
    event_id: ['e.event_id', 'Id of the event.'],
    event_time: [EVENT_TIME, EVENT_TIME_ABOUT],
    create_time: ['e.create_time', 'When the event was created; empty where the API does not say.'],
    handled_at: [EVENT_HANDLED_AT, 'When it was handled for the first time, as the API dates that change.'],
    minutes: [minutesBetween(EVENT_TIME, EVENT_HANDLED_AT), 'Minutes from the event to its handling.'],
    handled_by: [
      "e._extra ->> 'user_name'",
      'Who handled it, if the API says so. Its documents name no such field, so expect this to be empty.',
    ],
    basis: [
      "CASE WHEN h.seen_open THEN 'seen' ELSE 'last change' END",
      'seen: the service saw the event open before it was handled. last change: it was handled when first read, and its last change is used instead.',
    ],
    reopened: [OPEN, 'Whether it was opened again since.'],
    event_name: ['e.event_name', 'What kind of event it is.'],
    ...where,
    action_text: [inWords('e.action', ACTION), 'What the policy did, in plain words.'],
    is_critical: [CRITICAL, 'Whether the policy stepped in instead of only warning.'],
  },
  from: `FROM hss.cluster_events e
LEFT JOIN LATERAL (
  SELECT min(coalesce(v.update_time, v._valid_from)) FILTER (WHERE v.handle_status = 'handled') AS handled_at,
    coalesce(bool_or(v.handle_status IS DISTINCT FROM 'handled'), false) AS seen_open
  FROM hss.cluster_events_history v
  WHERE v.project_id = e.project_id AND v.event_id = e.event_id
) h ON true
${projectJoin('e')}
${enterpriseProjectJoin('e')}
WHERE e.handle_status = 'handled' OR h.handled_at IS NOT NULL`,
};

const HOUR = startOf('hour', EVENT_TIME);

const clusterEventsHourly: View = {
  name: 'cluster_events_hourly',
  about:
    'Number of events by the hour they happened in, cluster, namespace, policy and action. Hours without events have no row.',
  columns: {
    ...scopeColumns('e'),
    hour: [HOUR, 'Start of the hour (UTC). Filter on this column: it is indexed.'],
    ...where,
    action_text: [inWords('e.action', ACTION), 'What the policy did, in plain words.'],
    events: ['count(*)', 'Number of events.'],
    critical_events: [`count(*) FILTER (WHERE ${CRITICAL})`, 'How many of them the policy stepped in for.'],
    open_events: [
      `count(*) FILTER (WHERE ${OPEN} AND e._deleted_at IS NULL)`,
      'Number of them that are not handled yet.',
    ],
    handled_events: ["count(*) FILTER (WHERE e.handle_status = 'handled')", 'How many of them were handled.'],
  },
  from: `FROM hss.cluster_events e\n${projectJoin('e')}\nGROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`,
};

export const EVENT_VIEWS: readonly View[] = [clusterEvents, openClusterEvents, eventResponseTimes, clusterEventsHourly];

/** Indexes that only the views need. The tables of the streams declare those for reading and writing. */
export const EVENT_INDEXES: Readonly<Record<string, string>> = {
  cluster_events_event_time_idx: `hss.cluster_events (project_id, (${eventTime('')}))`,
  cluster_events_event_hour_idx: `hss.cluster_events (${startOf('hour', eventTime(''))})`,
  cluster_events_open_idx: `hss.cluster_events ((${eventTime('')})) WHERE handle_status IS DISTINCT FROM 'handled' AND _deleted_at IS NULL`,
  // For stream_freshness: counting these entries is much faster than counting wide rows.
  cluster_events_listed_idx: 'hss.cluster_events (project_id) WHERE _deleted_at IS NULL',
};
