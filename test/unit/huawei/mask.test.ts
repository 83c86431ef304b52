import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mask } from '../../../src/huawei/requests/api-failure.ts';

const SECRET = 'pa"ss/w\\ord+&<é> 100%';
const html = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const numeric = (text: string) => [...text].map((one) => `&#x${one.codePointAt(0)?.toString(16)};`).join('');
const escaped = (text: string) =>
  text.replaceAll(/[^a-z]/gi, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

describe('a secret is masked', () => {
  test.each<[string, string]>([
    ['as it is', SECRET],
    ['in a URL', encodeURIComponent(SECRET)],
    ['in a form', new URLSearchParams({ a: SECRET }).toString().slice(2)],
    ['in JSON', JSON.stringify(SECRET).slice(1, -1)],
    ['in JSON that escapes the slash', JSON.stringify(SECRET).slice(1, -1).replaceAll('/', '\\/')],
    ['in JSON that escapes everything', escaped(SECRET)],
    ['in HTML', html(SECRET)],
    ['in HTML by numbers', numeric(SECRET)],
    ['in a URL inside JSON', `\\u0025${encodeURIComponent(SECRET).slice(1)}`.replace('\\u0025a', 'pa')],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64 of a longer text', Buffer.from(`user:${SECRET}@host`).toString('base64')],
    ['in base64 for URLs', Buffer.from(`u:${SECRET}`).toString('base64url')],
    ['in hexadecimal digits', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['cut off at its end', SECRET.slice(0, 15)],
  ])('%s', (_name, shown) => {
    const masked = mask(`before ${shown} after`, ['another', SECRET]);
    expect(masked).toContain('[secret]');
    expect(masked).not.toContain(shown);
    expect(masked.startsWith('before ')).toBe(true);
    expect(masked.endsWith(' after')).toBe(true);
  });

  test('with any characters: raw, in a URL, in JSON, and in base64 after any prefix', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, unit: 'binary' }), fc.string(), (drawn, before) => {
        const secret = drawn.toWellFormed();
        const forms = [
          secret,
          encodeURIComponent(secret),
          JSON.stringify(secret).slice(1, -1),
          Buffer.from(before + secret).toString('base64'),
        ];
        for (const form of forms) expect(mask(`x ${form} y`, [secret])).not.toContain(form);
      }),
      { numRuns: 20 },
    );
  });

  test('together with the rest of a long token', () => {
    const token = `MIIY${'aB3+/'.repeat(6_000)}`;
    expect(mask(`token ${token} end`, [token])).toBe('token [secret] end');
  });

  test('and a signature as well, because it is valid for a quarter of an hour', () => {
    expect(mask(`Access=AK, Signature=${'0f'.repeat(32)} no`, [])).toBe('Access=AK, Signature=[secret] no');
  });
});

test('a long text is masked in less than a second', () => {
  const startedAt = performance.now();
  mask('a'.repeat(5_000), ['secretsecretsecret', 'a'.repeat(40)]);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
