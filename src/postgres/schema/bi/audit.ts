import {
  decoded,
  enterpriseProjectColumns,
  enterpriseProjectJoin,
  hoursSince,
  inWords,
  listedColumns,
  minutesBetween,
  projectJoin,
  scopeColumns,
  type View,
  type ViewColumns,
} from './view.ts';
import { CHARGE_MODEL, INSTANCE_STATUS, REPORT_TYPE } from './words.ts';

const auditInstances: View = {
  name: 'audit_instances',
  about: 'Database audit instances. Those that the API no longer lists are hidden.',
  columns: {
    ...scopeColumns('i'),
    ...enterpriseProjectColumns('i'),
    instance_id: ['i.instance_id', 'Id of the audit instance.'],
    instance_name: ["coalesce(nullif(i.name, ''), i.instance_id)", 'Name of the instance, or its id.'],
    ...decoded('status', ['i.status', 'State of the instance'], INSTANCE_STATUS),
    version: ['i.version', 'Version of the instance.'],
    ...decoded('charge_model', ['i.charge_model', 'How it is billed'], CHARGE_MODEL),
    databases: ['i.config_num', 'Number of databases it is set up to audit.'],
    database_limit: ['i.database_limit', 'Number of databases it may audit.'],
    remaining_days: ['i.remain_days', 'Days until it expires, as the API writes it.'],
    address: ['i.connect_ip', 'IPv4 address of the instance.'],
  },
  from: `FROM dbss.audit_instances i\n${projectJoin('i')}\n${enterpriseProjectJoin('i')}\nWHERE i._deleted_at IS NULL`,
};

const INSTANCE = `${projectJoin('r')}
LEFT JOIN dbss.audit_instances i ON i.project_id = r.project_id AND i.instance_id = r.instance_id`;

/** A report without the end of its period is dated when it was finished, or first read. */
const reportTime = (prefix: string) => `coalesce(${prefix}end_time, ${prefix}finish_time, ${prefix}_first_seen_at)`;
const REPORT_TIME = reportTime('r.');

const report: ViewColumns = {
  ...scopeColumns('r'),
  instance_id: ['r.instance_id', 'Id of the audit instance.'],
  instance_name: ["coalesce(nullif(i.name, ''), r.instance_id)", 'Name of the audit instance, or its id.'],
  report_id: ['r.id', 'Id of the report.'],
  report_name: ['r.name', 'Name of the report.'],
  ...decoded('type', ['r.type', 'Period of the report'], REPORT_TYPE),
  start_time: ['r.start_time', 'Start of the period the report covers.'],
  end_time: ['r.end_time', 'End of the period the report covers; empty where the API does not say.'],
  report_time: [
    REPORT_TIME,
    'End of the period, or where the API does not say that, when the report was finished or first read. Filter on this column: it is indexed.',
  ],
  finish_time: ['r.finish_time', 'When the report was finished; empty while it is being made.'],
  percent: ['r.percentum', 'Progress in percent.'],
};

const FINISHED = '(r.finish_time IS NOT NULL OR r.percentum >= 100)';

const auditReports: View = {
  name: 'audit_reports',
  about: 'Reports of the database audit instances, finished or in progress. Filter on report_time.',
  columns: {
    ...report,
    is_finished: [FINISHED, 'Whether the report is finished.'],
    format: ['r.format', 'File format: pdf or zip.'],
    template_type: ['r.template_type', 'Template, such as COMPREHENSIVE.'],
    databases: ["coalesce(nullif(r.db_names, ''), '(all)')", 'Names of the databases it covers.'],
    ...listedColumns('r'),
  },
  from: `FROM dbss.audit_reports r\n${INSTANCE}`,
};

/** Progress may be slow, so a report counts as stuck only without any change, or after a whole day. */
const STUCK = `NOT ${FINISHED} AND r._deleted_at IS NULL
    AND (${REPORT_TIME} < now() - interval '1 day' OR (${REPORT_TIME} < now() - interval '2 hours' AND r._changed_at < now() - interval '1 hour'))`;

const STATE = `CASE WHEN ${FINISHED} THEN 'finished' WHEN r._deleted_at IS NOT NULL THEN 'gone' WHEN ${STUCK} THEN 'stuck' ELSE 'running' END`;

const auditReportJobs: View = {
  name: 'audit_report_jobs',
  about: 'Progress of audit reports: how long each took, and which are stuck. Filter on report_time.',
  columns: {
    ...report,
    state: [
      STATE,
      'finished, running, stuck (no progress for an hour and two hours late, or a day late), or gone (unfinished and no longer listed).',
    ],
    state_text: [
      inWords(STATE, {
        finished: 'Finished',
        running: 'Being made',
        stuck: 'Stuck',
        gone: 'Never finished, listed no longer',
      }),
      'The same in plain words.',
    ],
    is_stuck: [`coalesce(${STUCK}, false)`, 'Whether the report is stuck.'],
    minutes: [
      minutesBetween('r.end_time', 'r.finish_time'),
      'Minutes from the end of the period to the finished report; empty until it is finished.',
    ],
    waiting_hours: [
      `CASE WHEN NOT ${FINISHED} THEN ${hoursSince(REPORT_TIME)} END`,
      'Hours since the end of the period for a report that is not finished.',
    ],
    last_progress_at: [
      `CASE WHEN NOT ${FINISHED} THEN r._changed_at END`,
      'When an unfinished report was last seen to change.',
    ],
  },
  from: `FROM dbss.audit_reports r\n${INSTANCE}`,
};

export const AUDIT_VIEWS: readonly View[] = [auditInstances, auditReports, auditReportJobs];

export const AUDIT_INDEXES: Readonly<Record<string, string>> = {
  audit_reports_time_idx: `dbss.audit_reports (project_id, (${reportTime('')}))`,
};
