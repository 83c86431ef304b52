import type { ApiFailure } from '../../core/errors.ts';
import { parseJson } from '../../core/stream/json.ts';
import { errorCodeIn } from '../../core/stream/paging.ts';
import { mask } from '../credentials/mask.ts';
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
