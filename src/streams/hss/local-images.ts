import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

const FAILURES =
  'unknown_error failed_to_match_agent create_container_failed get_container_info_failed docker_offline ' +
  'get_docker_root_failed image_not_exist_or_docker_api_fault huge_image docker_root_in_nfs response_timed_out';
/** An image built on the host has no digest, and may have no tag. */
const emptyInKey = true;

export const hssLocalImages = defineStream({
  name: 'hss_local_images',
  about: 'Images on the hosts that run containers, with their scans and number of findings.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListImageLocal.html',
  group: 'images',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/image/local-repositories'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [moving('latest_scan_time'), fixed('latest_update_time')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'local_images',
    // A host can have one image under several names and tags.
    key: ['image_id', 'image_digest', 'image_name', 'image_version', 'host_id', 'agent_id'],
    indexes: [['host_id']],
    fields: {
      image_id: text('Id of the image.', { max: 64 }),
      image_digest: text('Digest of the image; empty for an image built on the host.', { max: 128, emptyInKey }),
      image_name: text('Name of the image.', { max: 256, emptyInKey }),
      image_version: text('Tag of the image.', { max: 256, emptyInKey }),
      host_id: text('Id of the host.', { max: 128, emptyInKey }),
      agent_id: text('Id of the agent of the host.', { max: 128, emptyInKey }),
      host_name: text('Name of the host.', { max: 64 }),
      local_image_type: text('Whether it comes from SWR.', { values: ['swr_image', 'other_image'] }),
      image_size: int('Size in bytes.'),
      severity_level: text('Highest severity of its findings; Security if there are none.', {
        values: ['Security', 'Low', 'Medium', 'High'],
      }),
      vul_num: int('Number of vulnerabilities.'),
      unsafe_setting_num: int('Number of failed configuration checks.'),
      malicious_file_num: int('Number of malicious files.'),
      component_num: int('Number of software components in it.'),
      host_num: int('Number of affected hosts.', { volatile: true }),
      container_num: int('Number of containers made from it.', { volatile: true }),
      scan_status: text('State of the scan.', { values: ['unscan', 'success', 'scanning', 'failed', 'waiting'] }),
      scan_failed_desc: text('Why the scan failed.', { values: FAILURES.split(' ') }),
      non_scan_reason: text('Why it cannot be scanned.', { max: 1024 }),
      latest_update_time: instant('When this version was last created or changed.'),
      latest_scan_time: instant('When it was last scanned; null before the first scan.', { volatile: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssLocalImages);
