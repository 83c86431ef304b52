import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

/** Absent in the published example. */
const optional = true;

export const hssBaselineChecks = defineStream({
  name: 'hss_baseline_checks',
  about: 'Configuration checks (baselines) and how many of their rules failed on the hosts of the project.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListRiskConfigs.html',
  group: 'baseline',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/baseline/risk-configs'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('scan_time'), fixed('check_name')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'baseline_checks',
    key: ['standard', 'check_name', 'check_type'],
    fields: {
      standard: text('Standard: cn_standard for MLPS (China), hw_standard for Huawei Cloud practice.', {
        values: ['cn_standard', 'hw_standard'],
      }),
      check_name: text('Name of the check, such as SSH or CentOS 7.'),
      check_type: text('Type of the check: on Linux its name, on Windows the version of the system.'),
      key: text('Identity of the check, such as SSH.', { max: 256, optional }),
      baseline_name: text('Display name of the check.', { max: 256, optional }),
      check_type_desc: text('Description of the check and its standard.'),
      severity: text('Severity.', { values: ['Low', 'Medium', 'High'] }),
      check_rule_num: int('Number of rules that were checked on at least one host.'),
      failed_rule_num: int('Number of those rules that failed on at least one host.'),
      host_num: int('Number of hosts that were checked.', { volatile: true }),
      scan_time: instant('When it was last checked.', { volatile: true }),
      executable_file_path: text('Path of what was checked.', { optional }),
    },
  },
});

export const { table, history } = drizzleTables(hssBaselineChecks);
