import { describe, expect, it } from 'vitest';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { decimal, instant, int, json, text } from '../../src/core/stream/fields.ts';
import type { Row } from '../../src/core/stream/record.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { compareRows } from '../../src/core/verify.ts';
import { DifferenceCollector } from '../../src/sync/verify/compare-page.ts';

const stream = defineStream({
  name: 'hss_compared',
  about: 'Made up.',
  document: 'none',
  group: 'containers',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/none'], enterpriseProjects: false },
  paging: offsetPaging({ list: 'data_list' }),
  order: [],
  schedule: '* * * * *',
  reconcileEveryMs: 1,
  targetMs: 1,
  table: {
    schema: hss,
    name: 'compared',
    key: ['id'],
    fields: {
      id: text(''),
      word: text(''),
      count: int(''),
      score: decimal(''),
      at: instant(''),
      scan: instant('', { volatile: true }),
      list: json(''),
    },
  },
});

function fields(stored: Row, listed: Row, extra: readonly [unknown, unknown] = [null, null]): readonly string[] {
  const differences = compareRows(stream, { row: stored, extra: extra[0] }, { row: listed, extra: extra[1] });
  return differences.map(({ field, volatile }) => (volatile ? `(${field})` : field));
}

describe('compareRows', () => {
  it.each<readonly [string, Row, Row]>([
    ['an absent value and null', { word: null }, {}],
    ['an integer in either type', { count: 12 }, { count: 12n }],
    ['an instant of another object', { at: new Date(5) }, { at: new Date(5) }],
    ['JSON in another order', { list: { a: 1, b: [2, { c: 3 }] } }, { list: { b: [2, { c: 3 }], a: 1 } }],
    ['a list in another order, which is not written either', { list: [1, [2, 3]] }, { list: [[3, 2], 1] }],
    ['digits beyond 2^53 inside JSON', { list: [9007199254740993n] }, { list: [9007199254740993n] }],
    ['a number that Postgres writes out', { list: [150000000000000000000000n, -1e-7] }, { list: [1.5e23, -1e-7] }],
  ])('takes %s for equal', (_, stored, listed) => expect(fields(stored, listed)).toEqual([]));

  it.each<readonly [string, Row, Row]>([
    ['word', { word: '' }, { word: null }],
    ['word', { word: 'null' }, { word: null }],
    ['count', { count: 9007199254740993n }, { count: 9007199254740992n }],
    ['score', { score: 0.1 }, { score: 0.1000000001 }],
    ['at', { at: new Date(5) }, { at: new Date(6) }],
    ['at', { at: new Date(Number.NaN) }, { at: new Date(6) }],
    ['(scan)', { scan: new Date(5) }, { scan: null }],
    ['list', { list: [1, 2] }, { list: [1, 3] }],
    ['list', { list: ['1'] }, { list: [1] }],
    ['list', { list: [9007199254740993n] }, { list: [9007199254740992n] }],
  ])('finds a difference in %s', (field, stored, listed) => expect(fields(stored, listed)).toEqual([field]));

  it('compares unknown fields as well', () => {
    expect(fields({}, {}, [{ a: 1 }, { a: 1 }])).toEqual([]);
    expect(fields({}, {}, [{ a: 1 }, null])).toEqual(['_extra']);
  });
});

describe('DifferenceCollector', () => {
  const change = (stored: string, listed: string) => ({
    kind: 'changed' as const,
    key: { id: 'a' },
    fields: [{ field: 'word', stored, listed, volatile: false }],
  });

  it('cuts long values so that their first difference is visible', () => {
    const collector = new DifferenceCollector(stream, Number.POSITIVE_INFINITY);
    collector.add({
      ...change(`${'x'.repeat(5_000)}old${'y'.repeat(500)}`, `${'x'.repeat(5_000)}new`),
      excused: false,
    });
    const [field] = collector.differences[0]?.fields ?? [];
    expect(field?.stored).toMatch(/^…x{50}oldy+…$/);
    expect(field?.listed).toMatch(/^…x{50}new$/);
  });

  it('counts all and keeps as many as asked for, none of them excused', () => {
    const collector = new DifferenceCollector(stream, 2);
    collector.add({ ...change('a', 'b'), excused: true });
    for (let index = 0; index < 5; index += 1) collector.add({ ...change('a', 'b'), excused: false });
    expect(collector).toMatchObject({ changed: 5, excused: 1 });
    expect(collector.differences).toHaveLength(2);
  });
});
