import { createHash, createHmac } from 'node:crypto';

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
