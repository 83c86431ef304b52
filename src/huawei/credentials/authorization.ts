import { createHash, createHmac } from 'node:crypto';
import type { Secret } from '../../core/account.ts';
import { AccountSuspended, coerceError, SyncError } from '../../core/errors.ts';
import { forbiddenIn } from '../../core/text.ts';
import type { Limits } from '../transport/exchange.ts';

/**
 * The project a request is for, or the whole domain (for global services such as EPS). A token is issued for one of
 * them.
 */
export interface Target {
  readonly region: string | null;
  /** Null means the domain. */
  readonly projectId: string | null;
  /** Sent as X-Domain-Id. Signed requests to global services need it instead of X-Project-Id. */
  readonly domainId?: string;
}

/** A request before authorization; all of `headers` are signed. */
interface Unauthorized {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: Query;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Credentials for one request. */
export interface Authorization {
  /** Identifies the credentials that are sent, so that a refusal is stored against these and no others. */
  readonly fingerprint: string;
  /** Strings that must not appear in any message. */
  readonly secrets: readonly string[];
  /** The headers to add. Call it right before sending, because a signature contains the time. */
  headers(request: Unauthorized, nowMs: number): Record<string, string>;
}

/** The credentials of an account at this moment. */
export interface LoadedCredentials {
  readonly fingerprint: string;
  /** Whether `authorize` can answer without sending a request. */
  ready(target: Target): boolean;
  /** Throws `RetryableError` or a `SyncError` if it has to fetch a token or temporary key and cannot. */
  authorize(target: Target, limits: Limits, attempts: Attempts): Promise<Authorization>;
}

/** How often this page was tried; part of every message. */
export interface Attempts {
  readonly attempts: number;
  readonly throttled: number;
}

export interface Credentials {
  /** Reads the secrets again, so that the next request uses rotated ones. Sends nothing. */
  load(): Promise<LoadedCredentials>;
  /**
   * Call after the credentials were refused: discards fetched ones if `used` are the current ones. Returns whether newer
   * credentials can be obtained.
   */
  renew(used: Authorization): boolean;
}

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Null for permanent keys. */
  readonly securityToken: string | null;
}

/**
 * Signs with an access key. For temporary keys it also sends the security token, as a signed header like the official
 * SDKs.
 */
export function keyAuthorization(keys: Keys): Authorization {
  const { accessKey, secretKey, securityToken } = keys;
  const parts = [accessKey, secretKey, ...(securityToken === null ? [] : [securityToken])];
  return {
    fingerprint: fingerprintOf(parts),
    secrets: parts,
    headers({ host, headers, ...request }, nowMs) {
      const added: Record<string, string> = { 'X-Sdk-Date': sdkDate(nowMs) };
      if (securityToken !== null) added['X-Security-Token'] = securityToken;
      const signed = { ...request, headers: { ...headers, ...added, Host: host } };
      return { ...added, Authorization: authorizationHeader(signed, keys) };
    },
  };
}

/** `secrets` are further strings to keep out of messages. */
export function tokenAuthorization(token: string, fingerprint: string, secrets: readonly string[]): Authorization {
  return { fingerprint, secrets: [token, ...secrets], headers: () => ({ 'X-Auth-Token': token }) };
}

/** Names of secrets in messages. A password is sent in a body; the others are sent in a header or sign one. */
export type SecretName = 'access key' | 'secret key' | 'security token' | 'token' | 'id token' | 'password';

/**
 * Reads a secret. Throws if it cannot be read, is empty or cannot be sent in a header; this costs neither a request nor
 * a quota slot.
 */
export async function readSecret(secret: Secret, what: SecretName, account: string): Promise<string> {
  const value = await secret().catch((thrown: unknown) => {
    if (thrown instanceof SyncError) throw thrown;
    const { message } = coerceError(thrown);
    const text = `The ${what} of account ${account} cannot be read: ${message}. No request was sent.`;
    throw new AccountSuspended(text, { account }, { cause: thrown });
  });
  // Files end with a newline, which is not allowed in a header.
  const trimmed = value.trim();
  if (trimmed === '') {
    throw new AccountSuspended(`The ${what} of account ${account} is empty. No request was sent.`, { account });
  }
  const problem = problemOf(trimmed, what);
  if (problem !== null) {
    const text = `The ${what} of account ${account} ${problem}: was it changed when it was pasted? No request was sent.`;
    throw new AccountSuspended(text, { account });
  }
  return trimmed;
}

/** Why a secret cannot be valid; names the bad character, and nothing around it. Null if it may be valid. */
function problemOf(text: string, what: SecretName): string | null {
  // Keys and tokens are printable ASCII, the only characters allowed in a header; users choose passwords freely.
  const isFree = what === 'password';
  return forbiddenIn(text, isFree ? /\p{Cc}/u : /[^!-~]/u, isFree ? 'a password' : 'a key or token');
}

/** A 16-digit hexadecimal hash of the parts of a credential; the parts cannot be recovered from it. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

const ALGORITHM = 'SDK-HMAC-SHA256';

/** Unencoded query parameters; a list repeats its key. */
export type Query = Readonly<Record<string, string | number | readonly string[]>>;

export interface SigningKey {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The input of a signature. `path` is unencoded; all `headers` are signed, and `X-Sdk-Date` must be among them. */
export interface SignableRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Query;
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly the text that is sent. */
  readonly body?: string;
}

/**
 * The `Authorization` header of a request, by the SDK-HMAC-SHA256 scheme ("AK/SK Signing and Authentication Guide",
 * support.huaweicloud.com/devg-apisign). The secret key signs directly; the scheme has no derived key.
 */
export function authorizationHeader(request: SignableRequest, key: SigningKey): string {
  const headers = Object.entries(request.headers)
    .map(([name, value]) => [name.toLowerCase(), value.trim()] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const date = headers.find(([name]) => name === 'x-sdk-date')?.[1];
  if (date === undefined) throw new TypeError('a request is signed with its X-Sdk-Date header');
  const signedHeaders = headers.map(([name]) => name).join(';');
  const path = encodePath(request.path);
  const canonicalRequest = [
    request.method.toUpperCase(),
    // Only the signed path ends with a slash; the URL that is sent does not change.
    path.endsWith('/') ? path : `${path}/`,
    encodeQuery(request.query),
    headers.map(([name, value]) => `${name}:${value}\n`).join(''),
    signedHeaders,
    sha256(request.body ?? ''),
  ].join('\n');
  const stringToSign = [ALGORITHM, date, sha256(canonicalRequest)].join('\n');
  const signature = createHmac('sha256', key.secretKey).update(stringToSign).digest('hex');
  return `${ALGORITHM} Access=${key.accessKey}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

/** The value of `X-Sdk-Date`: UTC as `YYYYMMDDTHHMMSSZ`. The gateway tolerates a difference of 15 minutes. */
export function sdkDate(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function encodePath(path: string): string {
  return path.split('/').map(encode).join('/');
}

/** The query as it is signed and sent: sorted, `k=v` even for an empty value; `''` without parameters. */
export function encodeQuery(query: Query = {}): string {
  return Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name] ?? '';
      const values = typeof value === 'string' || typeof value === 'number' ? [String(value)] : [...value].sort();
      return values.map((one) => `${encode(name)}=${encode(one)}`);
    })
    .join('&');
}

/**
 * Percent-encodes everything except `A-Z a-z 0-9 - _ . ~` (RFC 3986). A lone surrogate has no encoding and becomes
 * U+FFFD.
 */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
