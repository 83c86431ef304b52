import { from, list, type Setting } from '../entry.ts';

const PLACES = ['registry', 'registry', 'cicd'];
const scanned = { scan_failed_desc: '', scan_failed_code: '', scan_status: 'success' } as const;

/** Responses name local images differently from requests. */
const spelt: Setting = ({ bag }) => (bag.image_type === 'local' ? 'local_image' : bag.image_type);

/** Images and their findings. */
export const IMAGE_LISTS = [
  list('ListVulAffectImages', {
    rows: {
      per: 'imageVulnerabilities',
      with: ['images', 'hosts'],
      only: ({ image_type }) => image_type !== 'cluster',
    },
    key: ['image_type', 'vul_id', 'is_handled', 'image_id', 'image_version', 'agent_id'],
    moving: { member: 'latest_scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 90 },
    asked: { type: from('type'), image_type: from('image_type'), is_handled: from('is_handled') },
    set: {
      image_type: spelt,
      status: ({ bag }) => (bag.is_handled === true ? 'vul_status_ignored' : 'vul_status_unfix'),
    },
    changes: { change: 1 },
  }),
  list('ListRegistryImages', {
    rows: { per: 'images' },
    key: ['id'],
    moving: { member: 'latest_scan_time', days: 2 },
    set: { ...scanned, image_type: 'private_image', registry_type: 'SwrPrivate', association_images: () => [] },
    window: { from: 'start_latest_scan_time', to: 'end_latest_scan_time' },
    sortedBy: 'asc',
  }),
  list('ListImageLocal', {
    rows: {
      per: 'images',
      times: 3,
      with: ['hosts'],
      only: ({ image_version }) => !String(image_version).includes('-rc'),
    },
    key: ['image_id', 'image_digest', 'host_id', 'agent_id'],
    moving: { member: 'latest_scan_time', days: 2 },
    set: { scan_failed_desc: '', scan_status: 'success' },
    window: { from: 'start_latest_scan_time', to: 'end_latest_scan_time' },
  }),
  list('ListCicdImages', {
    rows: { per: 'images', only: ({ image_version }) => String(image_version).includes('-rc') },
    key: ['image_id', 'image_digest', 'image_version'],
    moving: { member: 'latest_scan_time', days: 2 },
    set: scanned,
    window: { from: 'start_latest_scan_time', to: 'end_latest_scan_time' },
    sortedBy: 'asc',
  }),
  list('ListImageSensitiveInfo', {
    rows: { times: 30 },
    key: ['image_type', 'sensitive_info_id'],
    moving: { member: 'latest_scan_time', days: 2 },
    asked: { image_type: PLACES },
  }),
  list('ListGlobalMalware', {
    rows: { times: 25, with: ['images'] },
    key: ['image_type', 'image_id', 'file_path'],
    moving: { member: 'latest_scan_time', days: 2 },
    asked: { image_type: PLACES },
    set: { image_type: 'SwrPrivate' },
  }),
  list('ListImageRiskConfigs', {
    rows: {
      per: 'rules',
      only: ({ check_rule_id, standard }) => String(check_rule_id).endsWith('.1') && standard !== 'cis_standard',
    },
    key: ['image_type', 'check_name', 'check_type', 'standard'],
    asked: { image_type: ['registry', 'local'] },
  }),
  list('ListImageBuildCommandRisks', {
    rows: { times: 20, with: ['images'] },
    key: ['image_type', 'risk_id'],
    moving: { member: 'latest_scan_time', days: 2 },
    asked: { image_type: PLACES },
  }),
];
