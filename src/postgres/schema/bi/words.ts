import type { Words } from './view.ts';

// What the values of the API's enumerations mean. The documents name only some of them; the others were seen in examples.

export const ACTION: Words = {
  warn: 'Warned',
  alert: 'Warned',
  deny: 'Blocked',
  block: 'Blocked',
  dryrun: 'Only recorded',
};

export const HANDLE_STATUS: Words = { unhandled: 'Open', handled: 'Handled' };

export const CLUSTER_SEVERITY: Words = { Security: 'No risk found', Insecurity: 'At risk' };

export const CLUSTER_CATEGORY: Words = { CCE: 'CCE standard', Turbo: 'CCE Turbo' };

export const CLUSTER_TYPE: Words = {
  cce: 'Huawei Cloud CCE',
  k8s: 'Kubernetes',
  ali: 'Alibaba Cloud',
  tencent: 'Tencent Cloud',
  azure: 'Azure',
  aws: 'AWS',
  self_built_hw: 'Self-built on Huawei Cloud',
  self_built_idc: 'Self-built in a data centre',
};

export const PROTECTION: Words = {
  unprotected: 'Not protected',
  'plugin error': 'Plugin does not work',
  'protected with policy': 'Protected, by policies',
  'protected without policy': 'Protected, without a policy',
  'deploy policy failed': 'Policies could not be deployed',
  uninstall: 'Being uninstalled',
  'uninstall failed': 'Could not be uninstalled',
};

export const CLUSTER_STATUS: Words = { Available: 'Available', Unavailable: 'Not available' };

export const IMAGE_TYPE: Words = {
  local_image: 'Local images',
  registry: 'Registry images',
  cicd: 'CI/CD images',
  cluster: 'Cluster images',
};

export const VULNERABILITY_TYPE: Words = { linux_vul: 'System packages', app_vul: 'Application libraries' };

export const HANDLE_TYPE: Words = {
  ignore: 'Ignored',
  not_ignore: 'No longer ignored',
  add_to_whitelist: 'Added to the allowlist',
  manual_repair: 'Repaired by hand',
  immediate_repair: 'Repaired by the service',
  verify: 'Verified',
};

export const VULNERABILITY_STATUS: Words = {
  vul_status_unfix: 'Not fixed',
  vul_status_ignored: 'Ignored',
  vul_status_fixed: 'Fixed',
  vul_status_verified: 'Verified',
  vul_status_fixing: 'Being fixed',
  vul_status_reboot: 'Fixed after a restart',
  vul_status_fix_after_reboot: 'To be fixed after a restart',
  vul_status_failed: 'Could not be fixed',
};

export const REPORT_TYPE: Words = {
  AUDIT_REPORT_DAY: 'Daily',
  AUDIT_REPORT_WEEK: 'Weekly',
  AUDIT_REPORT_MONTH: 'Monthly',
  AUDIT_REPORT_YEAR: 'Yearly',
  AUDIT_REPORT_REAL_TIME: 'On demand',
};

export const INSTANCE_STATUS: Words = {
  ACTIVE: 'Running',
  SHUTOFF: 'Stopped',
  BUILD: 'Being created',
  DELETING: 'Being deleted',
  DELETED: 'Deleted',
  ERROR: 'Faulty',
  HAWAIT: 'Waiting for its standby',
  FROZEN: 'Frozen',
  UPGRADING: 'Being upgraded',
};

export const CHARGE_MODEL: Words = { Period: 'Subscription', Demand: 'Pay per use' };

export const RUN_STATUS: Words = {
  running: 'Running',
  succeeded: 'Succeeded',
  incomplete: 'Incomplete',
  failed: 'Failed',
  abandoned: 'Abandoned: its process is gone',
};

export const WALK: Words = { probe: 'First page only', head: 'Newest rows', full: 'Everything' };

export const CERTIFICATE: Words = { complete: 'Proven complete', incomplete: 'Not proven complete' };

export const REASON: Words = {
  unordered: 'The list moved and has no order that would prove it complete',
  ties: 'The list moved and too many of its rows share one time',
  moving: 'The list moved faster than it could be read',
  count: 'The list says that it has more rows than could be read',
  key: 'Two records have the same key, so the key of the table is wrong: one of them is a reject',
  capped: 'The API shows only the first rows of the list',
  'suspicious-shrink': 'More rows vanished at once than is believable',
  'default-project': 'The list shows nothing for all enterprise projects, but rows for the default one',
  'other-list': 'Rows came that belong to another list than the one asked for',
  'partial-answer': 'An error code came beside the rows, so some may be missing',
  'old-answer': 'The answers were older than the requests, as from a cache',
  refused: 'The API refused to show the list',
  parents: 'The lists that say what to ask for are not proven complete',
  'not-asked': 'Some lists were not due or not affordable yet',
  interrupted: 'The run ended before the list was read',
};
