import { describe, expect, test } from 'vitest';
import { qualified, quote, statementsOf } from '../../src/postgres/rows/statements.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities as vulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssProtectedClusters as clusters } from '../../src/streams/hss/protected-clusters.ts';
import { streams } from '../../src/streams/index.ts';

test('identifiers are quoted, whatever they hold', () => {
  expect(quote('a"b')).toBe('"a""b"');
  expect(qualified(events.table)).toBe('"hss"."cluster_events"');
});

test('statements are generated once for each stream', () => {
  expect(statementsOf(events)).toBe(statementsOf(events));
});

describe.each(streams)('$name', (stream) => {
  const { write, comparison } = statementsOf(stream);

  test('writes every column, in the order of its key', () => {
    for (const { name } of stream.table.columns) expect(write).toContain(name);
    expect(write).toContain(`order by ${['project_id', ...stream.key].map((name) => `i.${quote(name)}`).join(', ')}`);
    expect(write).toContain(`on conflict (${['project_id', ...stream.key].map(quote).join(', ')})`);
  });

  test('looks for what is stored by its whole key', () => {
    expect(comparison).toContain('t.project_id = $1');
    for (const name of stream.key) expect(comparison).toContain(`t.${quote(name)} = i.${quote(name)}`);
  });

  test('never changes when a row was first seen', () => {
    expect(write).not.toMatch(/_first_seen_at\s*=/);
  });

  test('closes versions only if the stream keeps them', () => {
    expect(write.includes('_valid_to')).toBe(stream.history !== null);
  });
});

test('a volatile field is written but decides nothing', () => {
  const { write } = statementsOf(vulnerabilities);
  expect(write).toContain('"scan_time" = excluded."scan_time"');
  expect(write).not.toMatch(/\(t\."[^)]*"scan_time"[^)]*\) is distinct from/);
});

test('older content is detected only if the stream names the column of its version', () => {
  expect(statementsOf(events).write).toContain('t."update_time" > excluded."update_time"');
  expect(statementsOf(clusters).write).toContain('$4::boolean and false');
});
