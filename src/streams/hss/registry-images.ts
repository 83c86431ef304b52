import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { asked, fixed, moving } from '../../core/walk/order.ts';

const KINDS = ['private_image', 'shared_image', 'instance_image', 'harbor', 'jfrog'];
const REGISTRIES = ['SwrPrivate', 'SwrShared', 'SwrEnterprise', 'Harbor', 'Jfrog', 'Other'];
const SCANS = 'unscan success scanning failed download_failed image_oversized waiting_for_scan';
const FAILURES = (
  'unknown_error authentication_failed download_failed image_over_sized get_detail_info_not_found image_layer_over_sized ' +
  'schema_v1_not_support access_swr_failed swr_authentication_error failed_to_scan_vulnerability failed_to_scan_file ' +
  'failed_to_scan_software failed_to_check_sensitive_information failed_to_check_baseline ' +
  'failed_to_check_software_compliance failed_to_query_basic_image_information failed_to_check_build_cmd ' +
  'response_timed_out database_error failed_to_send_the_scan_request'
).split(' ');

export const hssRegistryImages = defineStream({
  name: 'hss_registry_images',
  about: 'Images in registries, with their scans and number of findings.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListRegistryImages.html',
  group: 'images',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/image/registries/images'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [asked(moving('latest_scan_time'), 'desc', { sort_key: 'latest_scan_time', sort_dir: 'desc' }), fixed('id')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'registry_images',
    key: ['id'],
    indexes: [['image_id']],
    fields: {
      id: int('Id of the record: one version of an image in one registry.'),
      image_id: text('Id of the image.', { max: 64 }),
      image_name: text('Name of the image.', { max: 128 }),
      image_version: text('Tag of the image.', { max: 64 }),
      image_digest: text('Digest of the image.', { max: 128 }),
      image_type: text('Kind of image: private or shared in SWR, of an enterprise instance, of Harbor or JFrog.', {
        values: KINDS,
      }),
      namespace: text('Organization it is in.', { max: 64 }),
      latest_version: flag('Whether it is the newest version of the image.'),
      is_multiple_arch: flag('Whether it is a multi-architecture image.'),
      association_images: json('The images for each architecture, with their number of findings.'),
      image_size: int('Size in bytes.'),
      severity_level: text('Highest severity of its findings; Security if there are none.', {
        values: ['Security', 'Low', 'Medium', 'High'],
      }),
      vul_num: int('Number of vulnerabilities.'),
      unsafe_setting_num: int('Number of failed configuration checks.'),
      malicious_file_num: int('Number of malicious files.'),
      scannable: flag('Whether it can be scanned.'),
      scan_status: text('State of the scan.', { values: SCANS.split(' ') }),
      scan_failed_code: text('Why the scan failed, as a code.', { values: FAILURES }),
      scan_failed_desc: text('Why the scan failed.', { values: FAILURES }),
      latest_scan_time: instant('When it was last scanned; null before the first scan.', { volatile: true }),
      latest_update_time: instant('When this version was last pushed.'),
      latest_sync_time: instant('When the service last synchronized the registry.', { volatile: true }),
      registry_id: text('Id of the registry.', { max: 64 }),
      registry_name: text('Name of the registry.', { max: 128 }),
      registry_type: text('Kind of registry.', { values: REGISTRIES }),
      domain_name: text('Owner of a shared image.', { max: 128 }),
      shared_status: text('Whether the sharing of a shared image is in force.', { values: ['expired', 'effective'] }),
      instance_id: text('Id of the enterprise instance of SWR.', { max: 64 }),
      instance_name: text('Name of that instance.', { max: 128 }),
      instance_url: text('Address of that instance.', { max: 256 }),
    },
  },
});

export const { table, history } = drizzleTables(hssRegistryImages);
