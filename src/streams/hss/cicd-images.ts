import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { asked, fixed, moving } from '../../core/walk/order.ts';

const SCANS = 'unscan success scanning failed download_failed image_oversized waiting_for_scan';
const FAILURES =
  'unknown_error authentication_failed download_failed image_over_sized get_detail_info_not_found image_layer_over_sized ' +
  'failed_to_scan_vulnerability failed_to_scan_file failed_to_scan_software failed_to_check_sensitive_information ' +
  'failed_to_check_baseline failed_to_check_software_compliance failed_to_query_basic_image_information ' +
  'response_timed_out database_error failed_to_send_the_scan_request';

export const hssCicdImages = defineStream({
  name: 'hss_cicd_images',
  about: 'Images scanned by CI/CD pipelines during their build, with the number of findings.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListCicdImages.html',
  group: 'images',
  onByDefault: false,
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/image/cicd/images'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [
    asked(moving('latest_scan_time'), 'desc', { sort_key: 'latest_scan_time', sort_dir: 'desc' }),
    fixed('image_id'),
  ],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'cicd_images',
    key: ['image_id', 'image_digest', 'image_version'],
    fields: {
      image_id: text('Id of the image.', { max: 128 }),
      image_digest: text('Digest of the image; empty before it is known.', { max: 128, emptyInKey: true }),
      image_version: text('Tag of the image.', { max: 64, emptyInKey: true }),
      image_name: text('Name of the image.', { max: 128 }),
      namespace: text('Organization it is in.', { max: 64 }),
      cicd_name: text('Name of the access configuration of the pipeline.', { max: 128 }),
      pipeline_type: text('Kind of pipeline.', { values: ['jenkins', 'codearts'] }),
      registry_name: text('Name of the registry.', { max: 128 }),
      registry_type: text('Kind of registry: cicd.', { values: ['cicd'] }),
      image_type: text('Kind of image: cicd.', { values: ['cicd'] }),
      latest_version: flag('Whether it is the newest version of the image.'),
      image_size: int('Size in bytes.'),
      severity_level: text('Highest severity of its findings; Security if there are none.', {
        values: ['Security', 'Low', 'Medium', 'High'],
      }),
      vul_num: int('Number of vulnerabilities.'),
      unsafe_setting_num: int('Number of failed configuration checks.'),
      malicious_file_num: int('Number of malicious files.'),
      scan_status: text('State of the scan.', { values: SCANS.split(' ') }),
      scan_failed_code: text('Why the scan failed, as a code.', { values: FAILURES.split(' ') }),
      scan_failed_desc: text('Why the scan failed.', { max: 128 }),
      latest_scan_time: instant('When it was last scanned; null before the first scan.', { volatile: true }),
      latest_update_time: instant('When this version was last changed.'),
    },
  },
});

export const { table, history } = drizzleTables(hssCicdImages);
