import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

const IMAGE_TYPES = ['registry', 'local_image'];

export const hssImageRiskConfigs = defineStream({
  name: 'hss_image_risk_configs',
  about: 'Results of the configuration checks of container images: how many rules of each baseline failed.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListImageRiskConfigs.html',
  group: 'images',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/image/baseline/risk-configs'],
    enterpriseProjects: true,
    // `local` is documented for the images of all regions; the stored spelling is that of the other lists of images.
    spellings: { image_type: { local_image: ['local', 'local_image'] } },
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Private, shared and instance images are subsets of what `registry` lists.
  listings: IMAGE_TYPES.map((image_type) => ({ image_type })),
  order: [fixed('check_name'), fixed('check_type')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'image_risk_configs',
    key: ['image_type', 'standard', 'check_type', 'check_name'],
    fields: {
      image_type: text('Which of the lists the row comes from: images in repositories, or local ones.', {
        values: ['private_image', 'shared_image', 'instance_image', ...IMAGE_TYPES],
        spellings: { local: 'local_image' },
        optional: true,
      }),
      severity: text('Highest severity of the failed rules; Security if none failed.', {
        values: ['Security', 'Low', 'Medium', 'High'],
      }),
      check_name: text('Name of the baseline.'),
      check_type: text('Type of the baseline.', { max: 256 }),
      standard: text('Standard: MLPS (China), or Huawei Cloud practice.', { values: ['cn_standard', 'hw_standard'] }),
      check_rule_num: int('Number of rules of the baseline.', { min: 0, max: 2097152 }),
      failed_rule_num: int('Number of rules that failed.', { min: 0, max: 2097152 }),
      check_type_desc: text('What the baseline checks.', { max: 65534 }),
    },
  },
});

export const { table, history } = drizzleTables(hssImageRiskConfigs);
