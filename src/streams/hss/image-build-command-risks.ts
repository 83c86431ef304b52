import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssImageBuildCommandRisks = defineStream({
  name: 'hss_image_build_command_risks',
  about: 'Risks in the build commands of container images, and the number of affected images.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListImageBuildCommandRisks.html',
  group: 'images',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/image/build-command-risks'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  listings: [{ image_type: 'cicd' }, { image_type: 'registry' }],
  order: [moving('latest_scan_time'), fixed('risk_id')],
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'image_build_command_risks',
    key: ['image_type', 'risk_id'],
    fields: {
      latest_scan_time: instant('When it was last found.', { volatile: true }),
      image_num: int('Number of images built with such a command.', { min: 0, max: 2097152, volatile: true }),
      risk_id: text('Id of the risk.', { max: 64 }),
      rule_id: text('Id of the rule that found it.', { max: 64 }),
      risk_name: text('Name of the risk.', { max: 512 }),
      risk_level: text('Severity.', { values: ['critical', 'high', 'medium', 'low'] }),
      description: text('What the risk is.', { max: 65534 }),
      image_type: text('Where the images are: cicd in a pipeline, registry in a repository.', { max: 32 }),
    },
  },
});

export const { table } = drizzleTables(hssImageBuildCommandRisks);
