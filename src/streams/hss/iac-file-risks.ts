import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssIacFiles } from './iac-files.ts';

export const hssIacFileRisks = defineStream({
  name: 'hss_iac_file_risks',
  about: 'Risks in each checked Dockerfile or Kubernetes manifest, and how to fix them.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListIacFileRisks.html',
  group: 'images',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/container/iac/file/risks'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  parent: childOf(hssIacFiles, { file_id: 'file_id' }, { hot: { risk_num: { above: 0 } } }),
  order: [moving('last_scan_time'), fixed('risk_id')],
  schedule: '*/30 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 12 * 3_600_000,
  table: {
    schema: hss,
    name: 'iac_file_risks',
    key: ['file_id', 'risk_id'],
    fields: {
      file_id: text('Id of the file, from the request.', { max: 64, optional: true }),
      risk_id: text('Id of the risk.'),
      rule_id: text('Id of the rule that found it.'),
      risk_name: text('Name of the risk.'),
      risk_level: text('Severity; tips is a hint.', { values: ['high', 'medium', 'low', 'tips'] }),
      risk_category: text('Subject of the risk; only for manifests.', {
        values: ['control_plane', 'access_control', 'network', 'workload', 'secrets', 'node_escape'],
      }),
      risk_num: int('Number of occurrences in the file.'),
      last_scan_time: instant('When the file was last checked.', { volatile: true }),
      description: text('What the risk is.'),
      remediation: text('How to fix it.'),
      build_instruction: text('The build instruction with the risk.'),
    },
  },
});

export const { table } = drizzleTables(hssIacFileRisks);
