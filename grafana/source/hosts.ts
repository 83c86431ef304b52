import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { alarmPanels } from './alarms.ts';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, colored, inUnit, leadsTo, limits, named, SEVERITY_COLORS, stat, table } from './panels.ts';
import { chosen, inScope, NONE_READ, NOT_READ, onceRead } from './sql.ts';
import { groupVariable, scopeVariables } from './variables.ts';

const LISTED = `${inScope} and ${chosen('group_name', 'group')}`;

const PROTECTION_COLORS = {
  'Not protected': 'dark-red',
  'Protection does not work': 'red',
  'Protection interrupted': 'red',
  'Agent not online': 'orange',
  'Machine is shut off': 'blue',
  'Protected in part': 'yellow',
  Protected: 'green',
} as const;

const number = { width: 4, height: 4, empty: NOT_READ } as const;
const ofHosts = (what: string) => onceRead('hss_hosts', `select count(*) from bi.hosts where ${what} and ${LISTED}`);

const numbers = [
  stat({ ...number, title: 'Hosts', sql: ofHosts('true') }),
  stat({
    ...number,
    title: 'Not protected',
    about: 'The protection is off, interrupted, or does not work.',
    sql: ofHosts("protection in ('unprotected', 'unknown', 'faulty', 'interrupted')"),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Agent not online',
    about: 'Protected hosts that run and whose agent does not answer.',
    sql: ofHosts("protection = 'agent offline'"),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Protection ends in 30 days',
    about: 'Or has ended already. Only hosts that the API gives an end for.',
    sql: ofHosts('expires_in_days < 30'),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Hosts with weak passwords',
    sql: onceRead('hss_weak_passwords', `select count(distinct host_id) from bi.weak_passwords where ${inScope}`),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Hosts with critical vulnerabilities',
    about: 'Open ones.',
    sql: onceRead(
      'hss_host_vulnerabilities',
      `select count(distinct host_id) from bi.host_vulnerabilities where is_open and severity = 'Critical' and ${inScope}`,
    ),
    limits: limits(1, 20),
    link: pathTo(UID.hostVulnerabilities),
  }),
];

const protection = bars({
  title: 'Protection of hosts',
  sql: `
select protection_text, count(*) filter (where asset_value = 'important') as important,
  count(*) filter (where asset_value is distinct from 'important') as others
from bi.hosts
where ${LISTED}
group by protection_text order by count(*) desc`,
  width: 12,
  height: 8,
  name: 'protection_text',
  empty: NONE_READ,
});

const groups = bars({
  title: 'Server groups with most hosts that are not protected',
  sql: `
select group_name, count(*) filter (where not is_protected) as not_protected, count(*) filter (where is_protected) as protected
from bi.hosts
where ${LISTED}
group by group_name order by 2 desc limit 12`,
  width: 12,
  height: 8,
  name: 'group_name',
  empty: NONE_READ,
});

const names = {
  host_name: [
    named('Host'),
    leadsTo('Its vulnerabilities', pathTo(UID.hostVulnerabilities, { host: field('host_name') })),
  ],
  private_ip: [named('Address')],
  asset_value: [named('Importance')],
  group_name: [named('Server group')],
  protection_text: [named('Protection'), ...colored(PROTECTION_COLORS)],
  protection: [named('Protection')],
};

const risk = table({
  title: 'Hosts by risk',
  about:
    'A score of this service, over protection, open alarms, open vulnerabilities, weak passwords and malware; the comment on bi.host_risk has the points. Not read: lists that nothing is known from.',
  sql: `
select score, host_name, private_ip, asset_value, group_name, protection, critical_alarms, high_alarms, critical_vulnerabilities, high_vulnerabilities,
  open_vulnerabilities, weak_passwords, open_malware, not_read
from bi.host_risk
where ${LISTED}
order by score desc, host_name limit 200`,
  width: 24,
  height: 10,
  empty: NONE_READ,
  fields: {
    ...names,
    score: [named('Score')],
    critical_alarms: [named('Critical alarms')],
    high_alarms: [named('High alarms')],
    critical_vulnerabilities: [named('Critical vulnerabilities')],
    high_vulnerabilities: [named('High vulnerabilities')],
    open_vulnerabilities: [named('All vulnerabilities')],
    weak_passwords: [named('Weak passwords')],
    open_malware: [named('Malware')],
    not_read: [named('Not read')],
  },
});

