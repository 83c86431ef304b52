import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import { Agent, EnvHttpProxyAgent, Pool } from 'undici';
import { ConfigurationError } from '../../core/errors.ts';

/** One HTTP request. `path` is sent byte for byte as given, because it is what was signed. */
export interface HttpRequest {
  readonly method: string;
  /** Scheme, host and port: `https://hss.cn-north-4.myhuaweicloud.com`. */
  readonly origin: string;
  /** Encoded path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The only total deadline: time-outs below watch single phases, and a dripping body trips none of them. */
  readonly signal: AbortSignal;
  /** Past any proxy: the ECS metadata service lives on a link-local address. */
  readonly direct?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; a repeated header is joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Http {
  /** Any status is an answer. Throws what undici throws (its `code` says what happened), or the signal's reason. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Waits for requests under way; asked again, it shares the promise. */
  close(): Promise<void>;
}

/** Longest decoded answer; a page of 200 rows is about 0.2 MB. Without a bound one answer could take the whole memory. */
const LONGEST_BYTES = 32 * 1024 * 1024;

/** What a request may take by default, its retries included: `pageTimeout`. */
export const PAGE_TIMEOUT_MS = 60_000;

export interface HttpSettings extends ProxySettings {
  /** For the headers of an answer, and between two pieces of its body, in ms. */
  readonly timeoutMs?: number;
}

const BOUNDS = {
  // A token may reach 32 KB (IAM, "Obtaining a user token") and comes as a response header; Node's own limit is 16 KB.
  maxHeaderSize: 64 * 1024,
  maxResponseSize: LONGEST_BYTES,
  // Far below the time of a page, so that a connection that hangs leaves time for another attempt.
  connectTimeout: 5_000,
  // One request per lane and 12 s: HTTP/2 has nothing to offer here.
  allowH2: false,
};

/**
 * Connections to the cloud. Proxies come from the environment unless given, private certificate authorities from
 * `NODE_EXTRA_CA_CERTS` (Node adds them to every TLS connection). Opens nothing until the first request, and reads the
 * environment only then: commands that ask for nothing need no proxy.
 */
export function createHttp({ timeoutMs = PAGE_TIMEOUT_MS, ...proxy }: HttpSettings = {}): Http {
  const bounds = { ...BOUNDS, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const direct = new Agent(bounds);
  // undici does not pass the bounds on to the connections through which it forwards plain HTTP; this factory does.
  const factory = (origin: string | URL, options: object) => new Pool(origin, { ...bounds, ...options });
  let throughProxy: EnvHttpProxyAgent | null = null;
  const proxied = () => {
    // biome-ignore lint/style/noProcessEnv: undici reads it by itself otherwise, and fails where an address has no scheme.
    throughProxy ??= new EnvHttpProxyAgent({ ...bounds, ...proxySettings(process.env), ...proxy, factory });
    return throughProxy;
  };
  let closing: Promise<void> | null = null;
  return {
    async send({ direct: pastProxy = false, body = null, headers, ...request }) {
      const dispatcher = pastProxy ? direct : proxied();
      const sent = { 'Accept-Encoding': ACCEPTED_ENCODINGS, ...headers };
      const answer = await dispatcher.request({ ...request, method: request.method, headers: sent, body });
      const received = flatten(answer.headers);
      const bytes = await answer.body.bytes();
      const text = await decodeBody(bytes, received['content-encoding'] ?? '', LONGEST_BYTES);
      return { status: answer.statusCode, headers: received, text };
    },
    close() {
      closing ??= Promise.all([direct.close(), throughProxy?.close()]).then(() => undefined);
      return closing;
    },
  };
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  return flat;
}

/** Instead of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxies of the environment, lower case first, as curl has it. `proxy:3128` means `http://proxy:3128`, as curl, git and Go
 * take it. Throws ConfigurationError that names the variable, and not its value: that may hold a password.
 */
export function proxySettings(env: Environment): ProxySettings {
  const http = proxyUrl(env, 'http_proxy', 'HTTP_PROXY');
  const https = proxyUrl(env, 'https_proxy', 'HTTPS_PROXY');
  const no = env.no_proxy ?? env.NO_PROXY;
  return {
    ...(http === undefined ? {} : { httpProxy: http }),
    ...(https === undefined ? {} : { httpsProxy: https }),
    ...(no === undefined ? {} : { noProxy: no.trim() }),
  };
}

function proxyUrl(env: Environment, ...names: readonly string[]): string | undefined {
  const name = names.find((one) => (env[one]?.trim() ?? '') !== '');
  if (name === undefined) return undefined;
  const text = env[name]?.trim() ?? '';
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null) throw new ConfigurationError(`${name} is not the address of a proxy: http://host:port`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigurationError(
      `${name} names a proxy of kind ${url.protocol}//, only http:// and https:// are known`,
    );
  }
  return url.href;
}

/** What is asked for. Without the header a server may send anything (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, br';

/** Code of the error about an encoding that the request did not accept. */
export const UNKNOWN_ENCODING = 'UNKNOWN_ENCODING';
/** Code of the error of Node about a body that decodes to more than the bound. */
export const TOO_LARGE_DECODED = 'ERR_BUFFER_TOO_LARGE';

type Decoder = (bytes: Uint8Array, bounds: { readonly maxOutputLength: number }) => Promise<Uint8Array>;

const plainInflate = promisify(inflate);
const rawInflate = promisify(inflateRaw);

/** Read as well, though not asked for: proxies compress as they like. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
  // With or without the wrapper of zlib: servers disagree (RFC 9110, 8.4.1.2). The wrapper begins with 8 in four bits.
  deflate: (bytes, bounds) =>
    ((bytes[0] ?? 0) & 0x0f) === 8 ? plainInflate(bytes, bounds) : rawInflate(bytes, bounds),
};

/** A body is encoded once; more than twice only by those who want to find out what happens. */
const MOST_ENCODINGS = 2;

/**
 * The text of a body. `encodings` is its Content-Encoding, in the order in which they were applied; `longest` bounds the
 * bytes of every step. Throws errors with a `code`, as undici does.
 */
export async function decodeBody(bytes: Uint8Array, encodings: string, longest: number): Promise<string> {
  const names = encodings
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  let decoded = bytes;
  if (bytes.length > 0) {
    if (names.length > MOST_ENCODINGS) throw unknown(names.join(', '));
    for (const name of names.reverse()) {
      const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
      if (decode === undefined) throw unknown(name);
      decoded = await decode(decoded, { maxOutputLength: longest });
    }
  }
  return new TextDecoder().decode(decoded);
}

function unknown(name: string): Error {
  return Object.assign(new Error(`the answer is encoded as ${name}`), { code: UNKNOWN_ENCODING });
}
