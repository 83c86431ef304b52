import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeText } from '../../../src/huawei/transport/decode-text.ts';

const encoded = (text: string) => new TextEncoder().encode(text);
/** What a text means: its value, or that it is no JSON. */
const meaning = (text: string): unknown => {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return SyntaxError;
  }
};
/** Long enough that a few characters are few. */
const PADDING = 'x'.repeat(5_000);

test('JSON with few characters beyond ASCII has them as escapes, so V8 stores it in one byte for each character', () => {
  expect(decodeText(encoded(`{"name":"安全 é","pad":"${PADDING}"}`))).toBe(
    `{"name":"\\u5b89\\u5168 \\u00e9","pad":"${PADDING}"}`,
  );
});

test.each([
  ['a text that is not JSON', `安全 ${PADDING}`],
  ['JSON with many characters beyond ASCII', '{"name":"安全"}'],
  ['characters that take two escapes', `{"name":"😀","pad":"${PADDING}"}`],
  ['a wrong escape', `{"name":"\\安","pad":"${PADDING}"}`],
  ['ASCII', `{"pad":"${PADDING}"}`],
])('%s is decoded as usual', (_name, text) => {
  expect(decodeText(encoded(text))).toBe(text);
});

test('a byte order mark is not part of the text', () => {
  expect(decodeText(encoded('\ufeff{"a":1}'))).toBe('{"a":1}');
});

test('any bytes mean the same as the text that TextDecoder makes of them', () => {
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 6 }).map(encoded),
    fc.constantFrom('\\', '"', '\\\\', '","b":"', '\\u4e2d', '中', 'é', '\u2028').map(encoded),
    // Parts are searched in blocks of 4,096 bytes.
    fc.integer({ min: 4_080, max: 4_110 }).map((length) => encoded('y'.repeat(length))),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), fc.boolean(), (parts, isPadded) => {
      const bytes = Buffer.concat([
        Buffer.from('{"a":"'),
        ...parts,
        Buffer.from(`","c":"${isPadded ? PADDING : ''}"}`),
      ]);
      expect(meaning(decodeText(bytes))).toEqual(meaning(new TextDecoder().decode(bytes)));
    }),
    { numRuns: 2_000 },
  );
});
