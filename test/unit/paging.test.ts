import { describe, expect, test } from 'vitest';
import { MalformedAnswer } from '../../src/core/errors.ts';
import { offsetPaging, pagePaging } from '../../src/core/paging.ts';

const events = offsetPaging({ list: 'data_list', cap: 10_000 });
const reports = pagePaging({ list: 'reports', item: 'report' });
const instances = offsetPaging({ list: ['instances', 'servers'], total: 'total', limit: 100 });

test('offset and limit go into the query, page and size into the body', () => {
  expect(events.params({ offset: 195, limit: 200 })).toEqual({ query: { offset: 195, limit: 200 } });
  expect(reports.params({ offset: 0, limit: 100 })).toEqual({ body: { page: 1, size: 100 } });
  expect(reports.params({ offset: 200, limit: 100 })).toEqual({ body: { page: 3, size: 100 } });
});

test('a page is its records, its count and its hint', () => {
  expect(events.read({ total_num: 2, last_update_time: 1_695_094_500_324, data_list: [{ a: 1 }, 5] })).toEqual({
    records: [{ a: 1 }, 5],
    total: 2,
    lastUpdateTime: 1_695_094_500_324,
  });
});

test('counts and hints may come as text, as big integers, in camelCase, or not at all', () => {
  expect(events.read({ total_num: '37000', lastUpdateTime: '1695094500324', data_list: [] })).toMatchObject({
    total: 37_000,
    lastUpdateTime: 1_695_094_500_324,
  });
  expect(events.read({ total_num: 12n, data_list: [] }).total).toBe(12);
  for (const odd of [undefined, null, '', 'many', -1, {}, Number.NaN]) {
    expect(events.read({ total_num: odd, data_list: [] }), String(odd)).toMatchObject({ total: null });
  }
});

test('records are taken out of what wraps them, and one without its wrapper stays as it is, to be judged', () => {
  expect(reports.read({ total: 2, reports: [{ report: { id: 'a' } }, { id: 'b' }, null] }).records).toEqual([
    { id: 'a' },
    { id: 'b' },
    null,
  ]);
});

test('generations of an endpoint may call their list differently', () => {
  expect(instances.read({ total: 1, instances: [1] }).records).toEqual([1]);
  expect(instances.read({ total: 1, servers: [2] }).records).toEqual([2]);
});

describe('the end of a list', () => {
  test('is an empty list, also one written as null', () => {
    expect(events.read({ total_num: 0, data_list: [] }).records).toEqual([]);
    expect(events.read({ total_num: 0, data_list: null }).records).toEqual([]);
    expect(events.read({ data_list: null }).records).toEqual([]);
  });

  test('is not a list that is missing, or null although rows are promised', () => {
    for (const body of [
      { total_num: 5 },
      { total_num: 5, data_list: null },
      { data_list: {} },
      { data_list: 'x' },
      {},
    ]) {
      expect(() => events.read(body), JSON.stringify(body)).toThrow(MalformedAnswer);
    }
  });

  test('is not an answer that is no object', () => {
    for (const body of [null, [], 'text', 5, undefined]) {
      expect(() => events.read(body)).toThrow('the answer is not a JSON object');
    }
  });
});

test('what came instead of a list is named: its error code, else its keys', () => {
  expect(() => events.read({ error_code: 'HSS.0001' })).toThrow('the answer has no data_list: error_code HSS.0001');
  expect(() => instances.read({ status: 1, note: 2 })).toThrow(
    'the answer has no instances or servers: its keys are status, note',
  );
  expect(() => events.read({})).toThrow('its keys are none');
});
