import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { limitsOf } from '../../scripts/facts/limits.ts';
import { factAt, pagingOf, rowFields } from '../../src/facts/facts.ts';
import { contradictions, facts } from '../support/facts.ts';

const fact = z.strictObject({
  type: z.enum(['text', 'integer', 'number', 'boolean', 'list', 'object']),
  values: z.array(z.string().regex(/^[ -~]+$/)).optional(),
  min: z.int().optional(),
  max: z.int().optional(),
  minLength: z.int().min(0).optional(),
  maxLength: z.int().min(1).optional(),
  maxItems: z.int().min(1).optional(),
  orNumber: z.boolean().optional(),
  orText: z.boolean().optional(),
  in: z.enum(['query', 'path', 'body', 'header']).optional(),
  required: z.boolean().optional(),
  get items() {
    return fact.optional();
  },
  get fields() {
    return z.record(z.string(), fact).optional();
  },
});

const operation = z.strictObject({
  operation: z.string().regex(/^(List|Show)\w+$/),
  service: z.enum(['hss', 'dbss']),
  method: z.enum(['GET', 'POST']),
  path: z.string().regex(/^\/v\d/),
  list: z.string().nullable(),
  total: z.string().nullable(),
  parameters: z.record(
    z.string(),
    fact.refine((one) => one.in !== undefined, 'a parameter lies somewhere'),
  ),
  response: z.record(z.string(), fact),
});

const correction = z.strictObject({
  operation: z.string(),
  at: z.string(),
  set: z.record(z.string(), z.unknown()).optional(),
  more: z.array(z.string()).optional(),
  copy: z.strictObject({ operation: z.string(), at: z.string() }).optional(),
  source: z.string().min(10),
});

const text = (name: string) => readFileSync(new URL(`../../src/facts/${name}`, import.meta.url), 'utf8');
const named = (name: string) => [...facts.values()].find((one) => one.operation === name);

test('the facts file has 236 operations of the documented shape, each once, and no running text', () => {
  const operations = text('operations.jsonl')
    .trim()
    .split('\n')
    .map((line) => operation.parse(JSON.parse(line)));
  expect(operations).toHaveLength(236);
  expect(facts.size).toBe(236);
  expect(new Set(operations.map((one) => one.operation)).size).toBe(236);
  expect(text('operations.jsonl')).toMatch(/^[\n -~]+$/);
});

test('every correction of the facts names its source, and is applied', () => {
  expect(z.array(correction).parse(JSON.parse(text('corrections.json'))).length).toBeGreaterThan(10);
  expect(factAt(named('ListPorts'), 'response.data_list.status')?.values).toEqual([
    'normal',
    'danger',
    'unknown',
    'unknow',
  ]);
  expect(factAt(named('ListHostProtectHistoryInfo'), 'response.protect_status')).toEqual({ type: 'text' });
  expect(factAt(named('ListClusterEvents'), 'response.data_list.event_content')).toEqual({
    type: 'text',
    minLength: 1,
  });
});

/** Answers that are published with the reference of the Open Telekom Cloud, which runs the same HSS. */
const EXAMPLES = new URL('../fixtures/published/reference/', import.meta.url);
const example = z.object({ uri: z.string(), response: z.unknown() });

test.each(readdirSync(EXAMPLES))('the published answer %s says nothing that the facts do not say', (name) => {
  const { uri, response } = example.parse(JSON.parse(readFileSync(new URL(name, EXAMPLES), 'utf8')));
  const known = facts.get(uri);
  expect(known, uri).toBeDefined();
  expect(contradictions(known?.response ?? {}, response)).toEqual([]);
});

test.each([
  ['ListHostStatus', { kind: 'offset', in: 'query', asText: false, min: 10, max: 200 }],
  ['ListAuditInstancesLast', { kind: 'offset', in: 'query', asText: true, min: 1, max: 1000 }],
  ['ListAuditReports', { kind: 'page', in: 'body', asText: false }],
  ['ListAuditOperateLogsNew', { kind: 'page', in: 'body', asText: true }],
  ['ListAuditAgentNew', { kind: 'whole', in: 'query', asText: false }],
  ['ListDomainAllResource', { kind: 'marker', in: 'query', asText: false }],
])('%s is cut into pages as documented', (name, paging) => {
  const known = named(name);
  expect(known && pagingOf(known)).toMatchObject(paging);
});

test('the fields of a row are those inside the object that wraps each row', () => {
  const reports = named('ListAuditReports');
  expect(reports && rowFields(reports).item).toBe('report');
  expect(Object.keys((reports && rowFields(reports).fields) ?? {})).toContain('finish_time');
});

describe('limits in the descriptions of the SDK', () => {
  test.each([
    ['text', '**参数解释**: 组织名称 **取值范围**: 字符长度0-64位', { minLength: 0, maxLength: 64 }],
    ['text', '风险级别 - LOW：低 - MEDIUM：中 - HIGH：高', { values: ['LOW', 'MEDIUM', 'HIGH'] }],
    ['text', '**参数解释**: 集群类型 **取值范围**: k8s（原生集群）、cce（CCE集群）', { values: ['k8s', 'cce'] }],
    [
      'text',
      '加白字段，包含如下:   - \\"file_path\\" # 文件路径   - \\"login_ip\\" # 登录ip',
      { values: ['file_path', 'login_ip'] },
    ],
    ['text', '**取值范围**: Trojan（木马）、Virus（病毒）、Worm（蠕虫）等', {}],
    ['integer', '**取值范围**: 最小值1000，最大值30000', { min: 1000, max: 30_000 }],
    ['integer', '**取值范围**: 最小值0，最大值9223372036854775807', { min: 0 }],
    ['integer', '**取值范围**: 最小值0，最大值2^63-1', { min: 0 }],
    ['integer', '状态 - 1：success - 2：failure', { values: ['1', '2'] }],
    ['integer', '每页显示个数 **取值范围**: 取值10-200 **默认取值**: 10', { min: 10, max: 200 }],
    ['list', '**取值范围**: 最少0条，最多10条', { maxItems: 10 }],
    ['boolean', '**取值范围**: - true：是 - false：否', {}],
  ] as const)('%s: %s', (kind, description, limits) => {
    expect(limitsOf(kind, description, false)).toEqual(limits);
  });
});
