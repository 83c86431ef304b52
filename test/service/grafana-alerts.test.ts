import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alertFile } from '../support/grafana.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { rowsIn } from '../support/view-rows.ts';

const FILE = join(import.meta.dirname, '..', '..', 'grafana', 'provisioning', 'alerting', 'security-sync.yaml');
const rules = alertFile.parse(parse(readFileSync(FILE, 'utf8'))).groups.flatMap((group) => group.rules);
const ruleAbout = (about: string) => rules.find(({ labels }) => labels.about === about) ?? expect.unreachable();

const database = await createTestDatabase();
const rows = rowsIn(database.pool);

/** The labels of what fires: every row whose number is above the threshold, which is 0 in these rules. */
const firing = async (about: string) => {
  const found = await rows.query(ruleAbout(about).data[0].model.rawSql);
  return found.flatMap((row) =>
    Object.entries(row).some(([, value]) => Number(value) > 0) ? [Object.values(row).map(String).join(' ')] : [],
  );
};

describe('the rule "Blocked events are open"', () => {
  const event = (id: string, values: Readonly<Record<string, string>>) =>
    rows.insert('hss.cluster_events', {
      event_id: id,
      cluster_name: id,
      policy_name: 'block',
      action: 'deny',
      handle_status: 'unhandled',
      ...values,
    });

  it('fires until an event is handled, at any age', async () => {
    await event('of-an-hour', { create_time: '@61 minutes', _first_seen_at: '@60 minutes' });
    await event('of-a-month', { create_time: '@30 days', _first_seen_at: '@30 days' });
    await event('handled', { create_time: '@2 days', _first_seen_at: '@2 days', handle_status: 'handled' });
    await event('aged-out', { create_time: '@2 days', _first_seen_at: '@2 days', _deleted_at: '@1 day' });
    await event('young', { create_time: '@59 minutes', _first_seen_at: '@58 minutes' });
    await event('only-warned', { create_time: '@2 days', _first_seen_at: '@2 days', action: 'warn' });
    const fired = await firing('events');
    expect(fired.map((labels) => labels.split(' ')[2]).sort()).toEqual(['of-a-month', 'of-an-hour']);
  });

  it('does not fire for the backlog found by the first reading', async () => {
    await event('backlog', { create_time: '@30 days', _first_seen_at: '@2 hours' });
    expect(await firing('events')).toEqual([]);
  });

  it('is not critical, because the policy has blocked the action', () => {
    expect(ruleAbout('events').labels.severity).toBe('warning');
  });
});

describe('the one critical rule, "Most data is older than its target"', () => {
  it('is the only one', () => {
    expect(rules.filter(({ labels }) => labels.severity === 'critical').map(({ labels }) => labels.about)).toEqual([
      'outage',
    ]);
  });

  const look = (stream: string, age: string) =>
    rows.insert('sync.runs', {
      stream,
      status: 'succeeded',
      walk: 'full',
      certificate: 'complete',
      certified_at: age,
      started_at: age,
      beat_at: age,
      finished_at: age,
      owner: 'test',
    });

  it('fires over a database in which no run has been started', async () => {
    expect(await firing('outage')).toHaveLength(1);
  });

  it('does not fire if one list of two is old, and fires if two of three are', async () => {
    await look('hss_cluster_events', '@10 days');
    await look('hss_protected_clusters', '@1 second');
    expect(await firing('outage')).toEqual([]);
    await look('hss_kubernetes_clusters', '@10 days');
    expect(await firing('outage')).toHaveLength(1);
  });
});
