import { expect, test } from 'vitest';
import { callFor, listing, offsetPaging, pagePaging } from '../../src/core/stream/endpoint.ts';
import { instant, text } from '../../src/core/stream/fields.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { spanParams, timeWindow, type WindowUnit } from '../../src/core/stream/time.ts';
import { fixed } from '../../src/core/walk/order.ts';
import { scope } from '../support/engine.ts';

const SPAN = { begin: Date.UTC(2026, 10, 1), end: Date.UTC(2026, 10, 28, 7, 3, 56) };
const query = (unit: WindowUnit, timeZone = 'UTC') =>
  spanParams(timeWindow({ begin: 'begin_time', end: 'end_time', unit, column: 'seen' }), SPAN, timeZone);

test.each([
  ['ms', 1_793_491_200_000, 1_795_849_436_000],
  ['ms-text', '1793491200000', '1795849436000'],
  ['s', 1_793_491_200, 1_795_849_436],
  ['s-text', '1793491200', '1795849436'],
  ['text', '2026-11-01 00:00:00', '2026-11-28 07:03:56'],
] as const)('a window is asked for in the unit %s as the API writes it', (unit, begin, end) => {
  expect(query(unit)).toEqual({ query: { begin_time: begin, end_time: end } });
});

test('a window in times without zone is asked for in the zone in which its rows are read', () => {
  expect(query('text', '+08:00')).toEqual({
    query: { begin_time: '2026-11-01 08:00:00', end_time: '2026-11-28 15:03:56' },
  });
});

test('a window inside a body goes beside page and size, one in the query beside offset and limit', () => {
  const inBody = timeWindow({
    in: 'body',
    begin: 'time.start_time',
    end: 'time.end_time',
    unit: 'text',
    column: 'alarm_time',
  });
  const rest = { toleranceMs: 0, timeZone: 'UTC', missedFrom: 0, mayAgeOut: false, canBeHalved: true };
  const windowed = (params: ReturnType<typeof spanParams>) => ({
    ...listing(),
    window: { column: 'seen', rows: SPAN, asked: SPAN, params, ...rest },
  });
  const endpoint = {
    service: 'dbss',
    method: 'POST',
    paths: ['/v2/{project_id}/a'],
    enterpriseProjects: false,
  } as const;
  const at = { offset: 0, limit: 100 };
  const asked = windowed(spanParams(inBody, SPAN, 'UTC'));
  expect(callFor({ endpoint, paging: pagePaging({ list: 'alarm_log' }) }, scope, { listing: asked, at }).body).toEqual({
    page: 1,
    size: 100,
    time: { start_time: '2026-11-01 00:00:00', end_time: '2026-11-28 07:03:56' },
  });
  expect(
    callFor({ endpoint, paging: offsetPaging({ list: 'a' }) }, scope, { listing: windowed(query('ms')), at }),
  ).toMatchObject({
    query: { offset: 0, limit: 100, begin_time: 1_793_491_200_000, end_time: 1_795_849_436_000 },
  });
});

test('the defaults of a window are thirty days, an hour of lateness, and no end in the future', () => {
  const declared = { begin: 'b', end: 'e', unit: 'ms', column: 'seen' } as const;
  expect(timeWindow(declared)).toMatchObject({
    in: 'query',
    maxMs: 30 * 86_400_000,
    keepMs: null,
    marginMs: 3_600_000,
    aheadMs: 0,
  });
  expect(timeWindow({ ...declared, maxDays: 7, keepDays: 30, margin: '15m', ahead: '1d' })).toMatchObject({
    maxMs: 7 * 86_400_000,
    keepMs: 30 * 86_400_000,
    marginMs: 900_000,
    aheadMs: 86_400_000,
  });
});

test('a definition is refused if the column of its window is not a time', () => {
  const define = (column: string) =>
    defineStream({
      name: 'things',
      about: 'Things.',
      document: 'https://example.com',
      group: 'containers',
      endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/things'], enterpriseProjects: true },
      paging: offsetPaging({ list: 'data_list' }),
      order: [fixed('seen')],
      window: timeWindow({ begin: 'b', end: 'e', unit: 'ms', column }),
      schedule: '* * * * *',
      reconcileEveryMs: 1,
      targetMs: 1,
      table: { schema: hss, name: 'things', key: ['id'], fields: { id: text('Id.'), seen: instant('Seen.') } },
    });
  expect(() => define('id')).toThrow('things: "id" must be a timestamptz column, because `window` uses it');
  expect(define('seen').window?.column).toBe('seen');
});
