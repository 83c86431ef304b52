import { describe, expect, test } from 'vitest';
import { MalformedAnswer } from '../../src/core/errors.ts';
import { offsetPaging, pagePaging, wholePaging } from '../../src/core/stream/endpoint.ts';

const events = offsetPaging({ list: 'data_list', cap: 10_000 });
const reports = pagePaging({ list: 'reports', item: 'report' });
const instances = offsetPaging({ list: ['instances', 'servers'], total: 'total', limit: 100 });

test('offset and limit go into the query, page and size into the body', () => {
  expect(events.params({ offset: 195, limit: 200 })).toEqual({ query: { offset: 195, limit: 200 } });
  expect(reports.params({ offset: 0, limit: 100 })).toEqual({ body: { page: 1, size: 100 } });
  expect(reports.params({ offset: 200, limit: 100 })).toEqual({ body: { page: 3, size: 100 } });
});

test('a page has its records, its count and its update time', () => {
  expect(events.read({ total_num: 2, last_update_time: 1_695_094_500_324, data_list: [{ a: 1 }, 5] })).toEqual({
    records: [{ a: 1 }, 5],
    total: 2,
    lastUpdateTime: 1_695_094_500_324,
    error: null,
  });
});

test('counts and update times may be texts, big integers, in camelCase, or absent', () => {
  expect(events.read({ total_num: '37000', lastUpdateTime: '1695094500324', data_list: [] })).toMatchObject({
    total: 37_000,
    lastUpdateTime: 1_695_094_500_324,
  });
  expect(events.read({ total_num: 12n, data_list: [] }).total).toBe(12);
  for (const odd of [undefined, null, '', 'many', -1, {}, Number.NaN]) {
    expect(events.read({ total_num: odd, data_list: [] }), String(odd)).toMatchObject({ total: null });
  }
});

test('records are unwrapped, and one without its wrapper is kept to be validated', () => {
  expect(reports.read({ total: 2, reports: [{ report: { id: 'a' } }, { id: 'b' }, null] }).records).toEqual([
    { id: 'a' },
    { id: 'b' },
    null,
  ]);
});

test('generations of an endpoint may have different keys for their list', () => {
  expect(instances.read({ total: 1, instances: [1] }).records).toEqual([1]);
  expect(instances.read({ total: 1, servers: [2] }).records).toEqual([2]);
});

describe('the end of a list', () => {
  test('is an empty list, also one written as null', () => {
    expect(events.read({ total_num: 0, data_list: [] }).records).toEqual([]);
    expect(events.read({ total_num: 0, data_list: null }).records).toEqual([]);
    expect(events.read({ data_list: null }).records).toEqual([]);
  });

  test.each<[string, object, number]>([
    ['leaves its list out beside a count of 0', { total_num: 0 }, 0],
    [
      'leaves its list out beside a code of success and a request id',
      { total_num: 0, error_code: '0', request_id: 'r' },
      0,
    ],
    ['leaves its list out beyond the end of a list with rows', { total_num: 37 }, 200],
    ['writes its list as null beyond the end of a list with rows', { total_num: 37, data_list: null }, 37],
    ['writes its list as an empty text', { total_num: 0, data_list: '' }, 0],
  ])('is an answer that %s', (_name, body, offset) => {
    expect(events.read(body, offset)).toMatchObject({ records: [], error: null });
  });

  test.each<[string, object, number]>([
    ['has other members than a page', { total_num: 0, message: 'sign in' }, 0],
    ['promises rows at this place', { total_num: 37 }, 36],
    ['has an error code', { total_num: 0, error_code: 'HSS.1001' }, 0],
  ])('is no answer without a list that %s', (_name, body, offset) => {
    expect(() => events.read(body, offset)).toThrow(MalformedAnswer);
  });

  test('is not a missing list, or null although the count is positive', () => {
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

  test('is not a response that is not an object', () => {
    for (const body of [null, [], 'text', 5, undefined]) {
      expect(() => events.read(body)).toThrow('the answer is not a JSON object');
    }
  });
});

test('a response without a list is reported with its error code, else with its keys', () => {
  expect(() => events.read({ error_code: 'HSS.0001' })).toThrow('the answer has no data_list: error_code HSS.0001');
  expect(() => instances.read({ status: 1, note: 2 })).toThrow(
    'the answer has no instances or servers: its keys are status, note',
  );
  expect(() => events.read({})).toThrow('its keys are none');
});

describe('an error code', () => {
  const rows = { total_num: 1, data_list: [{ a: 1 }] };

  test.each(['', '0', 0, '00000000', '200', 200, null, 'SUCCESS', 'success', 'Succeeded', 'OK', 'HSS.0000'])(
    'of %j is one of success',
    (error_code) => {
      expect(events.read({ ...rows, error_code }).error).toBeNull();
    },
  );

  test.each<[object, string]>([
    [{ error_code: 'HSS.1001' }, 'HSS.1001'],
    [{ errorCode: 10020102 }, '10020102'],
    [{ error: { code: 'DBSS.11000000' } }, 'DBSS.11000000'],
    [{ code: '00000010' }, '00000010'],
  ])('in %j is kept beside the rows', (said, error) => {
    expect(events.read({ ...rows, ...said })).toMatchObject({ records: [{ a: 1 }], error });
  });
});

test('a list without pages is requested without page parameters, and its length is that of the response unless it has a count', () => {
  const agents = wholePaging({ list: 'agents' });
  expect(agents.params({ offset: 0, limit: 1 })).toEqual({});
  expect(agents.read({ agents: [{ id: 1 }, { id: 2 }] })).toMatchObject({ total: 2, records: [{ id: 1 }, { id: 2 }] });
  expect(agents.read({ agents: [] })).toMatchObject({ total: 0, records: [] });
  expect(agents.read({ total: 3, agents: [{ id: 1 }] })).toMatchObject({ total: 3 });
  expect(() => agents.read({ message: 'no' })).toThrow(MalformedAnswer);
});
