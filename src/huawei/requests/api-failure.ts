import type { ApiFailure } from '../../core/errors.ts';
import { errorCodeIn } from '../../core/stream/endpoint.ts';
import { parseJson } from '../../core/stream/json.ts';
import type { HttpAnswer } from '../transport/http.ts';

const LONGEST_MESSAGE = 300;
/** Extra length before masking, because masking shortens the text. */
const LONGEST_MASKED = 4_000;
/** A control character that is not white space, or a byte that is not UTF-8. */
const NO_TEXT = /\uFFFD|(?!\s)\p{Cc}/u;
/** An encoded authorization message can only be decoded if it is complete; longer ones are still cut. */
const LONGEST_ENCODED = 16_384;

type Fields = Readonly<Record<string, unknown>>;

/**
 * The content of an error response in any of the documented shapes: `{error_code, error_msg, error_description}` (HSS),
 * the same with `details[]` or below `error` (DBSS, new and old URIs), with `request_id` (API gateway), `{error: {code,
 * message}}` (IAM), `errorCode`/`errorMsg` or `code`/`message` (accepted by the official SDKs), or no JSON at all (a
 * proxy's page). The message is one short line; the given secrets are masked in case the server echoes them.
 */
export function failureOf(answer: HttpAnswer, secrets: readonly string[] = []): ApiFailure {
  const body = decode(answer.text);
  const layers = isFields(body) ? [body, ...nested(body)] : [];
  const code = first(layers, ['error_code', 'errorCode', 'code']);
  const documented = first(layers, ['error_msg', 'errorMsg', 'message', 'error_description', 'error']);
  // The start of a truncated JSON response is data, not a message.
  const message = documented ?? (body === undefined && !/^\s*[[{]/.test(answer.text) ? plainText(answer.text) : null);
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
 * `X-Request-Id` of the gateway, `X-IAM-Trace-Id` of IAM, or `request_id` of the body. It is unique to a response, and
 * Huawei Cloud's support asks for it.
 */
export function requestIdOf({ headers, text }: HttpAnswer): string | null {
  const id = headers['x-request-id'] ?? headers['x-iam-trace-id'];
  if (id !== undefined || !/"request_?id"/i.test(text)) return id ?? null;
  const body = decode(text);
  return isFields(body) ? first([body], ['request_id', 'requestId']) : null;
}

/** A response without rows is short. A longer one has rows, and the page reader judges its other members. */
const LONGEST_WITHOUT_ROWS = 10_000;

/** Whether a 2xx response has an error code and no rows: an error rather than an empty list. */
export function isErrorInside({ text }: HttpAnswer): boolean {
  if (text.length > LONGEST_WITHOUT_ROWS) return false;
  const body = decode(text);
  if (errorCodeIn(body) === null || !isFields(body)) return false;
  return !Object.values(body).some((value) => Array.isArray(value) && value.some(isFields));
}

/** The `Date` header in ms since the epoch (whole seconds, RFC 9110, 6.6.1); null if it is absent or not a date. */
export function serverTimeOf(headers: HttpAnswer['headers']): number | null {
  const at = Date.parse(headers.date ?? '');
  return Number.isNaN(at) ? null : at;
}

/** One printable line of at most `longest` characters, with secrets masked in every encoding. */
export function oneLine(
  text: string | null,
  secrets: readonly string[] = [],
  longest = LONGEST_MESSAGE,
): string | null {
  if (text === null) return null;
  // Cut before masking, because a body may have 32 MB; but cut far behind the end of the resulting line.
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

/** The text of a page or line; null for bytes that are not text, such as a compressed body. */
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
/** Shorter strings occur by chance, and keys and tokens are never that short. */
const SHORTEST = 4;
/** Minimum length of a secret encoded as a whole, in base64 or hexadecimal. */
const SHORTEST_ENCODED = 8;
/** A secret that the server truncated is recognized by its first characters. */
const BEGINNING = 12;
/** Only the beginning of a long token (up to 32 KB) is searched for; the characters that follow it are masked too. */
const LONGEST = 200;
/** Bounded to keep matching time on long texts linear. */
const WORD = '[A-Za-z0-9+/=_%-]{0,400}';
/** The rest of a token behind the beginning that was found. */
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
 * Masks secrets in every encoding a server may use to repeat them: plain, URL-encoded, escaped as in JSON or HTML, any
 * mixture of these, base64 (also within a longer encoded text) and hexadecimal. Signatures count as secrets, because
 * they are valid for 15 minutes.
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

/** A pattern with each character either plain or escaped. */
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

/** The base64 form of the secret at the given offset within a group of three bytes. */
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

/** Escapes a character for a regular expression with the flag u, which forbids unnecessary escapes. */
function literal(character: string): string {
  return character.replace(/[$()*+./?[\\\]^{|}-]/, (special) => (special === '-' ? '-' : `\\${special}`));
}
