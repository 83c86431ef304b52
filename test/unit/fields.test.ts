import { describe, expect, test } from 'vitest';
import {
  computed,
  decimal,
  type Field,
  flag,
  inside,
  instant,
  int,
  json,
  parsedFrom,
  text,
  zonelessTime,
} from '../../src/core/stream/fields.ts';

const REFUSED = Symbol('refused');

function read(field: Field, value: unknown): unknown {
  const result = field.convert(value);
  return result === undefined ? REFUSED : result;
}

function readAll(field: Field, values: readonly unknown[]): unknown[] {
  return values.map((value) => read(field, value));
}

describe('a text', () => {
  test('is stored unchanged, whatever its length', () => {
    expect(readAll(text(''), ['', ' a ', 'x'.repeat(100_000)])).toEqual(['', ' a ', 'x'.repeat(100_000)]);
  });

  test('may be received as a number or a boolean, with all its digits', () => {
    expect(readAll(text(''), [123_456, 0, 9_007_199_254_740_993n, true])).toEqual([
      '123456',
      '0',
      '9007199254740993',
      'true',
    ]);
  });

  test('loses only what Postgres cannot hold: U+0000 and halves of surrogate pairs', () => {
    expect(readAll(text(''), ['a\u0000b', '\ud83d', 'x\udc00y', '😀'])).toEqual([
      'a\ufffdb',
      '\ufffd',
      'x\ufffdy',
      '😀',
    ]);
  });

  test('is null when absent, and refused when it is an object', () => {
    expect(readAll(text(''), [null, undefined, {}, []])).toEqual([null, null, REFUSED, REFUSED]);
  });

  test('is stored in one spelling, and an undocumented value unchanged', () => {
    const field = text('', { spellings: { local: 'local_image' }, values: ['local_image'] });
    expect(readAll(field, ['local', 'local_image', 'cicd', 'constructor', 5])).toEqual([
      'local_image',
      'local_image',
      'cicd',
      'constructor',
      '5',
    ]);
  });
});

describe('an integer', () => {
  test('keeps every digit of 64 bits, as a number or as text', () => {
    expect(readAll(int(''), [7, '7', ' 7 ', '-7', '+7', 9_223_372_036_854_775_807n, '-9223372036854775808'])).toEqual([
      7,
      7n,
      7n,
      -7n,
      7n,
      9_223_372_036_854_775_807n,
      -9_223_372_036_854_775_808n,
    ]);
  });

  test('is refused beyond 64 bits, with a fraction, and as anything else', () => {
    const odd = [9_223_372_036_854_775_808n, '9223372036854775808', 1.5, '1.5', 'seven', true, {}, 2 ** 60, 1e300];
    for (const value of odd) expect(read(int(''), value), String(value)).toBe(REFUSED);
  });

  test('is null when absent or empty, but zero is zero', () => {
    expect(readAll(int(''), [null, undefined, '', 0, '0'])).toEqual([null, null, null, 0, 0n]);
  });
});

test('a decimal is a number in either form, and never infinite', () => {
  expect(readAll(decimal(''), [7.4, '7.4', 10n, 0, '', null])).toEqual([7.4, 7.4, 10, 0, null, null]);
  for (const value of ['7,4', 'high', '1e400', Number.POSITIVE_INFINITY, true, []]) {
    expect(read(decimal(''), value), String(value)).toBe(REFUSED);
  }
});

test('a flag is true or false in the usual spellings', () => {
  expect(readAll(flag(''), [true, 'true', 'TRUE', 1, '1', false, 'false', 0, '', null])).toEqual([
    true,
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    null,
    null,
  ]);
  expect(readAll(flag(''), ['yes', 2, {}])).toEqual([REFUSED, REFUSED, REFUSED]);
});

describe('an instant', () => {
  test('is milliseconds since the epoch, as a number or as text', () => {
    const expected = new Date('2023-09-19T03:35:00.324Z');
    expect(readAll(instant(''), [1_695_094_500_324, '1695094500324', 1_695_094_500_324n])).toEqual([
      expected,
      expected,
      expected,
    ]);
  });

  test('that is unset is null: 0, -1, empty, absent', () => {
    for (const none of [0, '0', -1, '-1', '', null, undefined])
      expect(read(instant(''), none), String(none)).toBeNull();
  });

  test('in ten digits is seconds, not a day of 1970', () => {
    expect(readAll(instant(''), [1_788_220_800, '1788220800'])).toEqual([
      new Date('2026-09-01T00:00:00Z'),
      new Date('2026-09-01T00:00:00Z'),
    ]);
  });

  test('before the year 2000 is null, because the API has no data as old', () => {
    for (const old of [1, -5, 86_400_000, 946_684_799_999]) expect(read(instant(''), old), String(old)).toBeNull();
    expect(read(instant(''), 946_684_800_000)).toEqual(new Date('2000-01-01T00:00:00Z'));
  });

  test('is refused where Postgres could not hold it: microseconds, the largest integer, before year 1', () => {
    const odd = [1_695_094_500_324_000, 9_223_372_036_854_775_807n, -62_135_596_800_001, 'soon', 1.5, true, {}];
    for (const value of odd) expect(read(instant(''), value), String(value)).toBe(REFUSED);
    expect(read(instant(''), 253_402_300_799_999)).toEqual(new Date('9999-12-31T23:59:59.999Z'));
  });
});

