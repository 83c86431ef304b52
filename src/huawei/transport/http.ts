import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { ConfigurationError } from '../../core/errors.ts';
import { decodeText } from './decode-text.ts';

// Parts of undici: the whole also loads fetch, WebSocket, caches and mocks, which takes longer than many a command.
const require = createRequire(import.meta.url);
const Agent: typeof import('undici').Agent = require('undici/lib/dispatcher/agent.js');

/** Loaded only where there is a proxy. */
function proxyClasses(): Pick<typeof import('undici'), 'EnvHttpProxyAgent' | 'Pool'> {
  const Dispatcher: typeof import('undici').Dispatcher = require('undici/lib/dispatcher/dispatcher.js');
  // As undici's index does it. Tunnels need `connect`.
  Object.assign(Dispatcher.prototype, require('undici/lib/api/index.js'));
  return {
    EnvHttpProxyAgent: require('undici/lib/dispatcher/env-http-proxy-agent.js'),
    Pool: require('undici/lib/dispatcher/pool.js'),
  };
}

/** One HTTP request. `path` is sent unchanged, because it was signed. */
export interface HttpRequest {
  readonly method: string;
  /** Scheme, host and port: `https://hss.cn-north-4.myhuaweicloud.com`. */
  readonly origin: string;
  /** Encoded path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * The only deadline for the whole request: the timeouts below cover single phases, and a slowly dripping body exceeds
   * none of them.
   */
  readonly signal: AbortSignal;
  /** Bypasses proxies: the ECS metadata service has a link-local address. */
  readonly direct?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; repeated headers are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Http {
  /** Resolves for any status. Throws undici's error (see its `code`) or the signal's reason. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Waits for requests in flight. Repeated calls share one promise. */
  close(): Promise<void>;
}

/** Longest decoded body; a page of 200 rows is about 0.2 MB. Without a bound, one response could exhaust the memory. */
const LONGEST_BYTES = 32 * 1024 * 1024;

/** Default of `pageTimeout`: the time for a page including retries, in ms. */
export const PAGE_TIMEOUT_MS = 60_000;

export interface HttpSettings extends ProxySettings {
  /** Timeout in ms for response headers, and between two chunks of the body. */
  readonly timeoutMs?: number;
}

const BOUNDS = {
  // A token has up to 32 KB (IAM, "Obtaining a user token") and comes as a response header; Node's default limit is 16
  // KB.
  maxHeaderSize: 64 * 1024,
  maxResponseSize: LONGEST_BYTES,
  // Much shorter than the page timeout, so that a hanging connection leaves time for a retry.
  connectTimeout: 5_000,
  // Each lane sends one request per 12 s, so HTTP/2 has no benefit.
  allowH2: false,
};

/**
 * Connections to the cloud. Proxies come from the environment unless given, private certificate authorities from
 * `NODE_EXTRA_CA_CERTS` (Node adds them to every TLS connection). The environment is read at the first request, so that
 * commands without requests need no valid proxy.
 */
export function createHttp({ timeoutMs = PAGE_TIMEOUT_MS, ...proxy }: HttpSettings = {}): Http {
  const bounds = { ...BOUNDS, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const direct = new Agent(bounds);
  let proxied: Dispatcher | null = null;
  const throughProxy = () => {
    // biome-ignore lint/style/noProcessEnv: undici reads it by itself otherwise, and fails where an address has no scheme.
    proxied ??= proxyDispatcher({ ...proxySettings(process.env), ...proxy }, bounds) ?? direct;
    return proxied;
  };
  let closing: Promise<void> | null = null;
  return {
    async send({ direct: pastProxy = false, body = null, headers, ...request }) {
      const dispatcher = pastProxy ? direct : throughProxy();
      const sent = { 'Accept-Encoding': ACCEPTED_ENCODINGS, ...headers };
      const answer = await collect(dispatcher, { ...request, headers: sent, body });
      const received = flatten(answer.headers);
      const text = await decodeBody(answer.body, received['content-encoding'] ?? '', LONGEST_BYTES);
      return { status: answer.status, headers: received, text };
    },
    close() {
      closing ??= Promise.all([direct.close(), proxied === direct ? null : proxied?.close()]).then(() => undefined);
      return closing;
    },
  };
}

/** Null without a proxy. */
function proxyDispatcher(settings: ProxySettings, bounds: typeof BOUNDS): Dispatcher | null {
  if (settings.httpProxy === undefined && settings.httpsProxy === undefined) return null;
  const { EnvHttpProxyAgent, Pool } = proxyClasses();
  // undici does not apply these bounds to connections on which a proxy forwards plain HTTP; this factory does.
  const factory = (origin: string | URL, options: object) => new Pool(origin, { ...bounds, ...options });
  return new EnvHttpProxyAgent({ ...bounds, ...settings, factory });
}

/** A response whose body is complete. */
interface Collected {
  readonly status: number;
  /** Names in lower case; a repeated header is a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/**
 * Sends a request and collects its response. Throws undici's error (see its `code`) or the signal's reason. undici's own
 * `request` passes the body through a stream, which takes more time and memory (docs/performance.md).
 */
async function collect(
  dispatcher: Dispatcher,
  { signal, ...options }: Dispatcher.DispatchOptions & { readonly signal: AbortSignal },
): Promise<Collected> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Collected>();
  const chunks: Buffer[] = [];
  let controller: Dispatcher.DispatchController | null = null;
  let head: Omit<Collected, 'body'> | null = null;
  const abort = () => {
    reject(signal.reason);
    controller?.abort(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    dispatcher.dispatch(options, {
      onRequestStart(started) {
        controller = started;
        // The signal may have been aborted while the connection was opened.
        if (signal.aborted) abort();
      },
      onResponseStart(_, status, headers) {
        // A status below 200 only announces the response.
        if (status >= 200) head = { status, headers };
      },
      onResponseData(_, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        if (head !== null) resolve({ ...head, body: Buffer.concat(chunks) });
      },
      onResponseError(_, error) {
        reject(error);
      },
    });
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function flatten(headers: Collected['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  return flat;
}

/** Overrides `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxies of the environment, lower-case names first, as in curl. `proxy:3128` means `http://proxy:3128`, as in
 * curl, git and Go. Throws a ConfigurationError that names the variable but not its value, which may contain a
 * password.
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
  if (url === null) throw new ConfigurationError(`${name} must be the URL of a proxy, such as http://host:port`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigurationError(`${name} has the scheme ${url.protocol}; only http: and https: are supported`);
  }
  return url.href;
}

/** Sent with every request. Without the header a server may use any encoding (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, br';

/** Error code for an encoding that the request did not accept. */
export const UNKNOWN_ENCODING = 'UNKNOWN_ENCODING';
/** Node's error code for a body that decodes to more than the bound. */
export const TOO_LARGE_DECODED = 'ERR_BUFFER_TOO_LARGE';

type Decoder = (bytes: Uint8Array, bounds: { readonly maxOutputLength: number }) => Promise<Uint8Array>;

const plainInflate = promisify(inflate);
const rawInflate = promisify(inflateRaw);

/** Encodings that are decoded although not requested: some proxies compress regardless. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
  // With or without the zlib wrapper, because servers disagree (RFC 9110, 8.4.1.2). The wrapper's first byte has 8 in
  // its low four bits.
  deflate: (bytes, bounds) =>
    ((bytes[0] ?? 0) & 0x0f) === 8 ? plainInflate(bytes, bounds) : rawInflate(bytes, bounds),
};

/** Bodies are encoded once; more than twice indicates an attack. */
const MOST_ENCODINGS = 2;

/**
 * Decodes a body to text (`decodeText`). `encodings` is its Content-Encoding, in the order of encoding; `longest` bounds
 * the bytes of every step. Throws errors with a `code`, like undici.
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
  return decodeText(decoded);
}

function unknown(name: string): Error {
  return Object.assign(new Error(`the answer is encoded as ${name}`), { code: UNKNOWN_ENCODING });
}
