import { createHash, createHmac } from 'node:crypto';
import type { Secret } from '../../core/account.ts';
import { AccountSuspended, coerceError, SyncError } from '../../core/errors.ts';
import type { Limits } from '../transport/exchange.ts';

/** What a request is for: tokens are issued for one project, or for the whole domain (global services such as EPS). */
export interface Target {
  readonly region: string | null;
  /** Null: the domain. */
  readonly projectId: string | null;
  /** Sent as X-Domain-Id, which global services want with a signature instead of X-Project-Id. */
  readonly domainId?: string;
}

/** A request before it is authorized; everything in `headers` takes part in a signature. */
interface Unauthorized {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: Query;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Credentials ready for one request. */
export interface Authorization {
  /** Of exactly what will be sent, so that a refusal is remembered for the right credentials. */
  readonly fingerprint: string;
  /** What must not appear in a message. */
  readonly secrets: readonly string[];
  /** The headers to add. Called right before sending: a signature carries the time. */
  headers(request: Unauthorized, nowMs: number): Record<string, string>;
}

/** An account's credentials as they are at this moment. */
export interface LoadedCredentials {
  readonly fingerprint: string;
  /** Whether `authorize` would answer without a request of its own. */
  ready(target: Target): boolean;
  /** Throws `RetryableError` or a `SyncError` when a token or temporary key had to be fetched and could not. */
  authorize(target: Target, limits: Limits, attempts: Attempts): Promise<Authorization>;
}

/** How often this page was tried; part of every message. */
export interface Attempts {
  readonly attempts: number;
  readonly throttled: number;
}

export interface Credentials {
  /** Reads the secrets again, so that rotated ones are used from the next request on. Sends nothing. */
  load(): Promise<LoadedCredentials>;
  /** After a 401: whether something newer than `used` can be had. Drops what was fetched and is refused. */
  renew(used: Authorization): boolean;
}

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Belongs to temporary keys. */
  readonly securityToken: string | null;
}

/** Signs with an access key and, for temporary ones, sends the security token along (signed, as the SDKs do). */
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

/** What a secret is called in messages; a password goes in a body, all others in a header, or sign one. */
export type SecretName = 'access key' | 'secret key' | 'security token' | 'token' | 'id token' | 'password';

/**
 * Reads a secret for use. One that cannot be read, is empty or cannot be sent stops the account before any request, and
 * any place in the quota, is spent on it.
 */
export async function readSecret(secret: Secret, what: SecretName, account: string): Promise<string> {
  const value = await secret().catch((thrown: unknown) => {
    if (thrown instanceof SyncError) throw thrown;
    const { message } = coerceError(thrown);
    const text = `The ${what} of account ${account} cannot be read: ${message}. No request was sent.`;
    throw new AccountSuspended(text, { account }, { cause: thrown });
  });
  // Files end with a newline, which no header may contain.
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

/** Why a secret cannot be the one that was issued; names the character, and nothing around it. */
function problemOf(text: string, what: SecretName): string | null {
  if (/[\r\n]/.test(text)) return 'has a line break in it';
  // Keys and tokens are printable ASCII, which is also all that a header may have; passwords are what people choose.
  const [odd] = (what === 'password' ? /\p{Cc}/u : /[^!-~]/u).exec(text) ?? [];
  if (odd === undefined) return null;
  if (odd === ' ') return 'has a space in it';
  const code = `U+${(odd.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  return `has a character in it that no ${what} has (${code})`;
}

/** Sixteen hex digits that change with any part of a credential and lead back to none of them. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

const ALGORITHM = 'SDK-HMAC-SHA256';

/** Query parameters as they mean, unencoded; a list repeats its key. */
export type Query = Readonly<Record<string, string | number | readonly string[]>>;

export interface SigningKey {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What is signed. `path` is unencoded; `headers` are all signed, and `X-Sdk-Date` must be among them. */
export interface SignableRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Query;
  readonly headers: Readonly<Record<string, string>>;
  /** Exactly the text that will be sent. */
  readonly body?: string;
}

/**
 * The `Authorization` header of a request, by the SDK-HMAC-SHA256 scheme ("AK/SK Signing and Authentication Guide",
 * support.huaweicloud.com/devg-apisign). The secret key signs directly: there is no derived key in this scheme.
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
    // The slash at the end belongs to the signature only; the URL that is sent stays as it is.
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

/** The value of `X-Sdk-Date`: UTC as `YYYYMMDDTHHMMSSZ`. The gateway tolerates 15 minutes of difference. */
export function sdkDate(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function encodePath(path: string): string {
  return path.split('/').map(encode).join('/');
}

/** The query as it is both signed and sent: sorted, `k=v` even for an empty value; `''` for no parameters. */
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

/** RFC 3986: everything but `A-Z a-z 0-9 - _ . ~`. Half a surrogate pair, which has no encoding, becomes U+FFFD. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
