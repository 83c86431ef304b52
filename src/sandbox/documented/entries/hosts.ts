import { from, list, nothing } from '../entry.ts';

/** Hosts, their protection, and their login settings. */
export const HOST_LISTS = [
  list('ListHostStatus', {
    rows: { per: 'hosts' },
    key: ['host_id'],
    set: { expire_time: [-1, 1_893_456_000_000], install_result_code: 'install_succeed', host_sources: 'ecs' },
  }),
  list('ListContainerNodes', {
    rows: { per: 'hosts', only: ({ cluster_id }) => cluster_id !== '' },
    key: ['host_id'],
    set: { is_container_node: true, container_tags: 'cce' },
  }),
  list('ListRansomwareProtectionNodes', {
    rows: { per: 'hosts' },
    key: ['host_id'],
    set: { ransom_protection_fail_reason: nothing, host_source: 'ecs' },
  }),
  list('ListQuotasDetail', {
    rows: { per: 'hosts', only: ({ protect_status }) => protect_status === 'opened' },
    key: ['resource_id'],
    set: {
      expire_time: [-1, 1_893_456_000_000],
      quota_status: ['normal', 'normal', 'normal', 'expired'],
      used_status: 'used',
    },
  }),
  list('ListUsers', {
    rows: { per: 'hosts', times: 3, with: ['people'] },
    key: ['host_id', 'user_name'],
    moving: { member: 'recent_scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 90 },
    asked: { category: 'host' },
    set: { container_id: '', container_name: '', host_ip: from('private_ip') },
  }),
  list('ListUserChangeHistories', {
    rows: { times: 120, with: ['hosts', 'people'] },
    key: ['host_id', 'user_name', 'change_type', 'recent_scan_time'],
    fixed: { member: 'recent_scan_time', days: 90 },
    window: { from: 'start_time', to: 'end_time' },
    changes: { add: 1 },
  }),
  list('ListAppChangeHistories', {
    rows: { times: 300, with: ['hosts'] },
    key: ['host_id', 'app_name', 'variation_type', 'recent_scan_time'],
    fixed: { member: 'recent_scan_time', days: 90 },
    window: { from: 'start_time', to: 'end_time' },
    set: { app_name: ['openssl', 'curl', 'nginx', 'docker-engine', 'python3'] },
    changes: { add: 1 },
  }),
  list('ListAutoLaunchChangeHistories', {
    rows: { times: 150, with: ['hosts'] },
    key: ['host_id', 'name', 'path', 'variation_type', 'recent_scan_time'],
    fixed: { member: 'recent_scan_time', days: 90 },
    window: { from: 'start_time', to: 'end_time' },
    changes: { add: 1 },
  }),
  list('ListPolicyGroup', {
    // One for each group that hosts are in: further rows with its key are not added.
    rows: { per: 'hosts' },
    key: ['group_id'],
    set: { group_id: from('policy_group_id'), group_name: from('policy_group_name') },
  }),
];
