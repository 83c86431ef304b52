import { offsetPaging } from '../../core/stream/endpoint.ts';
import { identity, inside, instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { drizzleTables, hss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { AGENT_STATUS, ASSET_VALUE, HOST_STATUS, OS_TYPE } from './host-fields.ts';

const max = 256;
/** Records have no id. */
const IDENTITY = [
  'host_info_host_id',
  'container_info_container_id',
  'file_path',
  'process_path',
  'process_pid',
  'event_time',
];

export const hssContainerWebtamperEvents = defineStream({
  name: 'hss_container_webtamper_events',
  about: 'Attempts to change protected files of web sites in containers: which file, by which process, and where.',
  document: 'https://support.huaweicloud.com/api-hss2.0/ListWebTamperEvent.html',
  group: 'webtamper',
  onByDefault: false,
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/webtamper/events'],
    query: { type: 'container_wtp' }, // required, and the only one there is
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('event_time')],
  appendOnly: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 24 * 3_600_000,
  targetMs: 30 * 60_000,
  table: {
    schema: hss,
    name: 'container_webtamper_events',
    key: ['event_key'],
    indexes: [['event_time']],
    fields: {
      event_key: identity('Identity of the event: a SHA-256 over host, container, file, process and time.', IDENTITY),
      event_time: instant('When it was detected.'),
      event_description: text('What happened.', { max: 512 }),
      web_app_name: text('Name of the web application.', { max: 128 }),
      file_path: text('Path of the file.', { max }),
      process_path: text('Path of the process.', { max }),
      process_cmd: text('Command line of the process.', { max }),
      process_pid: int('Id of the process.'),
      process_env: text('Whether the process runs on the host or in the container.', { max: 32 }),
      ...inside('host_info', {
        host_id: text('Id of the host.', { max: 128 }),
        host_name: text('Name of the host.', { max }),
        public_ip: text('Elastic IP address of the host; empty without one.', { max: 128 }),
        private_ip: text('Private IP address of the host.', { max: 128 }),
        asset_value: text('Importance of the host.', { values: ASSET_VALUE }),
        os_type: text('Linux or Windows.', { values: OS_TYPE }),
        os_name: text('Operating system of the host.', { max: 128 }),
        host_status: text('State of the machine.', { values: HOST_STATUS, volatile: true }),
        agent_status: text('State of the agent.', { values: AGENT_STATUS, volatile: true }),
      }),
      ...inside('container_info', {
        image_name: text('Name of the image.', { max }),
        image_version: text('Tag of the image.', { max }),
        container_id: text('Id of the container.', { max }),
        container_name: text('Name of the container.', { max }),
        pod_name: text('Name of the pod.', { max }),
        pod_ip: text('IP address of the pod.', { max }),
        namespace: text('Namespace of the pod.', { max }),
        cluster_id: text('Id of the cluster.', { max: 128 }),
        cluster_name: text('Name of the cluster.', { max }),
      }),
    },
  },
});

export const { table } = drizzleTables(hssContainerWebtamperEvents);
