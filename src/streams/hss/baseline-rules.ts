import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssBaselineRules = defineStream({
  name: 'hss_baseline_rules',
  about: 'Rules of the configuration checks, each with its result over all hosts of the project.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListAllRiskConfigCheckRules.html',
  group: 'baseline',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/baseline/risk-config/check-rules'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('scan_time'), fixed('check_rule_id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'baseline_rules',
    key: ['standard', 'check_type', 'check_rule_id'],
    fields: {
      standard: text('Standard: MLPS (China), Huawei Cloud practice, or CIS.', {
        values: ['cn_standard', 'hw_standard', 'cis_standard'],
      }),
      check_type: text('Type of the check that it belongs to, as in hss.baseline_checks.', { max: 256 }),
      check_type_name: text('Display name of that type.', { max: 256 }),
      check_rule_id: text('Id of the rule.', { max: 64 }),
      check_rule_name: text('Requirement of the rule.', { max: 2048 }),
      tag: text('Kind of rule.', { max: 256 }),
      severity: text('Severity.', { values: ['Low', 'Medium', 'High'] }),
      statistics_scan_result: text(
        'pass: every host passed; failed: one failed; processed: all that failed are ignored or allowed.',
        { values: ['pass', 'failed', 'processed'] },
      ),
      failed_num: int('Number of hosts that failed, excluding ignored and allowed ones.'),
      host_num: int('Number of hosts that were checked.'),
      scan_time: instant('When it was last checked.', { volatile: true }),
      enable_fix: int('1 if the service can repair it, else 0.', { min: 0, max: 1 }),
      enable_click: flag('Whether repair and verification can be started now.', { volatile: true }),
      cancel_ignore_enable_click: flag('Whether it can be un-ignored now.', { volatile: true }),
      rule_params: json('Parameters of a repair with default and range; only for rules that have some.', {
        volatile: true,
        optional: true,
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssBaselineRules);
