import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, colored, inUnit, leadsTo, limits, named, SEVERITY_COLORS, series, stat, table } from './panels.ts';
import { chosen, inScope, inWeeks, NONE_READ, NOT_READ, onceRead } from './sql.ts';
import { hostSeverityVariable, hostVariable, scopeVariables } from './variables.ts';

const FINDINGS = 'hss_host_vulnerabilities';
const LISTED = `${inScope} and ${chosen('severity', 'severity')} and ${chosen('host_name', 'host')}`;
const WEEKLY = `${inWeeks}\n  and ${inScope} and ${chosen('severity', 'severity')}`;

const number = { width: 6, height: 4, empty: NOT_READ } as const;
const openOnes = (what: string) =>
  onceRead(FINDINGS, `select count(*) from bi.host_vulnerabilities where is_open and ${what} and ${LISTED}`);

const numbers = [
  stat({
    ...number,
    title: 'Critical, open',
    about: 'Findings: one vulnerability on several hosts counts for each.',
    sql: openOnes("severity = 'Critical'"),
    limits: limits(1, 20),
  }),
  stat({ ...number, title: 'All severities, open', sql: openOnes('true') }),
  stat({
    ...number,
    title: 'To be repaired at once',
    about: 'Open findings of the list of urgent vulnerabilities.',
    sql: openOnes('is_urgent'),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Repaired in a week',
    about:
      'Share of what was open or found in a week that was repaired in it: all weeks of the chosen time that are over.',
    sql: `
select sum(fixed)::float / nullif(sum(open_at_start + found), 0)
from bi.host_vulnerabilities_weekly
where is_over and ${WEEKLY}`,
    unit: 'percentunit',
  }),
];

const byAge = bars({
  title: 'Open findings by severity and age',
  sql: `
select severity, count(*) filter (where age_days < 7) as "under 7 days", count(*) filter (where age_days >= 7 and age_days < 30) as "7 to 30 days",
  count(*) filter (where age_days >= 30 and age_days < 90) as "30 to 90 days", count(*) filter (where age_days >= 90) as "90 days and more"
from bi.host_vulnerabilities
where is_open and ${LISTED}
group by severity order by min(severity_rank)`,
  width: 8,
  height: 8,
  name: 'severity',
  empty: NONE_READ,
});

const foundAndFixed = series({
  title: 'Found and repaired, by week',
  about: 'Repaired: also what scans do not find any longer. The current week is not over. Of all hosts.',
  sql: `
select week as "time", sum(found) as "found", sum(fixed) as "repaired", sum(ignored) as "ignored"
from bi.host_vulnerabilities_weekly
where ${WEEKLY}
group by week order by week`,
  width: 8,
  height: 8,
  bars: false,
  minInterval: '1w',
  empty: 'Nothing was read in this time',
});

const fixRate = series({
  title: 'Repaired of what was open or found, by week',
  about: 'The current week is not over. Of all hosts.',
  sql: `
select week as "time", severity as metric, sum(fixed)::float / nullif(sum(open_at_start + found), 0) as rate
from bi.host_vulnerabilities_weekly
where ${WEEKLY}
group by week, severity order by week`,
  width: 8,
  height: 8,
  unit: 'percentunit',
  bars: false,
  minInterval: '1w',
  empty: 'Nothing was read in this time',
});

const openOverTime = series({
  title: 'Open findings at the end of each week',
  about: 'Of all hosts.',
  sql: `
select week as "time", severity as metric, sum(open_at_end) as open
from bi.host_vulnerabilities_weekly
where ${WEEKLY}
group by week, severity order by week`,
  width: 12,
  height: 8,
  bars: true,
  minInterval: '1w',
  empty: 'Nothing was read in this time',
});

const onlyHost = leadsTo('Only this host', pathTo(UID.hostVulnerabilities, { host: field('host_name') }));

const worstHosts = bars({
  title: 'Hosts with most open findings',
  sql: `
select host_name, count(*) filter (where severity = 'Critical') as critical, count(*) filter (where severity = 'High') as high,
  count(*) filter (where severity not in ('Critical', 'High')) as lower
from bi.host_vulnerabilities
where is_open and ${LISTED}
group by host_name order by 2 desc, 3 desc, 4 desc limit 12`,
  width: 12,
  height: 8,
  name: 'host_name',
  empty: NONE_READ,
});

const names = {
  severity: [named('Severity'), ...colored(SEVERITY_COLORS)],
  vul_id: [named('Vulnerability')],
  vul_name: [named('Name')],
  cves: [named('CVEs')],
  max_cvss_score: [named('CVSS')],
  type_text: [named('Where')],
};

const widespread = table({
  title: 'Open vulnerabilities by number of hosts',
  sql: `
select severity, vul_id, vul_name, max(cves) as cves, max(max_cvss_score) as max_cvss_score, count(distinct host_id) as hosts,
  count(distinct host_id) filter (where asset_value = 'important') as important_hosts, max(age_days) as age_days
from bi.host_vulnerabilities
where is_open and ${LISTED}
group by severity, severity_rank, vul_id, vul_name order by severity_rank, hosts desc limit 200`,
  width: 24,
  height: 9,
  empty: NONE_READ,
  fields: {
    ...names,
    hosts: [named('Hosts')],
    important_hosts: [named('Important hosts')],
    age_days: [named('Oldest'), inUnit('d')],
  },
});

const openFindings = table({
  title: 'Open findings, most severe first, then oldest',
  sql: `
select severity, repair_priority, age_days, host_name, private_ip, asset_value, vul_id, vul_name, cves, max_cvss_score, type_text, status_text, is_urgent, last_found_at
from bi.host_vulnerabilities
where is_open and ${LISTED}
order by severity_rank, found_at limit 500`,
  width: 24,
  height: 10,
  empty: NONE_READ,
  fields: {
    ...names,
    repair_priority: [named('Priority')],
    age_days: [named('Age'), inUnit('d')],
    host_name: [named('Host'), onlyHost],
    private_ip: [named('Address')],
    asset_value: [named('Importance')],
    status_text: [named('State')],
    is_urgent: [named('At once')],
    last_found_at: [named('Last found')],
  },
});

export function vulnerabilities(): DashboardBuilder {
  return dashboard({
    uid: UID.hostVulnerabilities,
    title: 'Vulnerabilities',
    about: 'Vulnerabilities of hosts: what is open, since when, and how fast it is repaired.',
    from: 'now-90d',
    variables: [...scopeVariables, hostSeverityVariable, hostVariable],
    rows: [
      { panels: [freshness(7, [FINDINGS, 'hss_vulnerabilities', 'hss_hosts'])] },
      { panels: numbers },
      { panels: [byAge, foundAndFixed, fixRate] },
      { panels: [openOverTime, worstHosts] },
      { panels: [widespread] },
      { panels: [openFindings] },
    ],
  });
}
