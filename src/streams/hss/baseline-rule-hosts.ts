import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssBaselineRules } from './baseline-rules.ts';

const PARAMS = { standard: 'standard', check_type: 'check_type', check_rule_id: 'check_rule_id' };
/** Parameters of the list, which its records do not repeat. */
const optional = true;

export const hssBaselineRuleHosts = defineStream({
  name: 'hss_baseline_rule_hosts',
  about:
    'Hosts that failed a rule of the configuration checks, and how that was handled. Passed rules are not included.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListCheckRuleHost.html',
  group: 'baseline',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/baseline/check-rule/hosts'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  parent: childOf(hssBaselineRules, PARAMS, {
    hot: { statistics_scan_result: 'failed' },
    only: { column: 'statistics_scan_result', values: ['failed', 'processed'] },
  }),
  order: [moving('scan_time'), fixed('host_id')],
  history: true,
  // At least one request for each rule: 500 failed rules take two hours at five requests a minute.
  schedule: '0 * * * *',
  reconcileEveryMs: 7 * 24 * 3_600_000,
  targetMs: 12 * 3_600_000,
  table: {
    schema: hss,
    name: 'baseline_rule_hosts',
    key: [...Object.keys(PARAMS), 'check_name', 'host_id', 'result_type'],
    indexes: [['host_id']],
    fields: {
      standard: text('Standard the rule belongs to, from the request.', {
        values: ['cn_standard', 'hw_standard', 'cis_standard'],
        optional,
      }),
      check_type: text('Type of the check that the rule belongs to, from the request.', { optional }),
      check_rule_id: text('Id of the rule, from the request.', { optional }),
      check_name: text('Name of the check: its type and the checked process.', { max: 256, emptyInKey: true }),
      baseline_name: text('Display name of the check.', { max: 256 }),
      host_id: text('Id of the host.', { max: 64 }),
      host_name: text('Name of the host.', { max: 256 }),
      host_public_ip: text('Elastic IP address of the host; empty without one.', { max: 128 }),
      host_private_ip: text('Private IP address of the host.', { max: 256 }),
      host_type: text('cce for a node of a CCE cluster, else empty.'),
      cluster_id: text('Id of the cluster of the host.', { max: 64 }),
      result_type: text('Result of the check, or how it was handled.', {
        values: ['safe', 'unhandled', 'ignored', 'fixing', 'fix-failed', 'verifying', 'add_to_whitelist'],
      }),
      scan_time: instant('When the host was last checked.', { volatile: true }),
      failed_num: int('Number of rules that the host failed.', { volatile: true }),
      passed_num: int('Number of rules that the host passed.', { volatile: true }),
      diff_description: text('Differences on this host.', { max: 512 }),
      description: text('Remark of the person who ignored or allowed it.', { max: 1024 }),
      fix_failed_reason: text('Why the repair failed.', { max: 256 }),
      enable_fix: int('1 if the service can repair it, else 0.', { min: 0, max: 1 }),
      enable_verify: flag('Whether it can be verified.', { volatile: true }),
      enable_click: flag('Whether repair and verification can be started now.', { volatile: true }),
      cancel_ignore_enable_click: flag('Whether it can be un-ignored now.', { volatile: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssBaselineRuleHosts);
