import type { ApiFailure } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import type { HttpAnswer } from './http.ts';

const LONGEST_MESSAGE = 300;
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

/** The `Date` header in ms since the epoch (whole seconds, RFC 9110, 6.6.1); null when it is absent or no date. */
export function serverTimeOf(headers: HttpAnswer['headers']): number | null {
  const at = Date.parse(headers.date ?? '');
  return Number.isNaN(at) ? null : at;
}

/** One printable line of at most `longest` characters, with every occurrence of a secret replaced. */
export function oneLine(
  text: string | null,
  secrets: readonly string[] = [],
  longest = LONGEST_MESSAGE,
): string | null {
  if (text === null) return null;
  let line = text.toWellFormed();
  // Shorter strings occur by chance, and no key or token is that short.
  for (const secret of secrets) if (secret.length >= 4) line = line.replaceAll(secret, '[secret]');
  line = line.replace(/[\p{C}\s]+/gu, ' ').trim();
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

function plainText(text: string): string {
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
