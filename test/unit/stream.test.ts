import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { computed, inside, instant, int, text, zonelessTime } from '../../src/core/stream/fields.ts';
import { keyOf, type Origin } from '../../src/core/stream/record.ts';
import { childOf, defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { fixed } from '../../src/core/walk/order.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilityOperations as operations } from '../../src/streams/hss/image-vulnerability-operations.ts';

const stream = defineStream({
  name: 'things',
  about: 'Things.',
  document: 'https://example.com',
  group: 'containers',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/things'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('size')],
  schedule: '* * * * *',
  reconcileEveryMs: 1,
  targetMs: 1,
  table: {
    schema: hss,
    name: 'things',
    key: ['place', 'thing_id'],
    fields: {
      thing_id: text('Id.', { also: ['id'] }),
      place: text('Place.', { optional: true }),
      size: int('Size.'),
      made: zonelessTime('Made.'),
      seen: instant('Seen.'),
      ...inside('info', { kind: text('Kind.') }),
    },
  },
});
const origin: Origin = { projectId: 'p', region: 'r', params: { place: 'here' }, timeZone: 'UTC' };
const parse = (record: unknown, more: Partial<Origin> = {}) => stream.parse(record, { ...origin, ...more });

describe('a record', () => {
  test('becomes a row with every column, absent ones null', () => {
    expect(parse({ id: 'a' })).toEqual({
      ok: true,
      row: { thing_id: 'a', place: 'here', size: null, made: null, seen: null, info_kind: null },
      extra: null,
    });
  });

  test('is not a hash table in memory, which would need twice the size and five times the time of a first load', () => {
    setFlagsFromString('--allow-natives-syntax');
    const isCompact = new Function('object', 'return %HasFastProperties(object)');
    const parsed = hssClusterEvents.parse({ event_id: 'e', resource_info: { kind: 'Pod' } }, { ...origin, params: {} });
    expect(parsed.ok && Object.keys(parsed.row).length).toBeGreaterThan(20);
    expect(parsed.ok && isCompact(parsed.row)).toBe(true);
  });

  test('without any documented field is a reject, even if its key can be computed and the list sets other columns', () => {
    const where = { ...origin, params: { vul_id: 'v', image_type: 'registry' } };
    for (const record of [{}, { error: 'internal' }, { user_name: null, remark: null }]) {
      expect(operations.parse(record, where)).toMatchObject({ ok: false, key: null });
    }
    expect(operations.parse({ remark: 'x' }, where).ok).toBe(true);
  });

  test('may write a field twice: the first value that is not null wins, a contradiction is kept', () => {
    expect(parse({ thing_id: null, thingId: 'a', id: 'a' })).toMatchObject({ row: { thing_id: 'a' }, extra: null });
    expect(parse({ thing_id: 'a', id: 'b' })).toMatchObject({ row: { thing_id: 'a' }, extra: { id: 'b' } });
  });

  test('that writes a field under its present and its former name has the value of the present one, in any order', () => {
    expect(parse({ id: 0, thing_id: 'a' })).toMatchObject({ row: { thing_id: 'a' }, extra: { id: 0 } });
    expect(parse({ id: 'b', thing_id: null })).toMatchObject({ row: { thing_id: 'b' }, extra: null });
  });

  test('keeps every unknown field, also below flattened objects', () => {
    const record = JSON.parse(
      '{"id":"a","new":[1],"info":{"kind":"Pod","more":2},"__proto__":{"x":1},"constructor":5}',
    );
    const parsed = parse(record);
    expect(parsed.ok && JSON.stringify(parsed.extra)).toBe(
      '{"new":[1],"info":{"more":2},"__proto__":{"x":1},"constructor":5}',
    );
  });

  test('may have another value in place of an object that is flattened', () => {
    expect(parse({ id: 'a', info: 'text' })).toMatchObject({ row: { info_kind: null }, extra: { info: 'text' } });
    expect(parse({ id: 'a', info: null })).toMatchObject({ row: { info_kind: null }, extra: null });
    expect(parse({ id: 'a', info: [1] })).toMatchObject({ extra: { info: [1] } });
  });

  test('may repeat its scope, which is stored only if it contradicts the request', () => {
    expect(parse({ id: 'a', project_id: 'p', region: 'r' })).toMatchObject({ extra: null });
    expect(parse({ id: 'a', projectId: 'q' })).toMatchObject({ extra: { projectId: 'q' } });
  });

  test('has its times without zone read in the configured one', () => {
    const made = (timeZone: string) => parse({ id: 'a', made: '2025-08-21 07:03:56' }, { timeZone });
    expect(made('UTC')).toMatchObject({ row: { made: new Date('2025-08-21T07:03:56Z') } });
    expect(made('Asia/Shanghai')).toMatchObject({ row: { made: new Date('2025-08-20T23:03:56Z') } });
  });
});

describe('a reject', () => {
  test('names every invalid field, and the key if it is readable', () => {
    expect(parse({ id: 'a', size: 'big', seen: {} })).toMatchObject({
      ok: false,
      key: 'here\u0001a',
      issues: [
        { field: 'size', message: 'not a 64-bit integer' },
        { field: 'seen', message: 'not an instant in milliseconds' },
      ],
      partial: { thing_id: 'a', place: 'here' },
    });
  });

  test('has no key if a part of the key is invalid, empty or absent', () => {
    for (const record of [{ id: {} }, { id: '' }, { id: null }, {}]) {
      expect(parse(record), JSON.stringify(record)).toMatchObject({ ok: false, key: null });
    }
  });

  test('has no key if the key is computed from unreadable values', () => {
    const params = { vul_id: 'V', image_type: 'local_image' };
    expect(operations.parse({ image_id: 1, handle_time: 'soon' }, { ...origin, params })).toMatchObject({ key: null });
  });

  test('keeps its whole payload with every digit, and its place in the list', () => {
    const records = [
      { id: 'a', size: 1 },
      { id: 'b', size: 'x', big: 9_007_199_254_740_993n },
      'text',
      { id: 'c', size: 2 },
    ];
    const { rows, rejects, seen } = validate(stream, records, { origin, listingKey: 'listing' });
    expect(rows.map(({ key }) => key)).toEqual(['here\u0001a', 'here\u0001c']);
    expect(rejects.map(({ payload }) => payload)).toEqual(['{"id":"b","size":"x","big":9007199254740993}', '"text"']);
    expect(seen.map(({ key, sort }) => [key, sort])).toEqual([
      ['here\u0001a', [1]],
      ['here\u0001b', [undefined]],
      [null, [undefined]],
      ['here\u0001c', [2]],
    ]);
    expect(new Set(rejects.map(({ fingerprint }) => fingerprint)).size).toBe(2);
  });
});

test('the same content has the same fingerprint in every spelling, and one changed field another', () => {
  const hash = (record: unknown) => validate(stream, [record], { origin, listingKey: '' }).rows[0]?.hash;
  expect(hash({ id: 'a', size: '7', info: { kind: 'Pod' } })).toBe(
    hash({ thingId: 'a', size: 7, info: { kind: 'Pod' } }),
  );
  expect(hash({ id: 'a', size: 8 })).not.toBe(hash({ id: 'a', size: 7 }));
  expect(hash({ id: 'a', extra: 1 })).not.toBe(hash({ id: 'a', extra: 2 }));
});

describe('the identity of a handling', () => {
  const params = { vul_id: 'V', image_type: 'local_image' };
  const record = {
    image_id: 123_456,
    image_digest: 'sha256:1',
    image_version: '1',
    agent_id: 'g',
    app_name: 'openssl',
    app_version: '3',
    app_path: '/usr',
    user_name: 'u',
    handle_type: 'ignore',
    handle_time: 1_736_473_343_218,
    status: 'vul_status_ignored',
    remark: 'r',
  };
  const keyFor = (more: object, where: Readonly<Record<string, string>> = params) => {
    const parsed = operations.parse({ ...record, ...more }, { ...origin, params: where });
    return parsed.ok ? parsed.row.operation_key : null;
  };

  test('is a SHA-256 that never changes from version to version', () => {
    expect(keyFor({})).toMatch(/^[0-9a-f]{64}$/);
    expect(keyFor({})).toBe('ff1d35759d2f662a05018ca9ee361083fe11e4420ad4496538b2d893dd47cfdc');
  });

  test('does not depend on what may change later, nor on how a value is written', () => {
    const same = [{ status: 'x' }, { remark: 'y' }, { image_name: 'z' }, { unknown: 1 }, { image_id: '123456' }];
    for (const more of same) expect(keyFor(more), JSON.stringify(more)).toBe(keyFor({}));
    const spelled = keyFor({ handle_time: undefined, handleTime: '1736473343218' });
    expect(spelled).toBe(keyFor({}));
    expect(keyFor({ app_path: '' })).toBe(keyFor({ app_path: null }));
    expect(keyFor({ app_path: '' })).toBe(keyFor({ app_path: undefined }));
    expect(keyFor({}, { ...params, image_type: 'local' })).toBe(keyFor({}));
  });

  test('depends on every field that distinguishes two handlings', () => {
    const identity = Object.keys(record).filter((name) => !['status', 'remark'].includes(name));
    const keys = identity.map((name) => keyFor({ [name]: name === 'handle_time' ? 1 : 'other' }));
    expect(new Set([...keys, keyFor({})]).size).toBe(identity.length + 1);
    expect(keyFor({}, { ...params, vul_id: 'W' })).not.toBe(keyFor({}));
    expect(keyFor({}, { ...params, image_type: 'registry' })).not.toBe(keyFor({}));
    expect(keyFor({ app_name: 'a', app_version: 'bc' })).not.toBe(keyFor({ app_name: 'ab', app_version: 'c' }));
  });
});

test('a definition that names a missing column is refused when it is loaded', () => {
  expect(() => childOf(stream, { id: 'nowhere' })).toThrow('things has no column "nowhere"');
});

test('keys of several columns cannot be confused', () => {
  expect(keyOf(['a', 'b'], { a: 'x', b: 'yz' })).not.toBe(keyOf(['a', 'b'], { a: 'xy', b: 'z' }));
  expect(keyOf(['a'], { a: 5n })).toBe('5');
});

test('a computed column is computed after the times of the row have their zone', () => {
  const derived = defineStream({
    ...hssClusterEvents,
    listings: [],
    history: false,
    table: {
      schema: hss,
      name: 'derived',
      key: ['id'],
      fields: {
        id: text('Id.'),
        made: zonelessTime('Made.'),
        year: computed('Year.', ({ made }) => (made instanceof Date ? String(made.getUTCFullYear()) : null)),
      },
    },
  });
  expect(derived.parse({ id: 'a', made: '2025-01-01 00:00:00' }, { ...origin, timeZone: '+08:00' })).toMatchObject({
    row: { year: '2024' },
  });
});
