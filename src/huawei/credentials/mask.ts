const MASK = '[secret]';
/** Shorter strings occur by chance, and no key or token is that short. */
const SHORTEST = 4;
/** Encoded as a whole, as base64 or hexadecimal digits. */
const SHORTEST_ENCODED = 8;
/** So much of the beginning of a secret is taken for it, should a server cut it off. */
const BEGINNING = 12;
/** Of a token of 32 KB the beginning is looked for; what follows it goes along. */
const LONGEST = 200;
/** Bounded, so that a long text takes no longer than it should. */
const WORD = '[A-Za-z0-9+/=_%-]{0,400}';
/** What a token goes on with behind its looked-for beginning. */
const REST = '[A-Za-z0-9+/=_%-]*';
const NAMED: Readonly<Record<string, string>> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
  ' ': 'nbsp',
};

/**
 * The text without secrets, in whatever encoding a server repeats them: as they are, URL-encoded, escaped as in JSON or
 * HTML, any mixture of these, in base64 (also as a part of what was encoded) or as hexadecimal digits. A signature is a
 * secret for the 15 minutes it is good for.
 */
export function mask(text: string, secrets: readonly string[]): string {
  let masked = text.replaceAll(/\bSignature=[0-9a-f]{16,}/gi, `Signature=${MASK}`);
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    for (const pattern of patternsOf(secret)) masked = masked.replaceAll(new RegExp(pattern, 'gu'), MASK);
  }
  return masked;
}

function patternsOf(secret: string): readonly string[] {
  const patterns = [escapedPattern(secret)];
  if (secret.length < SHORTEST_ENCODED) return patterns;
  const bytes = Buffer.from(secret.slice(0, LONGEST));
  for (const offset of [0, 1, 2]) patterns.push(`${WORD}${base64Pattern(bytes, offset)}${WORD}`);
  patterns.push(`${WORD}${anyCase(bytes.toString('hex'))}${WORD}`);
  return patterns;
}

/** Character by character, each as it is or escaped in some way. */
function escapedPattern(secret: string): string {
  const characters = [...secret.slice(0, LONGEST)].map(characterPattern);
  const required = characters.slice(0, BEGINNING).join('');
  const optional = characters.slice(BEGINNING).reduceRight((rest, one) => `(?:${one}${rest})?`, '');
  return `${required}${optional}${secret.length > LONGEST ? REST : ''}`;
}

function characterPattern(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const units = [...Array(character.length).keys()].map((index) => hex(character.charCodeAt(index), 4));
  const bytes = [...Buffer.from(character)].map((byte) => `%${hex(byte, 2)}`);
  const variants = [
    literal(character),
    units.map((unit) => `\\\\u${unit}`).join(''),
    bytes.join(''),
    `&#0*${point};`,
    `&#[xX]0*${anyCase(point.toString(16))};`,
  ];
  const name = NAMED[character];
  if (name !== undefined) variants.push(`&${name};`);
  const json = JSON.stringify(character).slice(1, -1);
  if (json !== character) variants.push([...json].map(literal).join(''));
  if (character === '/') variants.push('\\\\/');
  if (character === ' ') variants.push('\\+');
  return `(?:${variants.join('|')})`;
}

/** The secret in base64 when it begins at the given offset within a group of three bytes. */
function base64Pattern(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const first = Math.ceil((offset * 8) / 6);
  const whole = Math.floor(((offset + bytes.length) * 8) / 6);
  return [...encoded.slice(first, whole)]
    .map((one) => (one === '+' ? '(?:[+-]|%2[bB])' : one === '/' ? '(?:[/_]|\\\\/|%2[fF])' : one))
    .join('');
}

function hex(value: number, digits: number): string {
  return anyCase(value.toString(16).padStart(digits, '0'));
}

function anyCase(digits: string): string {
  return digits.replaceAll(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

/** Escaped for a regular expression with the flag u, which allows no other escapes. */
function literal(character: string): string {
  return character.replace(/[$()*+./?[\\\]^{|}-]/, (special) => (special === '-' ? '-' : `\\${special}`));
}
