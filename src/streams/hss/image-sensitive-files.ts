import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssImageSensitiveFiles = defineStream({
  name: 'hss_image_sensitive_files',
  about:
    'Files in images with passwords, keys or other secrets, and the rule that found them. The secrets are not stored.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListImageSensitiveInfo.html',
  group: 'images',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/image/sensitive-information'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Without this parameter the API lists only images in registries.
  listings: [{ image_type: 'registry' }, { image_type: 'cicd' }],
  order: [moving('latest_scan_time'), fixed('sensitive_info_id')],
  secrets: { content: 'the text that was found in the file, which is the secret itself' },
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'image_sensitive_files',
    key: ['image_type', 'sensitive_info_id'],
    fields: {
      image_type: text('Where the image is: in a registry or in a pipeline (cicd); from the request.', {
        values: ['registry', 'cicd'],
        optional: true,
      }),
      sensitive_info_id: text('Id of the finding.', { max: 128 }),
      severity: text('Severity.', { values: ['critical', 'high', 'medium', 'low'] }),
      name: text('Name of the rule that found it.', { max: 128 }),
      description: text('What the rule detects.', { max: 128 }),
      position: text('Layer of the image.', { max: 128 }),
      file_path: text('Path of the file in the image.', { max: 128 }),
      handle_status: text('Whether it was handled.', { values: ['unhandled', 'handled'] }),
      operate_accept: text('Possible action: ignore, or un-ignore.', {
        values: ['ignore', 'do_not_ignore'],
        volatile: true,
      }),
      latest_scan_time: instant('When it was last found.', { volatile: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssImageSensitiveFiles);
