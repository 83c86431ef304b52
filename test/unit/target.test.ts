import { expect, test } from 'vitest';
import type { StreamSettings } from '../../src/config/config.ts';
import { certificateLimitMsOf, targetMsOf } from '../../src/config/streams.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { streams } from '../../src/streams/index.ts';

const [minute, hour] = [60_000, 3_600_000];
const configured = (settings: Partial<StreamSettings>) => ({
  streams: { hss_cluster_events: { enabled: true, ...settings } },
});

test('the target is the configured one, else that of the definition, and never less than two ticks', () => {
  const target = (settings: Partial<StreamSettings>) => targetMsOf(configured(settings), hssClusterEvents);
  expect(target({})).toBe(2 * minute);
  expect(target({ targetMs: 5 * minute })).toBe(5 * minute);
  expect(target({ targetMs: minute })).toBe(2 * minute);
  expect(target({ schedule: '*/10 * * * *' })).toBe(20 * minute);
  expect(target({ schedule: '*/10 * * * *', targetMs: 15 * minute })).toBe(20 * minute);
  expect(target({ schedule: '*/10 * * * *', targetMs: hour })).toBe(hour);
});

test('a certificate is late by the period of its full walks, independent of the target', () => {
  const limit = (settings: Partial<StreamSettings>) => certificateLimitMsOf(configured(settings), hssClusterEvents);
  expect(limit({ targetMs: minute })).toBe(9 * hour);
  expect(limit({ reconcileEveryMs: 2 * hour })).toBe(3 * hour);
  expect(limit({ schedule: '0 3 * * *' })).toBe(48 * hour);
});

test('every definition can reach its own target', () => {
  for (const stream of streams) expect(targetMsOf({ streams: {} }, stream), stream.name).toBe(stream.targetMs);
});
