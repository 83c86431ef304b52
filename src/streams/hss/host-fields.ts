import { type Fields, flag, inside, instant, int, text } from '../../core/stream/fields.ts';

/** Values shared by the lists of hosts, alarms and findings. */
export const HOST_STATUS = ['ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR'];
export const AGENT_STATUS = ['installed', 'not_installed', 'online', 'offline', 'install_failed', 'installing'];
export const ASSET_VALUE = ['important', 'common', 'test'];
export const OS_TYPE = ['Linux', 'Windows'];

const INSTALLED =
  'install_succeed network_access_timeout invalid_port auth_failed permission_denied no_available_vpc ' +
  'install_exception invalid_param install_failed package_unavailable os_type_not_support os_arch_not_support';
const UPGRADE_FAILED =
  'package_unavailable network_access_timeout agent_offline hostguard_abnormal ' +
  'insufficient_disk_space failed_to_replace_file';
export const EDITIONS = ['null', 'basic', 'advanced', 'enterprise', 'premium', 'wtp', 'container.enterprise'].map(
  (edition) => `hss.version.${edition}`,
);
/** Absent in the published example. */
const optional = true;
export const RISK_COUNT = { min: 0, max: 2_097_152, volatile: true };

/** Fields shared by the lists of hosts and container nodes. */
export const HOST_FIELDS: Fields = {
  host_id: text('Id of the host, as in the other tables about hosts.', { max: 128 }),
  host_name: text('Name of the host.', { max: 128 }),
  private_ip: text('Private IP address.', { max: 128 }),
  public_ip: text('Elastic IP address; empty without one.', { max: 128 }),
  host_status: text('State of the machine: running, shut off, being created, or faulty.', { values: HOST_STATUS }),
  version: text('Edition that protects it; hss.version.null for none.', { values: EDITIONS }),
  protect_interrupt: flag('Whether the protection is interrupted.', { optional }),
  protect_degradation: flag('Whether the protection is only partly effective.', { optional }),
  degradation_reason: text('Why the protection is only partly effective.', { max: 32, optional }),
  detect_result: text('Result of the checks: not checked, clean, at risk, or being checked.', {
    values: ['undetected', 'clean', 'risk', 'scanning'],
  }),
  asset: int('Number of risks in its software, accounts and ports.', RISK_COUNT),
  vulnerability: int('Number of vulnerabilities.', RISK_COUNT),
  intrusion: int('Number of alarms.', RISK_COUNT),
  resource_id: text('Id of the protection quota that it uses.', { max: 128 }),
  group_name: text('Server group it is in.', { max: 128 }),
  policy_group_id: text('Id of the policy group that applies to it.', { max: 128 }),
  policy_group_name: text('Policy group that applies to it.', { max: 128 }),
  enterprise_project_name: text('Enterprise project it is in.', { max: 256 }),
};

/** The agent of a host. */
export const AGENT_FIELDS: Fields = {
  agent_id: text('Id of its agent; empty without one.', { max: 128 }),
  agent_status: text('State of the agent.', { values: AGENT_STATUS }),
  agent_version: text('Version of the agent.', { max: 32, optional }),
  agent_create_time: instant('When the agent was installed.'),
  agent_update_time: instant('When the state of the agent last changed.', { volatile: true }),
  install_progress: int('Progress of the installation in percent.', { min: 0, max: 100, volatile: true, optional }),
  install_result_code: text('How the installation ended.', { values: INSTALLED.split(' '), optional }),
  upgradable: flag('Whether the agent can be upgraded.', { optional }),
  upgrade_status: text('State of the upgrade of the agent.', {
    values: ['not_upgrade', 'upgrading', 'upgrade_failed', 'upgrade_succeed'],
    optional,
  }),
  upgrade_result_code: text('Why the upgrade failed.', { values: UPGRADE_FAILED.split(' '), optional }),
};

/** Hardware and operating system of a host. */
export const SYSTEM_FIELDS: Fields = {
  os_type: text('Linux or Windows.', { values: OS_TYPE }),
  os_name: text('Operating system.', { max: 128, optional }),
  os_version: text('Version of the operating system.', { max: 256, optional }),
  os_bit: text('Word size of the operating system, in bits.', { max: 128 }),
  os_image: text('Image the host was made from.', { max: 128, optional }),
  kernel_version: text('Version of the kernel.', { max: 256, optional }),
};

/** The backups of a host, and the vault that has them. */
export const BACKUP_FIELDS: Fields = {
  backup_protection_status: text('Whether backups are made, or fail.', {
    values: ['failed_to_turn_on_backup', 'closed', 'opened'],
  }),
  count_backuped: int('Number of backups.', RISK_COUNT),
  ...inside('backup_error', {
    error_code: int(
      'Why backups fail: 0 no error, 1 bound to another vault, 2 vault is full, 3 backup service failed.',
      { min: 0, max: 3 },
    ),
    error_description: text('Why backups fail, as text.', { max: 128 }),
  }),
  backup_policy_id: text('Id of the policy of its backups; empty without one.', { max: 128 }),
  backup_policy_name: text('Name of the policy of its backups.', { max: 128 }),
  backup_policy_enabled: flag('Whether that policy is enabled.'),
  vault_id: text('Id of the vault.', { max: 128 }),
  vault_name: text('Name of the vault.', { max: 128 }),
  vault_status: text('State of the vault.', { values: ['available', 'lock', 'frozen', 'deleting', 'error'] }),
  vault_charging_mode: text('Billing of the vault: pay per use or subscription.', {
    values: ['post_paid', 'pre_paid'],
  }),
  vault_size: int('Capacity of the vault in GB.', { min: 0, max: 2_097_152 }),
  vault_used: int('Used capacity of the vault in MB.', RISK_COUNT),
  vault_allocated: int('Capacity of the hosts bound to the vault, in GB.', RISK_COUNT),
  resources_num: int('Number of hosts bound to the vault.', RISK_COUNT),
};
