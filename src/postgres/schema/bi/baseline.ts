import { decoded, inWords, projectJoin, scopeColumns, severityColumns, startOf, type View } from './view.ts';
import { RULE_RESULT, STANDARD } from './words.ts';

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
    rule_name: ["coalesce(nullif(r.check_rule_name, ''), r.check_rule_id)", 'What the rule demands.'],
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
 * A version counts from when it was read until the next one, or until the rule was listed no longer. Days end with that in which
 * the list was last proven complete: a list that is not read any more says nothing of later days.
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
    accepted: [resultIs('processed'), 'Number of rules that only hosts failed where that is ignored or allowed.'],
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
