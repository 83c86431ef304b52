import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, field, pathTo, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, colored, inUnit, leadsTo, limits, named, SEVERITY_COLORS, series, stat, table } from './panels.ts';
import { chosen, inDays, inScope, NOT_READ, onceRead } from './sql.ts';
import { scopeVariables, severityVariable, userVariable } from './variables.ts';

const LISTED = `${inScope} and ${chosen('severity', 'severity')}`;
const HANDLED = `$__timeFilter(operation_time)\n  and ${LISTED} and ${chosen('user_name', 'user')}`;
const DAILY = `${inDays}\n  and ${LISTED} and ${chosen('user_name', 'user')}`;

const number = { width: 6, height: 4, empty: NOT_READ } as const;

const numbers = [
  stat({
    ...number,
    title: 'Critical, open',
    about: 'Different critical vulnerabilities in container images that are not handled.',
    sql: onceRead(
      'hss_image_vulnerabilities',
      `select count(distinct vul_id) from bi.image_vulnerabilities where severity = 'Critical' and handle_status = 'unhandled' and ${LISTED}`,
    ),
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'All severities, open',
    sql: onceRead(
      'hss_image_vulnerabilities',
      `select count(distinct vul_id) from bi.image_vulnerabilities where handle_status = 'unhandled' and ${LISTED}`,
    ),
  }),
  stat({
    ...number,
    title: 'Handled in this time',
    about: 'Operations: one vulnerability in several images counts for each.',
    sql: onceRead(
      'hss_image_vulnerability_operations',
      `select count(*) from bi.image_vulnerability_operations where ${HANDLED}`,
    ),
  }),
  stat({
    ...number,
    title: 'Critical, ignored in this time',
    about: 'Critical vulnerabilities that were ignored or put on the allowlist.',
    sql: onceRead(
      'hss_image_vulnerability_operations',
      `select count(distinct vul_id) from bi.image_vulnerability_operations where severity = 'Critical' and handle_type in ('ignore', 'add_to_whitelist') and ${HANDLED}`,
    ),
    limits: limits(1, 10),
  }),
];

const bySeverity = bars({
  title: 'Vulnerabilities by severity',
  sql: `
select severity, count(distinct vul_id) filter (where handle_status = 'unhandled') as open,
  count(distinct vul_id) filter (where handle_status = 'handled') as handled
from bi.image_vulnerabilities
where ${LISTED}
group by severity order by min(severity_rank)`,
  width: 8,
  height: 8,
  name: 'severity',
  empty: 'No vulnerability is listed',
});

const handlingOverTime = series({
  title: 'How vulnerabilities were handled',
  sql: `
select $__timeGroupAlias(day, '1d', 0), handle_type_text as metric, sum(operations) as operations
from bi.vulnerability_handling_daily
where ${DAILY}
group by 1, 2 order by 1`,
  width: 8,
  height: 8,
  bars: true,
  minInterval: '1d',
  empty: 'Nothing was handled in this time',
});

const byPerson = bars({
  title: 'Who handled them',
  sql: `
select user_name, count(*) filter (where severity = 'Critical') as critical, count(*) filter (where severity = 'High') as high,
  count(*) filter (where severity not in ('Critical', 'High')) as lower
from bi.image_vulnerability_operations
where ${HANDLED}
group by user_name order by count(*) desc limit 12`,
  width: 8,
  height: 8,
  name: 'user_name',
  empty: 'Nothing was handled in this time',
});

const names = {
  severity: [named('Severity'), ...colored(SEVERITY_COLORS)],
  vul_id: [named('Vulnerability')],
  vul_name: [named('Name')],
  cves: [named('CVEs')],
  max_cvss_score: [named('CVSS')],
  image_type_text: [named('Where')],
};

const operation = {
  ...names,
  operation_time: [named('When')],
  user_name: [named('Who'), leadsTo('Only theirs', pathTo(UID.vulnerabilities, { user: field('user_name') }))],
  handle_type_text: [named('What')],
  status_text: [named('State after')],
  image_name: [named('Image')],
  image_version: [named('Tag')],
  app_name: [named('Package')],
  remark: [named('Remark')],
};

const criticalIgnored = table({
  title: 'Critical vulnerabilities that were ignored: by whom, when, why',
  sql: `
select operation_time, user_name, handle_type_text, vul_id, cves, max_cvss_score, image_name, image_version, app_name, remark
from bi.image_vulnerability_operations
where severity = 'Critical' and handle_type in ('ignore', 'add_to_whitelist')
  and ${HANDLED}
order by operation_time desc limit 200`,
  width: 24,
  height: 8,
  empty: 'No critical vulnerability was ignored in this time',
  fields: operation,
});

const open = table({
  title: 'Open vulnerabilities, most severe first',
  sql: `
select severity, vul_id, vul_name, cves, max_cvss_score, image_type_text, type_text, images, scan_time, solution, url
from bi.image_vulnerabilities
where handle_status = 'unhandled' and ${LISTED}
order by severity_rank, max_cvss_score desc nulls last, images desc limit 500`,
  width: 24,
  height: 10,
  empty: 'Nothing is open',
  fields: {
    ...names,
    type_text: [named('What')],
    images: [named('Images')],
    scan_time: [named('Last found')],
    solution: [named('Solution')],
    url: [named('More'), leadsTo('Read more', `$\{__value.raw}`)],
  },
});

const operations = table({
  title: 'What was done',
  about: 'The latest 500 operations of the chosen time.',
  sql: `
select operation_time, user_name, handle_type_text, status_text, severity, vul_id, cves, image_type_text, image_name, image_version, app_name, remark, listed
from bi.image_vulnerability_operations
where ${HANDLED}
order by operation_time desc limit 500`,
  width: 24,
  height: 10,
  empty: 'Nothing was handled in this time',
  fields: { ...operation, max_cvss_score: [named('CVSS'), inUnit('none')], listed: [named('Still listed')] },
});

export function imageVulnerabilities(): DashboardBuilder {
  return dashboard({
    uid: UID.vulnerabilities,
    title: 'Image vulnerabilities',
    about: 'Vulnerabilities in container images: what is open, what was handled, by whom, and what was ignored.',
    from: 'now-30d',
    variables: [...scopeVariables, severityVariable, userVariable],
    rows: [
      { panels: [freshness(7, ['hss_image_vulnerabilities', 'hss_image_vulnerability_operations'])] },
      { panels: numbers },
      { panels: [bySeverity, handlingOverTime, byPerson] },
      { panels: [criticalIgnored] },
      { panels: [open] },
      { panels: [operations] },
    ],
  });
}
