import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const hssIacFiles = defineStream({
  name: 'hss_iac_files',
  about: 'Dockerfiles and Kubernetes manifests that were checked, with the number of risks in each.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListIacFiles.html',
  group: 'images',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/container/iac/files'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  listings: [{ scan_type: 'manual_scan' }, { scan_type: 'cicd_scan' }],
  order: [moving('last_scan_time'), fixed('first_scan_time')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: hss,
    name: 'iac_files',
    key: ['scan_type', 'file_id'],
    fields: {
      file_id: text('Id of the file.', { max: 64 }),
      file_name: text('Name of the file.', { max: 512 }),
      file_type: text('Whether it is a Dockerfile or a Kubernetes manifest.', { values: ['dockerfile', 'k8s_yaml'] }),
      risky: flag('Whether it has risks.'),
      risk_num: int('Number of its risks.'),
      first_scan_time: instant('When it was first checked.'),
      last_scan_time: instant('When it was last checked.', { volatile: true }),
      upload_file_time: instant('When it was uploaded.'),
      cicd_id: text('Id of the pipeline it comes from; empty without one.', { max: 128 }),
      cicd_name: text('Name of the pipeline.', { max: 128 }),
      scan_type: text('How the check was started: by hand, or by a pipeline.', {
        values: ['manual_scan', 'cicd_scan'],
      }),
    },
  },
});

export const { table, history } = drizzleTables(hssIacFiles);
