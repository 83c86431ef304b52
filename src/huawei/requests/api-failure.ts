import type { ApiFailure } from '../../core/errors.ts';
import { errorCodeIn } from '../../core/stream/endpoint.ts';
import { parseJson } from '../../core/stream/json.ts';
import type { HttpAnswer } from '../transport/http.ts';

const LONGEST_MESSAGE = 300;
/** Room for what a mask shortens. */
const LONGEST_MASKED = 4_000;
/** A control character that is no white space, or a byte that is no UTF-8. */
const NO_TEXT = /\uFFFD|(?!\s)\p{Cc}/u;
/** An encoded authorization message can only be decoded whole; longer ones are cut all the same. */
const LONGEST_ENCODED = 16_384;

type Fields = Readonly<Record<string, unknown>>;

/**
 * What an error answer says, whichever of the documented shapes it has: `{error_code, error_msg, error_description}`
 * (HSS), the same with `details[]` or below `error` (DBSS, new and old URIs), with `request_id` (API gateway),
 * `{error: {code, message}}` (IAM), `errorCode`/`errorMsg` or `code`/`message` (accepted by the official SDKs), or no
 * JSON at all (a proxy's page). The message is one short line without the given secrets, should a server echo one.
 */
export function failureOf(answer: HttpAnswer, secrets: readonly string[] = []): ApiFailure {
  const body = decode(answer.text);
  const layers = isFields(body) ? [body, ...nested(body)] : [];
  const code = first(layers, ['error_code', 'errorCode', 'code']);
  const said = first(layers, ['error_msg', 'errorMsg', 'message', 'error_description', 'error']);
  // The beginning of a JSON answer that was cut short is data, not a message.
  const message = said ?? (body === undefined && !/^\s*[[{]/.test(answer.text) ? plainText(answer.text) : null);
  const encoded = oneLine(first(layers, ['encoded_authorization_message']), secrets, LONGEST_ENCODED);
  return {
    status: answer.status,
    // IAM repeats the status as its code: `{"error":{"code":401,...}}`.
    code: code === String(answer.status) ? null : oneLine(code, secrets),
    apiMessage: oneLine(message, secrets),
    requestId: oneLine(requestIdOf(answer) ?? first(layers, ['request_id', 'requestId']), secrets),
    ...(encoded === null ? {} : { encodedAuthorizationMessage: encoded }),
  };
}

/**
 * `X-Request-Id` of the gateway, `X-IAM-Trace-Id` of IAM, or `request_id` of the body: what the provider's support asks
 * for, and no two answers have the same one.
 */
export function requestIdOf({ headers, text }: HttpAnswer): string | null {
  const id = headers['x-request-id'] ?? headers['x-iam-trace-id'];
  if (id !== undefined || !/"request_?id"/i.test(text)) return id ?? null;
  const body = decode(text);
  return isFields(body) ? first([body], ['request_id', 'requestId']) : null;
}

/** An answer without a row is short; a longer one has rows, and what is beside them is the reader's to judge. */
const LONGEST_WITHOUT_ROWS = 10_000;

/** Whether an answer with a good status has an error code and no row: an error, and not an empty list. */
export function isErrorInside({ text }: HttpAnswer): boolean {
  if (text.length > LONGEST_WITHOUT_ROWS) return false;
  const body = decode(text);
  if (errorCodeIn(body) === null || !isFields(body)) return false;
  return !Object.values(body).some((value) => Array.isArray(value) && value.some(isFields));
}

/** The `Date` header in ms since the epoch (whole seconds, RFC 9110, 6.6.1); null when it is absent or no date. */
export function serverTimeOf(headers: HttpAnswer['headers']): number | null {
  const at = Date.parse(headers.date ?? '');
  return Number.isNaN(at) ? null : at;
}

/** One printable line of at most `longest` characters, with every secret replaced, in whatever encoding it is repeated. */
export function oneLine(
  text: string | null,
  secrets: readonly string[] = [],
  longest = LONGEST_MESSAGE,
): string | null {
  if (text === null) return null;
  // PageGrid before it is masked, since a body may have 32 MB, but far behind the place where the line ends.
  const masked = mask(text.slice(0, longest + LONGEST_MASKED).toWellFormed(), secrets);
  const line = masked.replace(/[\p{C}\s]+/gu, ' ').trim();
  if (line === '') return null;
  return line.length > longest ? `${line.slice(0, longest - 1).toWellFormed()}…` : line;
}

function nested(body: Fields): Fields[] {
  const { error, details } = body;
  const candidates: unknown[] = [error, ...(Array.isArray(details) ? details : [])];
  return candidates.filter(isFields);
}

function first(layers: readonly Fields[], names: readonly string[]): string | null {
  for (const layer of layers) {
    for (const name of names) {
      const value = layer[name];
      if (typeof value === 'number') return String(value);
      if (typeof value === 'string' && value.trim() !== '') return value;
    }
  }
  return null;
}

/** What a page or a line of text says; null for bytes that are no text, such as a compressed body. */
function plainText(text: string): string | null {
  if (NO_TEXT.test(text.slice(0, 1_000))) return null;
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1];
  return title ?? text.replace(/<(script|style)\b[\s\S]*?<\/\1>|<[^>]*>/gi, ' ');
}

function decode(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

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
