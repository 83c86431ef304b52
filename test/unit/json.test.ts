import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cleanJson,
  cleanText,
  deepJson,
  isCleanJson,
  isShallow,
  parseDeepJson,
  parseJson,
  sortedMembers,
  toJson,
} from '../../src/core/stream/json.ts';

test('integers beyond 2^53 keep every digit, wherever they stand', () => {
  const text = '{"a":9007199254740993,"b":[-9223372036854775808],"c":{"d":12345678901234567890123}}';
  expect(parseJson(text)).toEqual({
    a: 9_007_199_254_740_993n,
    b: [-9_223_372_036_854_775_808n],
    c: { d: 12_345_678_901_234_567_890_123n },
  });
  expect(toJson(parseJson(text))).toBe(text);
});

test('safe integers, and long digits inside texts and fractions, stay unchanged', () => {
  expect(parseJson('{"a":9007199254740991,"b":"12345678901234567890","c":0.12345678901234567890,"d":1e20}')).toEqual({
    a: 9_007_199_254_740_991,
    b: '12345678901234567890',
    c: 0.123_456_789_012_345_68,
    d: 1e20,
  });
});

test('every 64-bit integer survives reading and writing', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(toJson(parseJson(`[${value}]`))).toBe(`[${value}]`);
    }),
  );
});

test('a long number is found wherever it begins and ends', () => {
  for (let before = 0; before < 40; before += 1) {
    for (const digits of [
      '9007199254740993',
      '90071992547409931',
      '9223372036854775807',
      '90071992547409930000000000000001',
    ]) {
      const text = `["${'x'.repeat(before)}",${digits},"y"]`;
      expect(parseJson(text), text).toEqual(['x'.repeat(before), BigInt(digits), 'y']);
    }
  }
});

test('invalid JSON is a SyntaxError, also with long numbers in it', () => {
  for (const text of ['', '<html>', '{"a":12345678901234567890', '{"a":1,}', '\ufeff{}']) {
    expect(() => parseJson(text), text).toThrow(SyntaxError);
  }
});

test('cleaning leaves sound text untouched and makes any text storable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const clean = cleanText(text);
      expect(clean.isWellFormed()).toBe(true);
      expect(clean).not.toContain('\u0000');
      expect(cleanText(clean)).toBe(clean);
      if (text.isWellFormed() && !text.includes('\u0000')) expect(clean).toBe(text);
    }),
  );
  expect(cleanJson({ 'a\u0000': ['\ud800', 1, null] })).toEqual({ 'a\ufffd': ['\ufffd', 1, null] });
});

const nested = (levels: number, inner: string) => `${'{"a":['.repeat(levels)}${inner}${']}'.repeat(levels)}`;

test('an escape of U+0000 or of a surrogate is found, wherever it stands and however many others there are', () => {
  const others = (count: number) => '\\u00e9\\u4e2d\\n'.repeat(count);
  for (const unclean of ['\\u0000', '\\ud800', '\\uDBFF', '\\uDfff', '\\uD8aA']) {
    for (const [before, after] of [
      [0, 0],
      [3, 0],
      [0, 3],
      [249, 1],
      [250, 0],
      [400, 400],
    ] as const) {
      const text = `{"a":"${others(before)}${unclean}${others(after)}"}`;
      expect(isCleanJson(text), text.slice(0, 60)).toBe(false);
    }
  }
  for (const count of [0, 1, 250, 600]) expect(isCleanJson(`{"a":"${others(count)}\\u0001\\ue000\\u000"}`)).toBe(true);
});

test('JSON of a hundred thousand levels is read and written again, long integers included', () => {
  for (const inner of ['1', '9007199254740993']) {
    const text = nested(50_000, inner);
    expect(toJson(parseJson(text)) === text, inner).toBe(true);
  }
});

test('reading and writing without recursion give the same results as JSON.parse and JSON.stringify', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = parseJson(text);
      expect(parseDeepJson(text)).toEqual(value);
      expect(deepJson(value)).toBe(toJson(value));
    }),
  );
  const text = '{"a":-9007199254740993,"b":"-9007199254740993","c":[0.12345678901234567890,9007199254740991,1e20]}';
  expect(parseDeepJson(text)).toEqual(parseJson(text));
});

test('values nested deeper than 200 levels become their JSON text, in objects and lists', () => {
  const clean = cleanJson(parseJson(nested(3_000, '"\\u0000"')));
  expect(isShallow(clean)).toBe(true);
  const text = toJson(clean);
  expect(text.startsWith('{"a":[{"a":[')).toBe(true);
  expect(text).toContain('[\\"');
  expect(cleanJson(parseJson(nested(90, '1')))).toEqual(parseJson(nested(90, '1')));
});

test('the members of an object are sorted by name at every depth, and a value in that order is not copied', () => {
  const member = fc.constantFrom('a', 'b', 'Z', '10', '9', '__proto__', 'constructor', '');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.integer(), fc.constant(null), fc.array(tie('value')), tie('object')),
    object: fc.uniqueArray(fc.tuple(member, tie('value')), { selector: ([name]) => name }).map(Object.fromEntries),
  }));
  fc.assert(
    fc.property(value, (any) => {
      const ordered = sortedMembers(any);
      expect(textInOrder(ordered)).toBe(textInOrder(any));
      expect(JSON.stringify(sortedMembers(shuffled(any)))).toBe(JSON.stringify(ordered));
      if (JSON.stringify(any) === textInOrder(any)) expect(ordered).toBe(any);
    }),
  );
});

/** JSON with sorted members, written without an object in between. */
function textInOrder(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textInOrder).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${textInOrder(inner)}`).join(',')}}`;
}

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, shuffled(inner)]),
  );
}