describe('a time without zone', () => {
  test('stays a wall-clock time until its zone is known', () => {
    expect(
      readAll(zonelessTime(''), ['2025-08-21 07:03:56', ' 2025-08-21T07:03:56 ', '2025-08-21 07:03:56.1239']),
    ).toEqual(['2025-08-21T07:03:56', '2025-08-21T07:03:56', '2025-08-21T07:03:56.123']);
  });

  test('that names a zone, or comes in milliseconds, is an instant', () => {
    const instants = [
      '2025-08-21 07:03:56Z',
      '2025-08-21T15:03:56+08:00',
      '2025-08-21 15:03:56+0800',
      1_755_759_836_000,
    ];
    for (const value of instants) {
      expect(read(zonelessTime(''), value), String(value)).toEqual(new Date('2025-08-21T07:03:56Z'));
    }
  });

  test('is null if unset, and refused if the date does not exist', () => {
    expect(readAll(zonelessTime(''), ['', null, undefined, 0, '0'])).toEqual([null, null, null, null, null]);
    for (const value of [
      '2025-13-01 00:00:00',
      '2025-02-30 10:00:00',
      '0000-00-00 00:00:00',
      '21.08.2025',
      'now',
      {},
    ]) {
      expect(read(zonelessTime(''), value), String(value)).toBe(REFUSED);
    }
  });
});

test('JSON is stored unchanged, except for what Postgres cannot hold', () => {
  const value = { list: [1, 'a\u0000'], 'k\u0000': { big: 9_007_199_254_740_993n } };
  expect(read(json(''), value)).toEqual({ list: [1, 'a\ufffd'], 'k\ufffd': { big: 9_007_199_254_740_993n } });
  expect(readAll(json(''), [null, undefined, '', 0, false])).toEqual([null, null, '', 0, false]);
});

describe('JSON inside a text', () => {
  const content = parsedFrom('event_content', '');
  const parsed = (source: unknown) => content.derive?.({ event_content: typeof source === 'string' ? source : null });

  test('is an object or an array, with every digit', () => {
    expect(parsed('{"id":9007199254740993,"a":[true]}')).toEqual({ id: 9_007_199_254_740_993n, a: [true] });
    expect(parsed('[1]')).toEqual([1]);
  });

  test('is null when the text is cut short, something else, or absent', () => {
    for (const source of ['{"kind":"Po', 'plain words', '5', '"text"', 'null', '', undefined]) {
      expect(parsed(source), String(source)).toBeNull();
    }
  });

  test('is null if it is nested too deeply to be written again', () => {
    for (const levels of [1_000, 2_500, 10_000, 100_000]) {
      expect(parsed('['.repeat(levels) + ']'.repeat(levels)), `${levels} levels`).toBeNull();
    }
    expect(parsed(`${'['.repeat(100)}${']'.repeat(100)}`)).not.toBeNull();
  });
});

test('the members of an object become columns that remember where they came from', () => {
  const fields = inside('resource_info', { kind: text('Kind.') });
  expect(fields).toMatchObject({ resource_info_kind: { inside: 'resource_info', wire: 'kind', about: 'Kind.' } });
});

test('a computed column is derived from the others', () => {
  const field = computed('', (row) => `${row.a}-${row.b}`);
  expect(field.derive?.({ a: 1, b: 'x' })).toBe('1-x');
  expect(field.documented.optional).toBe(true);
});

test('a value that is declared to mean "none" is null in any spelling, and other values stay as they are', () => {
  const days = int('', { none: ['-1'], min: 0 });
  expect(readAll(days, [-1, '-1', -1n, 0, 5, 'x'])).toEqual([null, null, null, 0, 5, REFUSED]);
  expect(readAll(text('', { none: ['--', 'N/A'] }), ['--', 'N/A', 'a'])).toEqual([null, null, 'a']);
});

test('a part of a key that may be empty is the empty text where it is absent', () => {
  expect(readAll(text('', { emptyInKey: true }), [undefined, null, '', 'c'])).toEqual(['', '', '', 'c']);
});
