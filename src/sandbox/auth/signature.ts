import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A request as received, which is what a signature is checked against. */
export interface WireRequest {
  readonly method: string;
  /** Path and query, still encoded. */
  readonly target: string;
  /** Names in lower case; repeated headers joined with a comma. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** The parts of an Authorization header. */
export interface ParsedSignature {
  readonly accessKey: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const ALGORITHM = 'SDK-HMAC-SHA256';

/** Parses an Authorization header; undefined if it is of another algorithm. */
export function parseAuthorization(header: string): ParsedSignature | undefined {
  const match = /^SDK-HMAC-SHA256\s+Access=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
    header,
  );
  const [, accessKey, names, signature] = match ?? [];
  if (accessKey === undefined || names === undefined || signature === undefined) return undefined;
  return { accessKey, signedHeaders: names.split(';'), signature };
}

/** Whether a signature matches the request and the secret key. */
export function signatureFits(request: WireRequest, parsed: ParsedSignature, secretKey: string): boolean {
  if (!parsed.signedHeaders.includes('x-sdk-date')) return false;
  const date = request.headers.get('x-sdk-date') ?? '';
  const canonical = canonicalRequest(request, parsed.signedHeaders);
  const toSign = `${ALGORITHM}\n${date}\n${sha256(canonical)}`;
  const expected = createHmac('sha256', secretKey).update(toSign).digest();
  return timingSafeEqual(expected, Buffer.from(parsed.signature, 'hex'));
}

/** Parses X-Sdk-Date (`20260401T000000Z`) to ms since the epoch; NaN if it is malformed. */
export function parseSdkDate(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function canonicalRequest(request: WireRequest, signedHeaders: readonly string[]): string {
  const [path = '/', query = ''] = splitTarget(request.target);
  const headers = [...signedHeaders].sort().map((name) => `${name}:${(request.headers.get(name) ?? '').trim()}\n`);
  return [
    request.method.toUpperCase(),
    canonicalPath(path),
    canonicalQuery(query),
    headers.join(''),
    signedHeaders.join(';'),
    bodyHash(request),
  ].join('\n');
}

/** Splits at the first question mark. */
export function splitTarget(target: string): readonly [string, string] {
  const mark = target.indexOf('?');
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
}

/** The signed path ends with a slash, even if the sent one does not. */
function canonicalPath(path: string): string {
  const encoded = path
    .split('/')
    .map((segment) => encode(decode(segment)))
    .join('/');
  return encoded.endsWith('/') ? encoded : `${encoded}/`;
}

function canonicalQuery(query: string): string {
  const pairs = query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const [key, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
      return [decode(key.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))] as const;
    });
  pairs.sort(([keyA, valueA], [keyB, valueB]) => order(keyA, keyB) || order(valueA, valueB));
  return pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join('&');
}

function bodyHash({ headers, body }: WireRequest): string {
  return headers.get('x-sdk-content-sha256') === 'UNSIGNED-PAYLOAD' ? 'UNSIGNED-PAYLOAD' : sha256(body);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** Percent-encodes everything except unreserved characters; encodeURIComponent leaves five more. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A malformed escape is signed unchanged.
    return text;
  }
}
