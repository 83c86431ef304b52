import { from, list } from '../entry.ts';

/** Results of configuration checks, and passwords. */
export const BASELINE_LISTS = [
  list('ListWeakPasswordUsers', {
    rows: { per: 'hosts', only: ({ asset_value }) => asset_value !== 'common' },
    key: ['host_id'],
    moving: { member: 'update_time', days: 1 },
  }),
  list('ListPasswordComplexity', {
    rows: { per: 'hosts' },
    key: ['host_id'],
    moving: { member: 'update_time', days: 1 },
    asked: { result_type: ['unhandled', 'unhandled', 'unhandled', 'ignored'] },
  }),
  list('ListRiskConfigs', {
    rows: {
      per: 'rules',
      only: ({ check_rule_id, standard }) => String(check_rule_id).endsWith('.1') && standard !== 'cis_standard',
    },
    key: ['standard', 'check_name', 'check_type'],
    moving: { member: 'scan_time', days: 1 },
    set: { check_type: from('check_type'), key: from('key') },
  }),
  list('ListAllRiskConfigCheckRules', {
    rows: { per: 'rules' },
    key: ['standard', 'check_type', 'check_rule_id'],
    moving: { member: 'scan_time', days: 1 },
  }),
  list('ListCheckRuleHost', {
    rows: { per: 'rules', times: 4, with: ['hosts'] },
    key: ['standard', 'check_name', 'check_rule_id', 'host_id', 'result_type'],
    moving: { member: 'scan_time', days: 1 },
    set: { host_public_ip: from('public_ip') },
    changes: { change: 1 },
  }),
  list('ListHostCheckRules', {
    rows: { per: 'hosts', times: 6, with: ['rules'] },
    key: ['host_id', 'check_rule_id'],
    moving: { member: 'scan_time', days: 1 },
    changes: { change: 1 },
  }),
];
