import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, UID } from './dashboard.ts';
import { freshness } from './freshness.ts';
import { bars, colored, inUnit, limits, named, SEVERITY_COLORS, series, stat, table } from './panels.ts';
import { chosen, inDays, inScope, NONE_READ, NOT_READ, onceRead } from './sql.ts';
import { scopeVariables, standardVariable } from './variables.ts';

const RULES = 'hss_baseline_rules';
const LISTED = `${inScope} and ${chosen('standard_text', 'standard')}`;
const DAILY = `${inDays}\n  and ${LISTED}`;

const number = { width: 6, height: 4, empty: NOT_READ } as const;

const numbers = [
  stat({
    ...number,
    title: 'Rules passed',
    about: 'Share of the rules that every host passed. Rules whose failures are all ignored or allowed do not count.',
    sql: onceRead(
      RULES,
      `select (count(*) filter (where result = 'pass'))::float / nullif(count(*) filter (where result in ('pass', 'failed')), 0) from bi.baseline_rules where ${LISTED}`,
    ),
    unit: 'percentunit',
    limits: [
      { value: null, color: 'red' },
      { value: 0.8, color: 'orange' },
      { value: 0.95, color: 'green' },
    ],
  }),
  stat({
    ...number,
    title: 'Rules failed',
    sql: onceRead(RULES, `select count(*) from bi.baseline_rules where result = 'failed' and ${LISTED}`),
    limits: limits(1, 50),
  }),
  stat({
    ...number,
    title: 'Rules of high severity failed',
    sql: onceRead(
      RULES,
      `select count(*) from bi.baseline_rules where result = 'failed' and severity = 'High' and ${LISTED}`,
    ),
    limits: limits(1, 10),
  }),
  stat({
    ...number,
    title: 'Accounts with a weak password',
    sql: onceRead('hss_weak_passwords', `select count(*) from bi.weak_passwords where ${inScope}`),
    limits: limits(1, 20),
  }),
];

const passRate = series({
  title: 'Rules passed, by standard',
  about: 'As known at the end of each day (UTC).',
  sql: `
select $__timeGroupAlias(day, '1d'), standard_text as metric, sum(passed)::float / nullif(sum(passed + failed), 0) as rate
from bi.baseline_pass_rate_daily
where ${DAILY}
group by 1, 2 order by 1`,
  width: 12,
  height: 8,
  unit: 'percentunit',
  bars: false,
  minInterval: '1d',
  empty: 'Nothing was read in this time',
});

const byStandard = bars({
  title: 'Results by standard',
  sql: `
select standard_text, count(*) filter (where result = 'pass') as passed, count(*) filter (where result = 'failed') as failed,
  count(*) filter (where result = 'processed') as accepted
from bi.baseline_rules
where ${LISTED}
group by standard_text order by 1`,
  width: 6,
  height: 8,
  name: 'standard_text',
  empty: NONE_READ,
});

const byCheck = bars({
  title: 'Checks with most failed rules',
  sql: `
select check_name, count(*) filter (where severity = 'High') as high, count(*) filter (where severity is distinct from 'High') as lower
from bi.baseline_rules
where result = 'failed' and ${LISTED}
group by check_name order by count(*) desc limit 12`,
  width: 6,
  height: 8,
  name: 'check_name',
  empty: NONE_READ,
});

const failed = table({
  title: 'Failed rules, most severe first',
  sql: `
select severity, standard_text, check_name, rule_id, rule_name, failed_hosts, checked_hosts, can_be_repaired, changed_at, checked_at
from bi.baseline_rules
where result = 'failed' and ${LISTED}
order by severity_rank, failed_hosts desc nulls last limit 500`,
  width: 24,
  height: 10,
  empty: NONE_READ,
  fields: {
    severity: [named('Severity'), ...colored(SEVERITY_COLORS)],
    standard_text: [named('Standard')],
    check_name: [named('Check')],
    rule_id: [named('Rule')],
    rule_name: [named('Demands')],
    failed_hosts: [named('Failed hosts')],
    checked_hosts: [named('Checked hosts')],
    can_be_repaired: [named('Service can repair it')],
    changed_at: [named('Changed')],
    checked_at: [named('Checked')],
  },
});

const accounts = table({
  title: 'Accounts with a weak password, by name',
  about: 'The passwords are not stored.',
  sql: `
select user_name, service_text, count(*) as hosts, max(in_use_days) as in_use_days, max(checked_at) as checked_at
from bi.weak_passwords
where ${inScope}
group by user_name, service_text order by hosts desc limit 200`,
  width: 10,
  height: 9,
  empty: NONE_READ,
  fields: {
    user_name: [named('Account')],
    service_text: [named('Of')],
    hosts: [named('Hosts')],
    in_use_days: [named('In use'), inUnit('d')],
    checked_at: [named('Checked')],
  },
});

const passwords = table({
  title: 'Accounts with a weak password, by host',
  sql: `
select host_name, private_ip, user_name, service_text, in_use_days, first_seen_at
from bi.weak_passwords
where ${inScope}
order by in_use_days desc nulls last, host_name limit 500`,
  width: 14,
  height: 9,
  empty: NONE_READ,
  fields: {
    host_name: [named('Host')],
    private_ip: [named('Address')],
    user_name: [named('Account')],
    service_text: [named('Of')],
    in_use_days: [named('In use'), inUnit('d')],
    first_seen_at: [named('First read')],
  },
});

export function compliance(): DashboardBuilder {
  return dashboard({
    uid: UID.compliance,
    title: 'Compliance',
    about: 'Configuration checks by standard, how their results change, and weak passwords.',
    from: 'now-90d',
    variables: [...scopeVariables, standardVariable],
    rows: [
      { panels: [freshness(6, [RULES, 'hss_weak_passwords'])] },
      { panels: numbers },
      { panels: [passRate, byStandard, byCheck] },
      { panels: [failed] },
      { panels: [accounts, passwords] },
    ],
  });
}
