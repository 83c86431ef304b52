import { Agent, EnvHttpProxyAgent, Pool } from 'undici';
import { ACCEPTED_ENCODINGS, decodeBody } from './content-encoding.ts';
import { type ProxySettings, proxySettings } from './proxy.ts';

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
