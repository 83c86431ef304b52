import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';
import { hssImageVulnerabilities } from './image-vulnerabilities.ts';

const PARAMS = { image_type: 'image_type', type: 'type', handle_status: 'handle_status', vul_id: 'vul_id' };
const REGISTRIES = ['Harbor', 'Jfrog', 'SwrPrivate', 'SwrShared', 'SwrEnterprise', 'Other'];
/** Images on hosts have no registry; images in a registry have no agent. */
const emptyInKey = true;

export const hssVulnerableImages = defineStream({
  name: 'hss_vulnerable_images',
  about: 'Vulnerabilities of each image, since when, and whether they are handled: one row per finding.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListVulAffectImages.html',
  group: 'images',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/vulnerability/images'],
    enterpriseProjects: true,
    names: { handle_status: 'is_handled' },
    // Requests use `local`, responses `local_image`; `local_image` is stored.
    spellings: {
      image_type: { local_image: ['local', 'local_image'] },
      handle_status: { handled: ['true'], unhandled: ['false'] },
    },
  },
  paging: offsetPaging({ list: 'data_list' }),
  parent: childOf(hssImageVulnerabilities, PARAMS, { hot: { handle_status: 'unhandled', image_num: { above: 0 } } }),
  order: [moving('latest_scan_time'), fixed('first_scan_time')],
  history: true,
  schedule: '*/10 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 12 * 3_600_000,
  table: {
    schema: hss,
    name: 'vulnerable_images',
    key: [...Object.keys(PARAMS), 'image_id', 'image_digest', 'image_version', 'agent_id'],
    indexes: [['vul_id'], ['image_id']],
    fields: {
      vul_id: text('Id of the vulnerability.', { max: 256 }),
      type: text('linux_vul for system packages, app_vul for application libraries; from the request.', {
        values: ['linux_vul', 'app_vul'],
        optional: true,
      }),
      handle_status: text('Which of the two lists the row comes from: unhandled or handled.', {
        values: ['unhandled', 'handled'],
        optional: true,
      }),
      image_type: text('Where the image is: on a host (local_image), in a registry, a CI/CD pipeline or a cluster.', {
        values: ['local_image', 'registry', 'cicd', 'cluster'],
        spellings: { local: 'local_image' },
      }),
      image_id: text('Id of the image.', { max: 256 }),
      image_digest: text('Digest of the image.', { max: 256, emptyInKey }),
      image_version: text('Tag of the image.', { max: 64, emptyInKey }),
      agent_id: text('Id of the agent on the host that holds the image.', { max: 128, emptyInKey }),
      image_name: text('Name of the image.', { max: 512 }),
      image_size: text('Size of the image, as the API writes it.', { max: 128 }),
      is_multi_arch: flag('Whether it is a multi-architecture image.'),
      status: text('State of the finding: not repaired, or ignored.', {
        values: ['vul_status_unfix', 'vul_status_ignored'],
      }),
      repair_necessity: text('Severity.', { values: ['Low', 'Medium', 'High', 'Critical'] }),
      container_num: int('Number of containers made from the image.', { volatile: true }),
      first_scan_time: instant('When it was first found.'),
      latest_scan_time: instant('When it was last found.', { volatile: true }),
      organization: text('Organization the image is in.', { max: 256 }),
      registry_name: text('Name of the registry.', { max: 256 }),
      registry_type: text('Kind of registry.', { values: REGISTRIES }),
      cluster_id: text('Id of the cluster that runs the image.', { max: 128 }),
      cluster_name: text('Name of that cluster.', { max: 256 }),
    },
  },
});

export const { table, history } = drizzleTables(hssVulnerableImages);
