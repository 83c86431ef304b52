import { type Fields, inside, json, text } from '../../core/stream/fields.ts';

/** Values shared by the lists of alarms. */
export const SEVERITY = ['Security', 'Low', 'Medium', 'High', 'Critical'];
export const HANDLE_METHODS = [
  'mark_as_handled',
  'ignore',
  'add_to_alarm_whitelist',
  'add_to_login_whitelist',
  'isolate_and_kill',
];
export const ATTACK_TAG = [
  'attack_success',
  'attack_attempt',
  'attack_blocked',
  'abnormal_behavior',
  'collapsible_host',
  'system_vulnerability',
];

/** Alarm classes: the family, such as login or webshell, and a number. */
export const EVENT_CLASSES = (
  'container_1001 container_1002 container_1003 container_1004 containerescape_0001 containerescape_0002 ' +
  'containerescape_0003 containerescape_0004 dockerfile_001 dockerfile_002 dockerproc_001 fileprotect_0001 ' +
  'fileprotect_0002 fileprotect_0003 fileprotect_0004 av_1002 av_1003 av_1004 av_1005 av_1006 av_1007 av_1008 ' +
  'av_1009 av_1010 av_1011 av_1012 av_1013 av_1015 av_1016 login_0001 login_0002 login_1001 login_1002 login_1003 ' +
  'malware_0001 malware_0002 malware_1001 procdet_0001 procdet_0002 procreport_0001 user_1001 user_1002 ' +
  'vmescape_0001 vmescape_0002 vmescape_0003 webshell_0001 network_1001 network_1002 network_1003 network_1004 ' +
  'ransomware_0001 ransomware_0002 ransomware_0003 fileless_0001 fileless_0002 fileless_0003 fileless_0004 ' +
  'fileless_0005 fileless_0006 crontab_1001 vul_exploit_0001 vul_exploit_0002 vul_exploit_0003 rootkit_0001 ' +
  'rootkit_0002 RASP_0004 RASP_0018 blockexec_001 hips_0001 hips_0002 hips_0003 hips_0004 hips_0005 hips_0006 ' +
  'hips_0007 hips_0008 hips_0009 hips_0010 hips_0011 hips_0012 hips_0013 hips_0014 hips_0015 hips_0016 hips_0017 ' +
  'hips_0018 hips_0019 hips_0020 hips_0021 portscan_0001 portscan_0002 k8s_1001 k8s_1002 k8s_1003 k8s_1004 k8s_1005 ' +
  'k8s_1006 k8s_1007 k8s_1008 k8s_1009 k8s_1010 k8s_1011 k8s_1012 k8s_1013 k8s_1014 k8s_1015 k8s_1016 k8s_1017 ' +
  'k8s_1018 k8s_1019 k8s_1020 k8s_1021 k8s_1022 k8s_1023 k8s_1024 k8s_1025 k8s_1026 imgblock_0001 imgblock_0002 ' +
  'imgblock_0003 imgblock_0004 imgblock_0005 imgblock_0006 imgblock_0007 imgblock_0008 imgblock_0009 imgblock_0010 ' +
  'lgin_1002'
).split(' ');

const max = 256;
/** The published example has none of them, and each applies only to some alarms. */
const some = { max, optional: true };

/** The resource of an alarm: the host, and the container on it. */
export const RESOURCE_FIELDS: Fields = inside('resource_info', {
  vm_uuid: text('Id of the host.', { max }),
  vm_name: text('Name of the host.', { max }),
  cloud_id: text('Id of the machine in the cloud.', { max }),
  host_attr: text('Attribute of the host.', some),
  vpc_id: text('VPC the host is in.', some),
  os_type: text('Linux or Windows.', { max }),
  os_name: text('Operating system of the host.', some),
  os_version: text('Version of the operating system.', { max }),
  os_bit: text('Word size of the operating system, in bits.', some),
  sys_arch: text('Architecture of its CPU.', some),
  cluster_id: text('Id of the cluster.', some),
  cluster_name: text('Name of the cluster.', some),
  namespace: text('Namespace of the pod.', some),
  pod_uid: text('Id of the pod.', some),
  pod_name: text('Name of the pod.', some),
  container_id: text('Id of the container.', some),
  container_status: text('State of the container.', { ...some, volatile: true }),
  image_id: text('Id of its image.', some),
  image_name: text('Name of its image.', some),
  service: text('Service that it belongs to.', some),
  micro_service: text('Microservice that it belongs to.', some),
  domain_id: text('Id of the account that owns it.', some),
  project_id: text('Id of its project.', { max }),
  enterprise_project_id: text('Enterprise project it is in.', { max }),
  region_name: text('Region it is in.', { max }),
});

/** Details of an alarm as JSON; its class decides which are present. Times inside are not converted. */
export const DETAIL_FIELDS: Fields = {
  process_info_list: json('Processes, with their parents and children.', { optional: true }),
  user_info_list: json('Accounts and their logins, without passwords.', { optional: true }),
  file_info_list: json('Files.', { optional: true }),
  forensic_info: json('Evidence.', { optional: true }),
  geo_info: json('Where it came from.', { optional: true }),
  malware_info: json('Malware.', { optional: true }),
  network_info: json('Connections.', { optional: true }),
  app_info: json('Applications.', { optional: true }),
  system_info: json('System.', { optional: true }),
  extend_info: json('Other details; null if the API sends an empty text.', { none: [''], optional: true }),
  operate_accept_list: json('Possible ways to handle it.', { volatile: true }),
  operate_detail_list: json('Parameters needed to handle it: process, file, login and hashes.', {
    optional: true,
  }),
};
