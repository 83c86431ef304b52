import {
  decoded,
  enterpriseProjectColumns,
  enterpriseProjectJoin,
  hoursSince,
  inWords,
  listedColumns,
  minutesBetween,
  projectJoin,
  scopeColumns,
  startOf,
  type View,
  type ViewColumns,
} from './view.ts';
import { ACTION, HANDLE_STATUS } from './words.ts';

/** The API gives these events no severity; that the policy stepped in is the nearest there is. */
const CRITICAL = "coalesce(e.action, 'warn') NOT IN ('warn', 'alert', 'dryrun')";

/**
 * When an event happened. Both published examples leave out when it was created; then the last change stands in, which moves
 * when the event is handled, but not beyond when the service first read it. No event is without.
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
    'Whether the policy stepped in instead of only warning. The API gives these events no severity; this is the nearest.',
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

/** When the event was first seen as handled: in an earlier version, else in the current one. */
const HANDLED_AT = `coalesce(h.handled_at, CASE WHEN e.handle_status = 'handled' THEN coalesce(e.update_time, e._changed_at) END)`;

const eventResponseTimes: View = {
  name: 'event_response_times',
  about: 'How long it took until events were handled for the first time: one row for each event that ever was.',
  columns: {
    ...scopeColumns('e'),
    ...enterpriseProjectColumns('e'),
    event_id: ['e.event_id', 'Id of the event.'],
    event_time: [EVENT_TIME, EVENT_TIME_ABOUT],
    create_time: ['e.create_time', 'When the event was created; empty where the API does not say.'],
    handled_at: [HANDLED_AT, 'When it was handled for the first time, as the API dates that change.'],
    minutes: [minutesBetween(EVENT_TIME, HANDLED_AT), 'Minutes from the event to its handling.'],
    handled_by: [
      "e._extra ->> 'user_name'",
      'Who handled it, if the API says so. Its documents name no such field, so expect this to be empty.',
    ],
    basis: [
      "CASE WHEN h.seen_open THEN 'seen' ELSE 'last change' END",
      'seen: the service saw the event open before it was handled. last change: it was handled when first read, and its last change stands in for the handling.',
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

/** Indexes that only the views need; the streams' tables declare those their own reading and writing needs. */
export const EVENT_INDEXES: Readonly<Record<string, string>> = {
  cluster_events_event_time_idx: `hss.cluster_events (project_id, (${eventTime('')}))`,
  cluster_events_event_hour_idx: `hss.cluster_events (${startOf('hour', eventTime(''))})`,
  cluster_events_open_idx: `hss.cluster_events ((${eventTime('')})) WHERE handle_status IS DISTINCT FROM 'handled' AND _deleted_at IS NULL`,
  // For stream_freshness: counting a million wide rows takes half a second, counting these entries a tenth of that.
  cluster_events_listed_idx: 'hss.cluster_events (project_id) WHERE _deleted_at IS NULL',
};
