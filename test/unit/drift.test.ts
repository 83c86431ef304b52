import { expect, test } from 'vitest';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { inside, instant, int, text } from '../../src/core/stream/fields.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { driftOf, orderDrift } from '../../src/core/stream/validate.ts';
import { asked, fixed, moving } from '../../src/core/walk/order.ts';

const stream = defineStream({
  name: 'things',
  about: 'Things.',
  document: 'https://example.com',
  group: 'containers',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/things'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [],
  schedule: '* * * * *',
  reconcileEveryMs: 1,
  targetMs: 1,
  table: {
    schema: hss,
    name: 'things',
    key: ['id'],
    fields: {
      id: text('Id.', { max: 4 }),
      level: text('Level.', { values: ['low', 'high'], spellings: { LOW: 'low' } }),
      size: int('Size.', { min: 1, max: 10 }),
      note: text('Note.', { optional: true }),
      at: instant('Time.'),
      ...inside('info', { kind: text('Kind.', { optional: true }) }),
    },
  },
});
const origin = { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' };
const good = { id: 'a', level: 'low', size: 1, at: 1_695_094_500_324 };
const drift = (more: object) => driftOf(stream, { ...good, ...more }, origin);

test('a documented value in any accepted spelling is not drift', () => {
  expect(drift({})).toEqual([]);
  expect(drift({ level: 'LOW', size: '10', note: null, projectId: 'p', region: 'r' })).toEqual([]);
});

test('empty and null values are not drift, absent ones are', () => {
  expect(drift({ level: '', size: null, at: null })).toEqual([]);
  expect(driftOf(stream, { id: 'a' }, origin)).toEqual([
    { field: 'level', kind: 'missing field', sample: null },
    { field: 'size', kind: 'missing field', sample: null },
    { field: 'at', kind: 'missing field', sample: null },
  ]);
});

test('an undocumented value, length and number are recorded as drift with a sample', () => {
  expect(drift({ id: 'abcde', level: 'medium', size: 11 })).toEqual([
    { field: 'id', kind: 'beyond length', sample: 'abcde' },
    { field: 'level', kind: 'undocumented value', sample: 'medium' },
    { field: 'size', kind: 'beyond range', sample: '11' },
  ]);
  expect(drift({ id: '😀😀😀😀' }), 'lengths count characters').toEqual([]);
});

test('a time in seconds, before 2000 or outside the documented range is drift, an unset one is not', () => {
  for (const at of [1_788_220_800, 5, -5, 4_102_444_800_001]) {
    expect(drift({ at })).toEqual([{ field: 'at', kind: 'beyond range', sample: String(at) }]);
  }
  for (const at of [0, -1, '0', '-1', '', null]) expect(drift({ at }), String(at)).toEqual([]);
});

test('an undocumented field is drift, also inside a flattened object and with another project id', () => {
  expect(drift({ extra: { n: 9_007_199_254_740_993n }, info: { kind: 'Pod', more: 1 }, projectId: 'other' })).toEqual([
    { field: 'extra', kind: 'unknown field', sample: '{"n":9007199254740993}' },
    { field: 'info', kind: 'unknown field', sample: '{"more":1}' },
    { field: 'projectId', kind: 'unknown field', sample: 'other' },
  ]);
});

test('names and samples of any content can be stored, and stay short', () => {
  const found = drift({ 'n\u0000\ud800': '\u0000', level: `${'y'.repeat(119)}😀z`, ['k'.repeat(500)]: 1 });
  for (const { field, sample } of found) {
    for (const text of [field, sample ?? '']) {
      expect(text.isWellFormed()).toBe(true);
      expect(text).not.toContain('\u0000');
      expect(text.length).toBeLessThanOrEqual(121);
    }
  }
  expect(found).toHaveLength(3);
});

test('an element that is not a record is a reject, not drift', () => {
  expect(driftOf(stream, 'text', origin)).toEqual([]);
});

test('a page in another order than requested is drift, even with rows without a value in between', () => {
  const order = [fixed('id'), asked(moving('at'), 'desc', { sort_key: 'at', sort_dir: 'desc' })];
  const page = (...keys: (number | string | null)[]) =>
    keys.map((key, index) => ({ key: String(index), content: '', sort: ['x', key] }));
  expect(orderDrift({ order }, page(3, 3, null, 2, 1))).toEqual([]);
  expect(orderDrift({ order }, [])).toEqual([]);
  expect(orderDrift({ order }, page(1, null, 2))).toEqual([
    { field: 'at', kind: 'other order', sample: 'asked at desc' },
  ]);
  const ascending = [fixed('id'), asked(fixed('at'), 'asc', {})];
  expect(orderDrift({ order: ascending }, page('a', 'b'))).toEqual([]);
  expect(orderDrift({ order: ascending }, page('b', 'a'))).toHaveLength(1);
});

test('a value declared to mean "none" is not drift', () => {
  const days = defineStream({
    ...stream,
    history: false,
    table: {
      schema: hss,
      name: 'days',
      key: ['id'],
      fields: { id: text(''), left: int('', { none: ['-1'], min: 0 }) },
    },
  });
  expect(driftOf(days, { id: 'a', left: -1 }, origin)).toEqual([]);
  expect(driftOf(days, { id: 'a', left: -2 }, origin)).toMatchObject([{ kind: 'beyond range' }]);
});
