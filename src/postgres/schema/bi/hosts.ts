import {
  decoded,
  enterpriseProjectColumns,
  enterpriseProjectJoin,
  inWords,
  projectJoin,
  scopeColumns,
  type View,
  type ViewColumns,
} from './view.ts';
import { AGENT_STATUS, EDITION, HOST_STATUS, PASSWORD_OF } from './words.ts';

/** One word for protection, agent and machine together; the first that applies, the worst first. */
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

/** A host by id and name, as all views about hosts have it. */
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
