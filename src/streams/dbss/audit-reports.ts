import { pagePaging } from '../../core/stream/endpoint.ts';
import { int, text, zonelessTime } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

const PERIODS = [
  'AUDIT_REPORT_DAY',
  'AUDIT_REPORT_WEEK',
  'AUDIT_REPORT_MONTH',
  'AUDIT_REPORT_YEAR',
  'AUDIT_REPORT_REAL_TIME',
];

/**
 * The list's own document names PDF and ZIP; its example and the list of templates (ListAuditReportTemplates) name the
 * others.
 */
const TEMPLATES = [
  'COMPREHENSIVE',
  'COMPLIANCE',
  'SOX',
  'PCI',
  'DB_ANALYSIS',
  'CLIENT_IP_ANALYSIS',
  'SQL_DCL_COMMAND',
  'SQL_DDL_COMMAND',
  'SQL_DML_COMMAND',
  'PDF',
  'ZIP',
];

export const dbssAuditReports = defineStream({
  name: 'dbss_audit_reports',
  about: 'Reports of the database audit instances, finished or in progress.',
  document: 'https://support.huaweicloud.com/intl/en-us/api-dbss/ListAuditReports.html',
  group: 'dbss',
  endpoint: {
    service: 'dbss',
    method: 'POST',
    paths: ['/v1/{project_id}/audit/{instance_id}/reports/list'],
    enterpriseProjects: false,
  },
  paging: pagePaging({ list: 'reports', item: 'report' }),
  parent: childOf(dbssAuditInstances, { instance_id: 'instance_id' }, { timeZone: 'timezone' }),
  order: [fixed('end_time'), fixed('id')],
  history: true,
  schedule: '*/5 * * * *',
  reconcileEveryMs: 6 * 3_600_000,
  targetMs: 10 * 60_000,
  table: {
    schema: dbss,
    name: 'audit_reports',
    key: ['instance_id', 'id'],
    indexes: [['finish_time']],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      id: text('Id of the report.'),
      name: text('Name of the report.'),
      type: text('Period of the report: day, week, month, year, or on demand (REAL_TIME).', { values: PERIODS }),
      format: text('File format: pdf or zip.', { values: ['pdf', 'zip'] }),
      template_type: text('Template, such as COMPREHENSIVE.', { values: TEMPLATES }),
      percentum: int('Progress in percent; 100 for a finished report.', { min: 0, max: 100 }),
      start_time: zonelessTime('Start of the period the report covers.'),
      end_time: zonelessTime('End of the period the report covers.'),
      finish_time: zonelessTime('When the report was finished; null while it is in progress.'),
      db_ids: text('Ids of the databases it covers; empty for all.'),
      db_names: text('Names of the databases it covers; empty for all.'),
      url: text('Path of the report file on the instance.'),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditReports);
