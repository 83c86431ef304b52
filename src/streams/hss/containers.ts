import { offsetPaging } from '../../core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';

export const hssContainers = defineStream({
  name: 'hss_containers',
  about: 'Current and former containers, inside and outside of clusters, with the number of risks in each.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListContainers.html',
  group: 'containers',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/container/kubernetes'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  // Without this parameter the API lists only containers outside of clusters.
  listings: [{ cluster_container: 'true' }, { cluster_container: 'false' }],
  order: [fixed('create_time'), fixed('container_id')],
  history: true,
  schedule: '*/15 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 3_600_000,
  table: {
    schema: hss,
    name: 'containers',
    key: ['cluster_container', 'cluster_id', 'container_id'],
    indexes: [['cluster_id']],
    fields: {
      cluster_container: text(
        'Which of the two lists the row comes from: true for containers in clusters, false for others.',
        { values: ['true', 'false'], optional: true },
      ),
      id: text('Id of the record.', { max: 255 }),
      region_id: text('Region it runs in.', { max: 255 }),
      container_id: text('Id of the container.', { max: 255 }),
      container_name: text('Name of the container.', { max: 255 }),
      image_name: text('Image it runs.', { max: 255 }),
      status: text('State of the container.', { values: ['Running', 'Terminated', 'Waiting'] }),
      create_time: instant('When it was created.'),
      cpu_limit: text('Limit of its CPU, as Kubernetes writes it.', { max: 64 }),
      memory_limit: text('Limit of its memory, as Kubernetes writes it.', { max: 64 }),
      restart_count: int('Number of times that it was restarted.', { min: 0, max: 20, volatile: true }),
      pod_name: text('Pod it belongs to.', { max: 64 }),
      cluster_name: text('Name of the cluster; empty outside of clusters.', { max: 64 }),
      cluster_id: text('Id of the cluster, as in the other tables about clusters; empty outside of clusters.', {
        max: 64,
        emptyInKey: true,
      }),
      cluster_type: text('Where the cluster runs: cce, another cloud, self-built, or plain k8s.', {
        values: ['k8s', 'cce', 'ali', 'tencent', 'azure', 'aws', 'self_built_hw', 'self_built_idc'],
      }),
      risky: flag('Whether it has risks.'),
      low_risk: int('Number of risks of low severity.', { volatile: true }),
      medium_risk: int('Number of risks of medium severity.', { volatile: true }),
      high_risk: int('Number of risks of high severity.', { volatile: true }),
      fatal_risk: int('Number of critical risks.', { volatile: true }),
    },
  },
});

export const { table, history } = drizzleTables(hssContainers);
