import { offsetPaging } from '../../core/stream/endpoint.ts';
import { instant, int, text } from '../../core/stream/fields.ts';
import { defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed, moving } from '../../core/walk/order.ts';

export const dbssAuditSummaries = defineStream({
  name: 'dbss_audit_summaries',
  about: 'Number of statements, risks and sessions of each audit instance, today and in total.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditSummaryInfos.html',
  group: 'dbss',
  onByDefault: false,
  endpoint: {
    service: 'dbss',
    method: 'GET',
    paths: ['/v2/{project_id}/audit/summary/info'],
    enterpriseProjects: false,
  },
  paging: offsetPaging({ list: 'data_list', total: 'total', limit: 1000 }),
  order: [moving('update_time'), fixed('id')],
  version: 'update_time',
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: dbss,
    name: 'audit_summaries',
    key: ['id'],
    fields: {
      id: int('Id of the record.'),
      status: text('Result of the count: 1 success, 2 failure.', { values: ['1', '2'] }),
      // Documented as a number; every other id of the service is text.
      instance_id: text('Id of the audit instance, as this list writes it.'),
      instance_name: text('Name of the audit instance.'),
      audit_duration: int('How long it has audited; the unit is not documented.', { volatile: true }),
      total_sql: int('Total number of statements.'),
      total_risk: int('Total number of risks.'),
      today_sql: int('Number of statements today.'),
      today_risk: int('Number of risks today.'),
      today_session: int('Number of sessions today.'),
      update_time: instant('When the counts were last taken.', { volatile: true }),
      reserve1: text('Reserved; not documented further.', { optional: true }),
      reserve2: text('Reserved; not documented further.', { optional: true }),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditSummaries);