const unprotected = table({
  title: 'Hosts without working protection, the most important first',
  sql: `
select protection_text, host_name, private_ip, public_ip, asset_value, group_name, agent_status_text, agent_changed_at, edition_text, os, cluster_name
from bi.hosts
where not is_protected and ${LISTED}
order by (asset_value = 'important') desc nulls last, protection_text, host_name limit 500`,
  width: 24,
  height: 10,
  empty: NONE_READ,
  fields: {
    ...names,
    public_ip: [named('Public address')],
    agent_status_text: [named('Agent')],
    agent_changed_at: [named('Agent changed')],
    edition_text: [named('Edition')],
    os: [named('System')],
    cluster_name: [named('Cluster')],
  },
});

const ending = table({
  title: 'Protection that ends, the soonest first',
  sql: `
select expires_in_days, expire_time, host_name, private_ip, asset_value, edition_text, charging_mode, quota_status, quota_id
from bi.hosts
where expire_time is not null and ${LISTED}
order by expire_time limit 200`,
  width: 12,
  height: 9,
  empty: NONE_READ,
  fields: {
    ...names,
    expires_in_days: [named('Ends in'), inUnit('d')],
    expire_time: [named('End')],
    edition_text: [named('Edition')],
    charging_mode: [named('Billing')],
    quota_status: [named('State of the quota')],
    quota_id: [named('Quota')],
  },
});

const passwords = table({
  title: 'Accounts with a weak password',
  about: 'The passwords are not stored.',
  sql: `
select host_name, private_ip, user_name, service_text, in_use_days, checked_at
from bi.weak_passwords
where ${inScope}
order by in_use_days desc nulls last, host_name limit 500`,
  width: 12,
  height: 9,
  empty: NONE_READ,
  fields: {
    ...names,
    user_name: [named('Account')],
    service_text: [named('Of')],
    in_use_days: [named('In use'), inUnit('d')],
    checked_at: [named('Checked')],
  },
});

const malware = table({
  title: 'Malware that was not dealt with',
  sql: `
select severity, age_days, host_name, private_ip, asset_value, malware_name, malware_type, file_path, isolated_text, found_at
from bi.malware
where is_open and ${inScope}
order by severity_rank, found_at limit 500`,
  width: 24,
  height: 9,
  empty: NONE_READ,
  fields: {
    ...names,
    severity: [named('Severity'), ...colored(SEVERITY_COLORS)],
    age_days: [named('Age'), inUnit('d')],
    malware_name: [named('Malware')],
    malware_type: [named('Kind')],
    file_path: [named('File')],
    isolated_text: [named('Isolated')],
    found_at: [named('Found')],
  },
});

export function hosts(): DashboardBuilder {
  return dashboard({
    uid: UID.hosts,
    title: 'Hosts',
    about: 'Hosts and their protection: which have none, whose ends, which are at risk, and their alarms.',
    from: 'now-30d',
    variables: [...scopeVariables, groupVariable],
    rows: [
      {
        panels: [
          freshness(7, [
            'hss_hosts',
            'hss_alarms',
            'hss_weak_passwords',
            'hss_host_vulnerabilities',
            'hss_antivirus_results',
            'hss_alarm_operations',
          ]),
        ],
      },
      { panels: numbers },
      { panels: [risk] },
      { panels: [protection, groups] },
      { panels: [unprotected] },
      { panels: [malware] },
      { panels: [ending, passwords] },
      ...alarmPanels,
    ],
  });
}
