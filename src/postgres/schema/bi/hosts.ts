import {
  decoded,
  enterpriseProjectColumns,
  enterpriseProjectJoin,
  inWords,
  projectJoin,
  scopeColumns,
  severityColumns,
  startOf,
  type View,
  type ViewColumns,
} from './view.ts';
import { AGENT_STATUS, EDITION, HOST_STATUS, PASSWORD_OF, RULE_RESULT, STANDARD } from './words.ts';

/** Protection, agent and machine in one word: the first case that applies, from worst to best. */
export const PROTECTION = `CASE
    WHEN h.protect_status = 'closed' THEN 'unprotected'
    WHEN h.protect_status IS NULL THEN 'unknown'
    WHEN h.protect_status <> 'opened' THEN 'faulty'
    WHEN h.protect_interrupt THEN 'interrupted'
    WHEN h.agent_status IS DISTINCT FROM 'online' AND h.host_status = 'SHUTOFF' THEN 'shut off'
    WHEN h.agent_status IS DISTINCT FROM 'online' THEN 'agent offline'
    WHEN h.protect_degradation THEN 'degraded'
    ELSE 'protected' END`;

const PROTECTION_WORDS = {
  unprotected: 'Not protected',
  unknown: 'Unknown',
  faulty: 'Protection does not work',
  interrupted: 'Protection interrupted',
  'shut off': 'Machine is shut off',
  'agent offline': 'Agent not online',
  degraded: 'Protected in part',
  protected: 'Protected',
};

/** Id and name of a host, as in all views about hosts. */
export function hostColumns(alias: string): ViewColumns {
  return {
    host_id: [`${alias}.host_id`, 'Id of the host.'],
    host_name: [
      `coalesce(nullif(${alias}.host_name, ''), ${alias}.host_id, '(unknown)')`,
      'Name of the host, or its id.',
    ],
  };
}

const EXPIRES = 'coalesce(q.expire_time, h.expire_time)';

const hosts: View = {
  name: 'hosts',
  about: 'Hosts, their agents and their protection. Hosts that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('h'),
    ...enterpriseProjectColumns('h'),
    ...hostColumns('h'),
    private_ip: ['h.private_ip', 'Private IP address.'],
    public_ip: ["nullif(h.public_ip, '')", 'Elastic IP address; null without one.'],
    protection: [
      PROTECTION,
      'unprotected, unknown, faulty, interrupted, shut off (the machine), agent offline (not online), degraded or protected: the first that applies.',
    ],
    protection_text: [inWords(`(${PROTECTION})`, PROTECTION_WORDS), 'The same in plain words.'],
    is_protected: [
      `(${PROTECTION}) IN ('protected', 'degraded')`,
      'Whether the protection is on, its agent is online and nothing interrupts it.',
    ],
    protect_status: ['h.protect_status', 'State of the protection, as the API writes it.'],
    ...decoded('agent_status', ['h.agent_status', 'State of the agent'], AGENT_STATUS),
    agent_version: ["nullif(h.agent_version, '')", 'Version of the agent.'],
    agent_changed_at: ['h.agent_update_time', 'When the state of the agent last changed.'],
    ...decoded('host_status', ['h.host_status', 'State of the machine'], HOST_STATUS),
    ...decoded('edition', ['h.version', 'Edition that protects it'], EDITION),
    quota_id: ["nullif(h.resource_id, '')", 'Id of the protection quota that it uses; null without one.'],
    charging_mode: ['h.charging_mode', 'Billing: packet_cycle for subscriptions, on_demand.'],
    quota_status: [
      'q.quota_status',
      'State of that quota: normal, expired or freeze; null where hss.quotas is not read (the group settings).',
    ],
    expire_time: [
      EXPIRES,
      'When its protection ends: that of its quota where hss.quotas is read (the group settings), else that of a trial; null where the API gives no end.',
    ],
    expires_in_days: [
      `round((extract(epoch FROM ${EXPIRES} - now()) / 86400)::numeric, 1)::double precision`,
      'Days until its protection ends; negative once it has ended.',
    ],
    asset_value: ['h.asset_value', 'How important the host is: important, common or test.'],
    group_name: ["coalesce(nullif(h.group_name, ''), '(none)')", 'Server group it is in.'],
    policy_group: ['h.policy_group_name', 'Policy group that applies to it.'],
    cluster_name: ["nullif(h.cluster_name, '')", 'Cluster that it is a node of; null for none.'],
    os: ["concat_ws(' ', nullif(h.os_name, ''), nullif(h.os_version, ''))", 'Operating system and its version.'],
    os_type: ['h.os_type', 'Linux or Windows.'],
    detect_result: ['h.detect_result', 'Result of the checks: undetected, clean, risk or scanning.'],
    first_seen_at: ['h._first_seen_at', 'When the service first read the host.'],
  },
  from: `FROM hss.hosts h
LEFT JOIN hss.quotas q ON q.project_id = h.project_id AND q.resource_id = h.resource_id AND q._deleted_at IS NULL
${projectJoin('h')}
${enterpriseProjectJoin('h')}
WHERE h._deleted_at IS NULL`,
};

