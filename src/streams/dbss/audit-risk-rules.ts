import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss, drizzleTables } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

export const dbssAuditRiskRules = defineStream({
  name: 'dbss_audit_risk_rules',
  about: 'Rules with which the audit instances detect risky statements, and whether each is enabled.',
  document: 'https://support.huaweicloud.com/api-dbss/ListAuditRuleRisksNew.html',
  group: 'dbss',
  onByDefault: false,
  endpoint: {
    service: 'dbss',
    method: 'GET',
    paths: ['/v1/{project_id}/audit/{instance_id}/rule/risk'],
    enterpriseProjects: false,
  },
  paging: offsetPaging({ list: 'rules', total: 'total', limit: 1000 }),
  parent: childOf(dbssAuditInstances, { instance_id: 'instance_id' }),
  order: [fixed('id')],
  history: true,
  schedule: '*/30 * * * *',
  reconcileEveryMs: 12 * 3_600_000,
  targetMs: 3 * 3_600_000,
  table: {
    schema: dbss,
    name: 'audit_risk_rules',
    key: ['instance_id', 'id'],
    fields: {
      instance_id: text('Id of the audit instance, from the request.', { max: 64, optional: true }),
      id: text('Id of the rule.'),
      name: text('Name of the rule.'),
      type: text('What it checks: logins or operations.', { values: ['LOGIN', 'OPERATE'] }),
      feature: text('What it detects.'),
      status: text('Whether it is on.', { values: ['ON', 'OFF'] }),
      rank: int('Priority; a smaller number is a higher priority.'),
      risk_level: text('Severity of its findings.', { values: ['LOW', 'MEDIUM', 'HIGH', 'NO_RISK'] }),
      rule_type: text('Whether it is built in or created by a user.', { values: ['SYSTEM', 'CUSTOMIZE'] }),
    },
  },
});

export const { table, history } = drizzleTables(dbssAuditRiskRules);
