import { IMAGE_TYPES } from '../estate/vulnerabilities.ts';
import type { Call, ProjectHandler } from '../server/call.ts';
import type { Operation } from '../server/operations.ts';
import { dbssInteger, hssOptional, hssRequired, hssRequiredChoice, hssWindow } from '../server/parameters.ts';
import { ok, permissionError, type Reply } from '../server/replies.ts';
import { notOffered, offered } from './dbss-lists.ts';
import { hssList } from './hss-lists.ts';
import { AUDIT_REPORTS, CLUSTER_EVENTS_EN, CLUSTER_EVENTS_ZH, CLUSTER_REPORTS, HANDLE_HISTORY } from './published.ts';
import { historyImageType } from './vulnerability-lists.ts';

/** The one vulnerability with a handling history in the published examples. */
export const EXAMPLE_VULNERABILITY_ID = 'HCVD-APP-CVE-2020-15123';
/** The one audit instance with reports in the published examples. */
export const EXAMPLE_INSTANCE_ID = '0f3d3c1c-5b6e-4f0a-9c1d-3a7be1c20c01';

const EVENT_CLUSTER_ID = '44753d6c-415e-11ee-834b-0255ac1001b2';
const REPORT_CLUSTER_ID = '43411c30-450b-11f0-a624-0251b7';

/**
 * Handlers that return the published responses byte for byte. Later pages and filtered lists are empty; the parent
 * lists contain only what leads to the examples.
 */
export const EXAMPLES: Readonly<Partial<Record<Operation, ProjectHandler>>> = {
  ListClusterEvents: ({ settings, query }) => {
    const { offset } = hssWindow(query, 'required');
    const english = settings.eventsDocument === 'en';
    const total = english ? 1 : 2;
    if ((hssOptional(query, 'cluster_id') ?? EVENT_CLUSTER_ID) !== EVENT_CLUSTER_ID) return hssList(0, []);
    return offset === 0 ? ok(english ? CLUSTER_EVENTS_EN : CLUSTER_EVENTS_ZH) : hssList(total, []);
  },
  ListSecurityCheckClusterReports: ({ query }) => {
    const { offset } = hssWindow(query, 'optional');
    if ((hssOptional(query, 'cluster_id') ?? REPORT_CLUSTER_ID) !== REPORT_CLUSTER_ID) return hssList(0, []);
    return offset === 0 ? ok(CLUSTER_REPORTS) : hssList(1, []);
  },
  ListGeneralImageVulOperations: ({ settings, query }) => {
    const { offset } = hssWindow(query, 'optional');
    const id = hssRequired(query, 'vul_id');
    // The published pages have both spellings.
    const imageType = historyImageType(hssRequired(query, 'image_type'), { ...settings, imageTypeSpelling: 'both' });
    if (id !== EXAMPLE_VULNERABILITY_ID || imageType !== 'local') return hssList(0, []);
    return offset === 0 ? ok(HANDLE_HISTORY) : hssList(1, []);
  },
  ListGeneralImageVuls: ({ query, settings }) => {
    const { offset } = hssWindow(query, 'optional');
    const type = hssRequiredChoice(query, 'type', ['linux_vul', 'app_vul']);
    const status = hssRequiredChoice(query, 'handle_status', ['unhandled', 'handled']);
    const imageType = hssRequiredChoice(query, 'image_type', IMAGE_TYPES);
    if (type !== 'app_vul' || status !== 'handled' || imageType !== 'local') return hssList(0, []);
    return hssList(1, offset === 0 ? [vulnerability(settings.now())] : []);
  },
  ListClusterProtectionInfo: ({ query }) => {
    const { offset } = hssWindow(query, 'required');
    const clusters = [EVENT_CLUSTER_ID, REPORT_CLUSTER_ID].map((id, index) =>
      JSON.stringify({
        cluster_name: index === 0 ? 'test-lby' : 'clusterName',
        cluster_id: id,
        cluster_version: 'v1.25.5-r0',
        protect_status: 'protected with policy',
        policy_num: 1,
        cluster_status: 'Available',
        cluster_type: 'cce',
      }),
    );
    return hssList(clusters.length, clusters.slice(offset));
  },
  ListKubernetesClusterDetails: ({ query }) => {
    const { offset } = hssWindow(query, 'optional');
    const clusters = [EVENT_CLUSTER_ID, REPORT_CLUSTER_ID].map((id, index) =>
      JSON.stringify({
        id,
        cluster_name: index === 0 ? 'test-lby' : 'clusterName',
        cluster_id: id,
        cluster_type: 'cce',
        status: 'Available',
        version: 'v1.25.5-r0',
        total_nodes_number: 1,
        active_nodes_number: 1,
        creation_timestamp: 1_692_000_000_000,
        last_scan_time: 1_755_505_273_836,
        sys_vul_num: 0,
        app_vul_num: 0,
        emg_vul_num: 0,
        risk_assess_num: 0,
        sec_comp_num: 0,
      }),
    );
    return hssList(clusters.length, clusters.slice(offset), { key: 'cluster_info_list' });
  },
  ListAuditReports: ({ params, body }) => {
    const page = dbssInteger(body, 'page');
    dbssInteger(body, 'size');
    if (params.instance_id !== EXAMPLE_INSTANCE_ID) return permissionError('dbss', 'the instance');
    return page === 1 ? ok(AUDIT_REPORTS) : ok('{"total":1,"reports":[]}');
  },
  ListAuditInstancesLast: (call) =>
    offered(call.settings, 'v2') ? instances('instances', 'id') : notOffered(call.requestId),
  ListAuditInstancesNew: (call) => (offered(call.settings, 'v1') ? v1Instances(call) : notOffered(call.requestId)),
  ListAuditInstances: (call) =>
    offered(call.settings, 'v1-dbss') ? instances('servers', 'id') : notOffered(call.requestId),
};

function v1Instances({ settings }: Call): Reply {
  return settings.v1InstanceShape === 'servers' ? instances('servers', 'id') : instances('instances', 'instance_id');
}

function instances(listKey: string, idKey: string): Reply {
  const instance = {
    [idKey]: EXAMPLE_INSTANCE_ID,
    name: 'DBSS-example',
    status: 'ACTIVE',
    created: '2025-06-01 02:00:00',
  };
  return ok(JSON.stringify({ total: 1, [listKey]: [instance] }));
}

function vulnerability(now: number): string {
  return JSON.stringify({
    vul_name: 'async-http-client vulnerability',
    vul_id: EXAMPLE_VULNERABILITY_ID,
    type: 'app_vul',
    image_type: 'local',
    label_list: [],
    severity_level: 'High',
    image_num: 1,
    cluster_num: 0,
    cve_list: [{ cve_id: 'CVE-2020-15123', cvss: 7.4 }],
    max_cvss_score: 7.4,
    scan_time: now - (now % 86_400_000),
    description: '',
    url: '',
    solution_detail: '',
  });
}
