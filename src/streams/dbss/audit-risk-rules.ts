import { offsetPaging } from '../../core/stream/endpoint.ts';
import { int, text } from '../../core/stream/fields.ts';
import { childOf, defineStream } from '../../core/stream/stream.ts';
import { dbss } from '../../core/stream/table.ts';
import { fixed } from '../../core/walk/order.ts';
import { dbssAuditInstances } from './audit-instances.ts';

export const dbssAuditRiskRules = defineStream({
  name: 'dbss_audit_risk_rules',
  about: 'Rules by which the audit instances tell risky statements, and whether each is on.',
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
      type: text('What it looks at: logins or operations.', { values: ['LOGIN', 'OPERATE'] }),
      feature: text('What it looks for.'),
      status: text('Whether it is on.', { values: ['ON', 'OFF'] }),
      rank: int('Its priority: the smaller, the higher.'),
      risk_level: text('Severity of what it finds.', { values: ['LOW', 'MEDIUM', 'HIGH', 'NO_RISK'] }),
      rule_type: text('Whether it came with the service or was made by a user.', { values: ['SYSTEM', 'CUSTOMIZE'] }),
    },
  },
});

export const { table, history } = dbssAuditRiskRules;
