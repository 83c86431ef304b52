import type { Words } from './view.ts';

// Meanings of the API's enumeration values. The documents name only some of them; the others are from examples.

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

/** Of findings on hosts, where `verified` is a check in progress. */
export const FINDING_STATUS: Words = {
  vul_status_unfix: 'Not repaired',
  vul_status_ignored: 'Ignored',
  vul_status_verified: 'Being checked',
  vul_status_fixing: 'Being repaired',
  vul_status_fixed: 'Repaired',
  vul_status_reboot: 'Repaired, waits for a restart',
  vul_status_fix_after_reboot: 'To be repaired after a restart',
  vul_status_failed: 'Could not be repaired',
};

export const HOST_VULNERABILITY_TYPE: Words = {
  linux_vul: 'Linux',
  windows_vul: 'Windows',
  web_cms: 'Content management system',
  app_vul: 'Application',
  urgent_vul: 'Needs a repair at once',
};

export const AGENT_STATUS: Words = {
  installed: 'Installed',
  not_installed: 'Not installed',
  online: 'Online',
  offline: 'Offline',
  install_failed: 'Could not be installed',
  installing: 'Being installed',
};

export const HOST_STATUS: Words = {
  ACTIVE: 'Running',
  SHUTOFF: 'Shut off',
  BUILDING: 'Being created',
  ERROR: 'Faulty',
};

export const EDITION: Words = {
  'hss.version.null': 'None',
  'hss.version.basic': 'Basic',
  'hss.version.advanced': 'Professional',
  'hss.version.enterprise': 'Enterprise',
  'hss.version.premium': 'Premium',
  'hss.version.wtp': 'Web tamper protection',
  'hss.version.container.enterprise': 'Container',
};

export const PASSWORD_OF: Words = {
  system: 'Operating system',
  mysql: 'MySQL',
  redis: 'Redis',
  tomcat: 'Tomcat',
  ftp: 'FTP',
};

export const STANDARD: Words = {
  cn_standard: 'MLPS (China)',
  hw_standard: 'Huawei Cloud best practices',
  cis_standard: 'CIS',
};

export const RULE_RESULT: Words = { pass: 'Passed', failed: 'Failed', processed: 'Ignored or allowed' };

export const ATTACK: Words = {
  attack_success: 'Attack succeeded',
  attack_attempt: 'Attack attempted',
  attack_blocked: 'Attack blocked',
  abnormal_behavior: 'Abnormal behaviour',
  collapsible_host: 'Host can be compromised',
  system_vulnerability: 'Vulnerability of the system',
};

export const ALARM_HANDLING: Words = {
  mark_as_handled: 'Marked as handled',
  ignore: 'Ignored',
  add_to_alarm_whitelist: 'Added to the alarm allowlist',
  add_to_login_whitelist: 'Added to the login allowlist',
  isolate_and_kill: 'Isolated and killed',
  unhandle: 'Opened again',
  do_not_ignore: 'No longer ignored',
  remove_from_alarm_whitelist: 'Removed from the alarm allowlist',
  remove_from_login_whitelist: 'Removed from the login allowlist',
  do_not_isolate_or_kill: 'No longer isolated',
};

export const ISOLATED: Words = { auto_isolate: 'By the service', manual: 'By hand', none: 'No' };

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
  count: 'The count of the list is higher than the number of rows that could be read',
  key: 'Two records have the same key, so the key of the table is wrong: one of them is a reject',
  capped: 'The API shows only the first rows of the list',
  'suspicious-shrink': 'Too many rows disappeared at once',
  'default-project': 'The list shows nothing for all enterprise projects, but rows for the default one',
  'other-list': 'Rows belong to another list than the requested one',
  'partial-answer': 'The response has an error code beside the rows, so rows may be missing',
  'old-answer': 'The answers were older than the requests, as from a cache',
  refused: 'The API refused to show the list',
  parents: 'The parent lists are not proven complete',
  'not-asked': 'Some lists have no certificate, because they have not been read to the end yet',
  interrupted: 'The run ended before the list was read',
};
