import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import * as errors from '../../src/core/errors.ts';
import { createMetrics, readGauges } from '../../src/ops/metrics.ts';
import type { Readings } from '../../src/ops/readings.ts';

const read = (path: string) => readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8');

const ruleFile = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string(),
          expr: z.string(),
          for: z
            .string()
            .regex(/^\d+[mh]$/)
            .optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
          annotations: z.strictObject({ summary: z.string(), description: z.string() }),
        }),
      ),
    }),
  ),
});

const rules = ruleFile.parse(parse(read('deploy/prometheus/rules.yml'))).groups.flatMap((group) => group.rules);

const scope = { account: 'prod', region: 'cn-north-4', projectId: 'p', enterpriseProjectId: 'all_granted_eps' };
const readings: Readings['gauges'] = {
  certified: async () => [
    {
      stream: 'hss_cluster_events',
      group: 'containers',
      scope,
      certifiedAt: new Date(0),
      ageMs: 1,
      limitMs: 1,
      contentAgeMs: 1,
      lookAgeMs: 1,
      targetMs: 1,
    },
  ],
  quota: async () => [
    {
      account: 'prod',
      address: null,
      operation: 'GET /x',
      limit: 5,
      left: 4,
      used: 1,
      throttled: 0,
      heldUntil: null,
      lastUsedAt: null,
    },
    {
      account: '*nat-1',
      address: 'nat-1',
      operation: 'GET /x',
      limit: 9,
      left: 8,
      used: 1,
      throttled: 0,
      heldUntil: null,
      lastUsedAt: null,
    },
  ],
  queue: async () => [{ state: 'created', jobs: 1 }],
  rejects: async () => new Map([['hss_cluster_events', 1]]),
  suspended: async () => new Set(['prod']),
};
const gauges = await readGauges({
  accounts: ['prod'],
  isUp: async () => true,
  gauges: readings,
  projects: [],
  page: () => expect.unreachable(),
});
const names = [createMetrics().registry, gauges].flatMap((registry) =>
  registry.getMetricsAsArray().map(({ name }) => name),
);

const METRIC = /\bsecurity_sync_\w+/g;

describe('deploy/prometheus/rules.yml', () => {
  it('starts with the rule for absent processes, which no other rule detects', () => {
    expect(rules[0]).toMatchObject({ alert: 'ServiceDown', expr: 'absent(security_sync_database_up)' });
  });

  it.each(rules.map((rule) => [rule.alert, rule.expr] as const))('%s names metrics that exist', (_, expr) => {
    const named = expr.match(METRIC) ?? [];
    expect(named.length > 0 || expr.startsWith('up{')).toBe(true);
    for (const name of named) expect(names).toContain(name);
  });

  it.each(rules.map((rule) => [rule.alert, rule.expr] as const))(
    '%s aggregates both sides of a comparison, so that a second replica adds no second series',
    (_, expr) => {
      const named = expr.match(METRIC) ?? [];
      if (named.length < 2) return;
      const aggregated = /\b(?:(max) (by \([\w, ]+\)) \(|max\(|sum\(increase\()security_sync_\w+/g;
      const found = [...expr.matchAll(aggregated)];
      expect(found).toHaveLength(named.length);
      const labels = new Set(found.flatMap(([, , by]) => (by === undefined ? [] : [by])));
      expect(labels.size).toBeLessThanOrEqual(1);
      for (const by of labels) if (expr.includes('> on')) expect(expr).toContain(`> on ${by.replace('by ', '')}`);
    },
  );

  it('names kinds of errors that exist', () => {
    const kinds = rules.flatMap(({ expr }) =>
      [...expr.matchAll(/error=~"([^"]+)"/g)].flatMap(([, list]) => list?.split('|')),
    );
    expect(kinds.length).toBeGreaterThan(0);
    expect(Object.keys(errors)).toEqual(expect.arrayContaining(kinds));
  });

  it('has a test for every rule in which it fires', () => {
    const tests = read('deploy/prometheus/rules.test.yml');
    for (const { alert, labels } of rules)
      expect(tests).toContain(`alertname="${alert}", severity="${labels.severity}"`);
  });

  it('is what docs/operations.md lists, in this order', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `(\w+)` \| (critical|warning|info) \|/gm)];
    expect(rows.map(([, alert, severity]) => [alert, severity])).toEqual(
      rules.map(({ alert, labels }) => [alert, labels.severity]),
    );
  });
});

describe('/metrics', () => {
  it('has no gauge that is named like a counter, which promtool check metrics refuses', async () => {
    for (const { name, type } of await createMetrics().registry.getMetricsAsJSON()) {
      if (name.endsWith('_total')) expect(`${name} ${type}`).toBe(`${name} counter`);
    }
  });

  it('has separate metrics for the budgets of addresses and accounts', async () => {
    const text = await gauges.metrics();
    expect(text).toContain('security_sync_quota_left_requests{account="prod",operation="GET /x"} 4');
    expect(text).toContain('security_sync_address_quota_left_requests{operation="GET /x",egress="nat-1"} 8');
    expect(text).toContain('security_sync_address_quota_limit_requests{operation="GET /x",egress="nat-1"} 9');
    expect(text).not.toContain('account="*"');
  });
});
