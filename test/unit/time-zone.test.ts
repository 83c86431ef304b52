import { expect, test } from 'vitest';
import { instantIn, wallClockIn, zoneOf } from '../../src/core/stream/time.ts';

const at = (zone: string, time: string) => instantIn(zone, time).toISOString();

test('a local time is converted with its zone, a name or an offset, to the millisecond', () => {
  expect(at('UTC', '2025-08-21T07:03:56')).toBe('2025-08-21T07:03:56.000Z');
  expect(at('Asia/Shanghai', '2025-08-21T07:03:56')).toBe('2025-08-20T23:03:56.000Z');
  expect(at('+08:00', '2025-08-21T07:03:56.123')).toBe('2025-08-20T23:03:56.123Z');
  expect(at('Pacific/Kiritimati', '2025-01-01T00:30:00')).toBe('2024-12-31T10:30:00.000Z');
  expect(at('America/New_York', '2025-07-01T12:00:00')).toBe('2025-07-01T16:00:00.000Z');
  expect(at('America/New_York', '2025-01-01T12:00:00')).toBe('2025-01-01T17:00:00.000Z');
});

test('the hour that a zone skips is read with the offset just before the change, on either side of UTC', () => {
  expect(at('Europe/Berlin', '2025-03-30T02:30:00')).toBe('2025-03-30T01:30:00.000Z');
  expect(at('America/New_York', '2025-03-09T02:30:00')).toBe('2025-03-09T07:30:00.000Z');
});

test('the hour that a zone repeats is its first one', () => {
  expect(at('Europe/Berlin', '2025-10-26T02:30:00')).toBe('2025-10-26T00:30:00.000Z');
  expect(at('America/New_York', '2025-11-02T01:30:00')).toBe('2025-11-02T05:30:00.000Z');
});

test('the hours around a change are not touched by it', () => {
  expect(at('Europe/Berlin', '2025-03-30T01:59:59')).toBe('2025-03-30T00:59:59.000Z');
  expect(at('Europe/Berlin', '2025-03-30T03:00:00')).toBe('2025-03-30T01:00:00.000Z');
  expect(at('Europe/Berlin', '2025-10-26T03:00:00')).toBe('2025-10-26T02:00:00.000Z');
  expect(at('America/New_York', '2025-11-02T02:00:00')).toBe('2025-11-02T07:00:00.000Z');
});

test.each([
  ['Asia/Shanghai', 'Asia/Shanghai'],
  ['UTC', 'UTC'],
  ['+08:00', '+08:00'],
  ['UTC+08:00', '+08:00'],
  ['UTC+8', '+08:00'],
  ['GMT-3:30', '-03:30'],
  [' utc+0530 ', '+05:30'],
  ['Moon/Tranquility', null],
  ['UTC+99:00', null],
  ['', null],
  [null, null],
  [8, null],
])('the zone that the API writes as %j is %j', (written, zone) => {
  expect(zoneOf(written)).toBe(zone);
});

test('an instant is written as the wall-clock time of its zone', () => {
  const instant = Date.UTC(2025, 7, 21, 7, 3, 56);
  expect(wallClockIn('UTC', instant)).toBe('2025-08-21T07:03:56');
  expect(wallClockIn('Asia/Shanghai', instant)).toBe('2025-08-21T15:03:56');
  expect(wallClockIn('-03:30', instant)).toBe('2025-08-21T03:33:56');
});
