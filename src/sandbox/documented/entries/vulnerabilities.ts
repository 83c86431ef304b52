import { from, list } from '../entry.ts';

const STATUSES = ['vul_status_unfix', 'vul_status_unfix', 'vul_status_unfix', 'vul_status_ignored', 'vul_status_fixed'];

/** Vulnerabilities of hosts. */
export const VULNERABILITY_LISTS = [
  list('ListVulnerabilities', {
    rows: { per: 'vulnerabilities' },
    key: ['type', 'handle_status', 'vul_id'],
    moving: { member: 'scan_time', days: 1 },
    asked: { handle_status: ['unhandled', 'unhandled', 'unhandled', 'handled'] },
    set: { type: from('type') },
    changes: { change: 1 },
  }),
  list('ListVulHostVuls', {
    rows: { per: 'hosts', times: 20, with: ['vulnerabilities'] },
    key: ['host_id', 'vul_id'],
    moving: { member: 'scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 90 },
    asked: { type: from('type') },
    set: { status: STATUSES },
  }),
  list('ListVulHandleHistory', {
    rows: { times: 180, with: ['hosts', 'vulnerabilities', 'people'] },
    key: ['id'],
    fixed: { member: 'handle_time', days: 60 },
    set: {
      type: from('type'),
      status: STATUSES,
      handle_type: ['ignore', 'immediate_repair', 'verify'],
      container_id: '',
      container_name: '',
    },
    sortedBy: 'desc',
    changes: { add: 1 },
  }),
  list('ListHostVuls', {
    rows: { per: 'hosts', times: 8, with: ['vulnerabilities'] },
    key: ['host_id', 'type', 'vul_id'],
    moving: { member: 'scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 90 },
    set: { type: from('type'), status: STATUSES },
  }),
  list('ListVulHosts', {
    rows: { per: 'vulnerabilities', times: 3, with: ['hosts'] },
    key: ['vul_id', 'type', 'host_id'],
    moving: { member: 'scan_time', days: 1 },
    fixed: { member: 'first_scan_time', days: 90 },
    asked: { type: from('type'), handle_status: ['unhandled', 'unhandled', 'unhandled', 'handled'] },
    set: { status: STATUSES },
  }),
  list('ListVulHostHosts', {
    rows: { per: 'hosts' },
    key: ['host_id'],
    moving: { member: 'scan_time', days: 1 },
    set: { handle_status: ['unhandled', 'handled'], severity_level: ['High', 'Medium', 'Low', 'Security'] },
  }),
  list('ListUrgentVulnerabilities', {
    rows: { times: 12, with: ['vulnerabilities'] },
    key: ['vul_id'],
    moving: { member: 'scan_time', days: 1 },
    fixed: { member: 'publish_time', days: 90 },
  }),
  list('ListVulWhiteList', {
    rows: { times: 9, with: ['vulnerabilities'] },
    key: ['id'],
    set: { vul_type: from('type') },
    changes: { add: 1 },
  }),
];