const weakPasswords: View = {
  name: 'weak_passwords',
  about:
    'Accounts with a weak password: one row for each host and account. The passwords are not stored. Hosts that the API no longer lists as having any are hidden.',
  columns: {
    ...scopeColumns('w'),
    ...hostColumns('w'),
    private_ip: ["coalesce(nullif(w.private_ip, ''), w.host_ip)", 'Private IP address of the host.'],
    user_name: ["coalesce(nullif(a.value ->> 'user_name', ''), '(unknown)')", 'Name of the account.'],
    ...decoded('service', ["a.value ->> 'service_type'", 'What the account is for'], PASSWORD_OF),
    in_use_days: [
      `CASE WHEN jsonb_typeof(a.value -> 'duration') = 'number' THEN (a.value ->> 'duration')::double precision END`,
      'Number of days that the password was in use.',
    ],
    checked_at: ['w.update_time', 'When the host was last checked.'],
    first_seen_at: ['w._first_seen_at', 'When the service first read that the host has weak passwords.'],
  },
  from: `FROM hss.weak_passwords w
LEFT JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(w.weak_pwd_accounts) WHEN 'array' THEN w.weak_pwd_accounts END) a ON true
${projectJoin('w')}
WHERE w._deleted_at IS NULL`,
};

export const HOST_VIEWS: readonly View[] = [hosts, weakPasswords];

const rules: View = {
  name: 'baseline_rules',
  about:
    'Rules of the configuration checks, each with its result over all hosts of the project. Rules that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('r'),
    ...decoded('standard', ['r.standard', 'Standard the rule belongs to'], STANDARD),
    check_type: ['r.check_type', 'Type of the check that the rule belongs to.'],
    check_name: ["coalesce(nullif(r.check_type_name, ''), r.check_type)", 'Name of that type in words.'],
    rule_id: ['r.check_rule_id', 'Id of the rule.'],
    rule_name: ["coalesce(nullif(r.check_rule_name, ''), r.check_rule_id)", 'What the rule requires.'],
    ...severityColumns('r.severity'),
    ...decoded('result', ['r.statistics_scan_result', 'Result over all hosts'], RULE_RESULT),
    failed_hosts: ['r.failed_num', 'Number of hosts that failed, without ignored and allowed ones.'],
    checked_hosts: ['r.host_num', 'Number of hosts that were checked.'],
    can_be_repaired: ['r.enable_fix = 1', 'Whether the service can repair it.'],
    checked_at: ['r.scan_time', 'When it was last checked.'],
    changed_at: ['r._changed_at', 'When the result, or anything else about the rule, was last seen to change.'],
  },
  from: `FROM hss.baseline_rules r\n${projectJoin('r')}\nWHERE r._deleted_at IS NULL`,
};

const CONTENT = 'project_id, account, region, standard, statistics_scan_result';

/**
 * A version is valid from when it was read until the next one, or until the rule was no longer listed. The last day is
 * that on which the list was last proven complete, because later days are unknown.
 */
const SPANS = `versions AS (
  SELECT ${CONTENT}, _valid_from, _valid_to FROM hss.baseline_rules_history
  UNION ALL
  SELECT ${CONTENT}, _changed_at, coalesce(_deleted_at, 'infinity') FROM hss.baseline_rules
), known AS (
  SELECT r.project_id, max(r.started_at) AS last_read
  FROM sync.runs r
  WHERE r.stream = 'hss_baseline_rules' AND r.certificate = 'complete'
  GROUP BY 1
), spans AS (
  SELECT v.*, ${startOf('day', 'v._valid_from')} AS first_day, ${startOf('day', "least(v._valid_to, k.last_read + interval '1 day')")} AS next_day
  FROM versions v
  JOIN known k ON k.project_id = v.project_id
)`;

const resultIs = (result: string) => `count(*) FILTER (WHERE r.statistics_scan_result = '${result}')`;

const passRateDaily: View = {
  name: 'baseline_pass_rate_daily',
  about:
    'How many rules of each standard passed, as known at the end of each day (UTC), since the list was first read and until it was last proven complete.',
  with: SPANS,
  columns: {
    ...scopeColumns('r'),
    day: ['d.day', 'The day (UTC); the row says what was known at its end, or is known now.'],
    standard: ['r.standard', 'Standard, as the API writes it.'],
    standard_text: [inWords('r.standard', STANDARD), 'Standard, in plain words.'],
    rules: ['count(*)', 'Number of rules.'],
    passed: [resultIs('pass'), 'Number of rules that every host passed.'],
    failed: [resultIs('failed'), 'Number of rules that a host failed.'],
    accepted: [resultIs('processed'), 'Number of rules that failed only on hosts where that is ignored or allowed.'],
    pass_rate: [
      `${resultIs('pass')}::double precision / nullif(${resultIs('pass')} + ${resultIs('failed')}, 0)`,
      'Share, from 0 to 1, of rules passed among those passed or failed; null where there are none.',
    ],
  },
  from: `FROM spans r
${projectJoin('r')}
CROSS JOIN LATERAL generate_series(r.first_day, r.next_day - interval '1 day', interval '1 day') AS d(day)
WHERE r.first_day < r.next_day
GROUP BY 1, 2, 3, 4, 5, 6`,
};

export const BASELINE_VIEWS: readonly View[] = [rules, passRateDaily];
