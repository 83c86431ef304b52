import { from, list, nothing } from '../entry.ts';

/** Clusters, containers and their declared configuration. */
export const CONTAINER_LISTS = [
  list('ListClusterRisks', {
    rows: { per: 'clusters', times: 6 },
    key: ['risk_type', 'cluster_id', 'risk_id'],
    moving: { member: 'last_scan_time', days: 1 },
    asked: { risk_type: ['risk_assessment', 'benchmark'], risk_status: 'risky' },
    changes: { change: 1 },
  }),
  list('ListClusterRiskAffectResources', {
    rows: { parent: { operation: 'ListClusterRisks', take: ['risk_id', 'cluster_id', 'cluster_name'] }, times: 2 },
    key: ['risk_id', 'resource_id'],
    moving: { member: 'last_scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 60 },
    set: { resource_type: ['Deployment', 'Pod', 'ClusterRole'] },
  }),
  list('ListClusterProtectionPolicy', {
    rows: { per: 'clusters', times: 2 },
    key: ['cluster_id', 'policy_id'],
    moving: { member: 'update_time', days: 30 },
    fixed: { member: 'create_time', days: 90 },
    set: { status: 'deployed' },
  }),
  list('ListContainers', {
    rows: { per: 'containers' },
    key: ['cluster_id', 'container_id'],
    fixed: { member: 'create_time', days: 60 },
    asked: { cluster_container: true },
    set: { status: 'Running' },
    changes: { change: 3, add: 1 },
  }),
  list('ListIacFiles', {
    rows: { times: 24 },
    key: ['scan_type', 'file_id'],
    moving: { member: 'last_scan_time', days: 5 },
    fixed: { member: 'first_scan_time', days: 60 },
    changes: { change: 1 },
  }),
  list('ListIacFileRisks', {
    rows: { parent: { operation: 'ListIacFiles', take: ['file_id'] }, times: 3 },
    key: ['file_id', 'risk_id'],
    moving: { member: 'last_scan_time', days: 5 },
  }),
  list('ListWebTamperEvent', {
    rows: { times: 60, with: ['containers', 'hosts'] },
    key: ['host_id', 'container_id', 'file_path', 'process_pid', 'event_time'],
    fixed: { member: 'event_time', days: 60 },
    asked: { type: 'container_wtp' },
    set: { process_env: ['host', 'container'] },
    window: { from: 'start_event_time', to: 'end_event_time' },
    changes: { add: 1 },
  }),
  list('ListHostProtectHistoryInfo', {
    rows: { times: 70, with: ['hosts'] },
    key: ['host_ip', 'occur_time', 'file_path'],
    fixed: { member: 'occur_time', days: 60 },
    set: { occr_time: nothing, host_ip: from('private_ip') },
    window: { from: 'start_time', to: 'end_time' },
    changes: { add: 1 },
  }),
  list('ListHostRaspProtectHistoryInfo', {
    rows: { times: 40, with: ['hosts'] },
    key: ['host_ip', 'alarm_time', 'source_ip'],
    fixed: { member: 'alarm_time', days: 60 },
    set: { host_ip: from('private_ip'), threat_type: ['SQL injection', 'Path traversal', 'Deserialization'] },
    window: { from: 'start_time', to: 'end_time' },
    changes: { add: 1 },
  }),
];
