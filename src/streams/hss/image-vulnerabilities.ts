import { offsetPaging } from '../../core/stream/endpoint.ts';
import { decimal, instant, int, json, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { cveTable } from './vulnerability-values.ts';

const IMAGE_TYPES = ['local_image', 'registry', 'cicd', 'cluster'];

const listings = IMAGE_TYPES.flatMap((image_type) =>
  ['linux_vul', 'app_vul'].flatMap((type) =>
    ['handled', 'unhandled'].map((handle_status) => ({ image_type, type, handle_status })),
  ),
);

export const hssImageVulnerabilities = defineStream({
  name: 'hss_image_vulnerabilities',
  about: 'Vulnerabilities found in container images, one row for each image type and handling state.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListGeneralImageVuls.html',
  group: 'images',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/images/vulnerabilities'],
    enterpriseProjects: true,
    // This list documents `local`, the handling history both spellings; `local_image` is stored.
    spellings: { image_type: { local_image: ['local', 'local_image'] } },
  },
  paging: offsetPaging({ list: 'data_list' }),
  listings,
  order: [moving('scan_time'), fixed('vul_id')],
  history: true,
  members: { cve_list: cveTable('image_vulnerability_cves', 'Which CVEs a vulnerability of images stands for.') },
  schedule: '*/10 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'image_vulnerabilities',
    key: ['image_type', 'handle_status', 'type', 'vul_id'],
    indexes: [['vul_id'], ['severity_level']],
    fields: {
      vul_id: text('Id of the vulnerability.', { max: 128 }),
      vul_name: text('Name of the vulnerability.', { max: 128 }),
      image_type: text('Where the images are: on hosts (local_image), in a registry, a CI/CD pipeline or a cluster.', {
        values: IMAGE_TYPES,
        spellings: { local: 'local_image' },
        optional: true,
      }),
      type: text('linux_vul for system packages, app_vul for application libraries.', {
        values: ['linux_vul', 'app_vul'],
        optional: true,
      }),
      handle_status: text('Which of the two lists the row comes from: unhandled or handled.', {
        values: ['unhandled', 'handled'],
        optional: true,
      }),
      severity_level: text('Severity.', { values: ['Critical', 'High', 'Medium', 'Low'] }),
      max_cvss_score: decimal('Highest CVSS score of its CVEs.', { min: 0, max: 10 }),
      cve_list: json('Its CVEs: a list of objects with cve_id and cvss.'),
      label_list: json('Labels of the vulnerability.'),
      image_num: int('Number of affected images.'),
      cluster_num: int('Number of affected clusters.', { optional: true }),
      scan_time: instant('When it was last found by a scan.', { volatile: true }),
      description: text('What the vulnerability is.', { optional: true }),
      url: text('Where to read more.', { optional: true }),
      solution_detail: text('How to fix it.', { optional: true }),
    },
  },
});

export const { table, history, cve_list } = drizzleTables(hssImageVulnerabilities);
