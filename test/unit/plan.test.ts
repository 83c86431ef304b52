import { expect, test } from 'vitest';
import { ConfigurationError } from '../../src/core/errors.ts';
import { fullWalkRequests, inOrder, prerequisites } from '../../src/core/stream/stream.ts';
import { streams } from '../../src/streams/index.ts';

const names = (wanted: readonly string[] = []) => inOrder(streams, wanted).map(({ name }) => name);

test('all streams run once, each after the streams it needs, whatever their order', () => {
  for (const list of [streams, [...streams].reverse()]) {
    const ordered = inOrder(list);
    expect(new Set(ordered).size).toBe(streams.length);
    for (const [index, stream] of ordered.entries()) {
      for (const needed of prerequisites(stream)) expect(ordered.indexOf(needed)).toBeLessThan(index);
    }
  }
});

test('naming a stream also selects the streams it needs and no others', () => {
  expect(names(['dbss_audit_reports'])).toEqual(['dbss_audit_instances', 'dbss_audit_reports']);
  expect(names(['hss_cluster_security_reports'])).toEqual(['hss_cluster_security_reports']);
  expect(names(['hss_cluster_events', 'hss_cluster_events'])).toEqual(['hss_protected_clusters', 'hss_cluster_events']);
});

test('all unknown names are reported, with the command that lists the existing ones', () => {
  expect(() => names(['hss_cluster_event', 'x', 'dbss_audit_reports'])).toThrow(ConfigurationError);
  expect(() => names(['hss_cluster_event', 'x'])).toThrow(
    /^unknown streams: hss_cluster_event, did you mean hss_cluster_events\?, x; security-sync streams lists all$/,
  );
});

test.each([
  [0, 1],
  [1, 1],
  [199, 1],
  [200, 2],
  [395, 3],
  [396, 4],
  [9_900, 52],
  [37_000, 191],
])('%i rows, 200 a page, are announced as %i requests', (rows, requests) => {
  expect(fullWalkRequests(rows, 200)).toBe(requests);
});
