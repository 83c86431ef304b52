import { ConfigurationError, coerceError, RequestFailed, Unreachable } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import { failureOf, isErrorInside, oneLine, requestIdOf, serverTimeOf } from '../requests/api-failure.ts';
import {
  type CallSite,
  classify,
  contextOf,
  isLocal,
  isRetryable,
  isThrottle,
  LONGEST_RETRY_AFTER_MS,
  RetryableError,
  retryAfterOf,
  serviceName,
  siteText,
  throttleOf,
} from '../requests/classify.ts';
import { type Http, type HttpAnswer, type HttpRequest, TOO_LARGE_DECODED, UNKNOWN_ENCODING } from './http.ts';

/** What all requests of an account share. */
export interface HttpContext {
  readonly http: Http;
  readonly clock: Clock;
  readonly skew: ClockSkew;
}

/** An abort by the caller is rethrown unchanged; a passed deadline is a failure. */
export interface Limits {
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
}

export interface Exchange {
  readonly request: Omit<HttpRequest, 'signal' | 'origin' | 'path'> & {
    /** Base URL, possibly with a path. */
    readonly base: string;
    readonly path: string;
  };
  readonly site: CallSite;
  /** Strings that must not appear in messages. */
  readonly secrets: readonly string[];
  /** Error statuses that are valid responses here. */
  readonly passThrough?: readonly number[];
}

/**
 * Limits that end after at most `ms`: a request for a token or keys must leave time for the page that needs it.
 */
export function within({ signal, deadline }: Limits, ms: number): Limits {
  return { signal, deadline: AbortSignal.any([deadline, AbortSignal.timeout(ms)]) };
}

/**
 * Sends one request and returns a 2xx response. Throws `RetryableError`, a `SyncError`, or the caller's abort reason.
 */
export async function exchange(context: HttpContext, limits: Limits, what: Exchange): Promise<HttpAnswer> {
  const answer = await send(context, limits, what);
  const nowMs = context.clock.now();
  if (!isLocal(what.site.service)) context.skew.observe(serverTimeOf(answer.headers), nowMs);
  const isAnswer = (answer.status >= 200 && answer.status < 300) || what.passThrough?.includes(answer.status) === true;
  const counts = what.site.service === 'hss' || what.site.service === 'dbss';
  if (isAnswer && !(counts && isErrorInside(answer))) return answer;
  const failure = failureOf(answer, what.secrets);
  const throttled = isThrottle(failure);
  const site = throttled ? { ...what.site, throttled: what.site.throttled + 1 } : what.site;
  const requestedMs = retryAfterOf(answer.headers['retry-after'], nowMs);
  const retryAfterMs = requestedMs === null ? null : Math.min(requestedMs, LONGEST_RETRY_AFTER_MS);
  const notes: string[] = [];
  if (failure.status === 401) notes.push(context.skew.note() ?? '');
  if (requestedMs !== retryAfterMs)
    notes.push('The server requested a wait of more than 15 minutes; the next attempt follows after 15 minutes.');
  const error = classify(
    failure,
    site,
    notes.filter((note) => note !== ''),
  );
  // An error inside a 2xx response may be retried unless its code says that the request was refused.
  const mayPass = isRetryable(failure) || (isAnswer && error instanceof RequestFailed);
  if (!mayPass || error.recovery === 'stop-account') throw error;
  // Throttling by IAM or EPS says nothing about the metered quota.
  const counted = throttled && counts;
  throw new RetryableError(
    error,
    counted ? { retryAfterMs, throttle: throttleOf(failure, retryAfterMs) } : { retryAfterMs },
  );
}

async function send(context: HttpContext, limits: Limits, { request, site }: Exchange): Promise<HttpAnswer> {
  limits.signal.throwIfAborted();
  const { base, path, ...rest } = request;
  const { origin, pathname } = new URL(base);
  const prefix = pathname === '/' ? '' : pathname;
  const signal = AbortSignal.any([limits.signal, limits.deadline]);
  try {
    return await context.http.send({ ...rest, origin, path: `${prefix}${path}`, signal });
  } catch (error) {
    limits.signal.throwIfAborted();
    if (error instanceof ConfigurationError) throw error;
    throw networkError(error, site);
  }
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS/;

/** Network errors that no retry can fix, with advice for the operator. */
const HOPELESS: Readonly<Record<string, string>> = {
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'The answer is larger than 32 MB, more than any page of this API: check the endpoint.',
  [TOO_LARGE_DECODED]:
    'The answer is larger than 32 MB when it is decoded, more than any page of this API: check any proxy.',
  [UNKNOWN_ENCODING]:
    'The content encoding is not supported: the request accepts gzip and br, and deflate and zstd are decoded too. ' +
    'Check any proxy.',
  // undici found a character that is not allowed in a header, and sent nothing.
  UND_ERR_INVALID_ARG: 'No request was sent: check the credentials for line breaks and invisible characters.',
  UND_ERR_HEADERS_OVERFLOW: 'The answer has more than 64 KB of headers: check the endpoint and any proxy.',
};

/** The error for a failed exchange: `RetryableError` if another attempt may succeed, `Unreachable` if none will. */
export function networkError(thrown: unknown, site: CallSite): RetryableError | Unreachable {
  const error = coerceError(thrown);
  const code = codeOf(error);
  const certificate = CERTIFICATE.test(code);
  const advice = certificate
    ? 'The certificate is not trusted: if a company proxy re-signs traffic, name its CA file in NODE_EXTRA_CA_CERTS.'
    : (HOPELESS[code] ?? 'Check network, proxy and endpoint.');
  const isLate = error.name === 'TimeoutError';
  const reason = isLate ? 'no complete response within pageTimeout' : (oneLine(error.message) ?? error.name);
  const named = code === '' || reason.includes(code) ? reason : `${code} ${reason}`;
  const failure = new Unreachable(
    `${serviceName(site.service)} gave no answer: ${named} (${siteText(site, { requestId: null })}). ${advice}`,
    { ...contextOf(site), networkCode: code === '' ? null : code },
    { cause: error },
  );
  return certificate || code in HOPELESS ? failure : new RetryableError(failure);
}

function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  // If several addresses were tried, the error of the first one represents all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.cause instanceof Error ? codeOf(error.cause) : '';
}

const TOLERATED_MS = 5 * 60_000;

/**
 * Compares this machine's clock with the `Date` header of responses. The gateway refuses a signature that is off by
 * more than 15 minutes with the same code as a wrong key, so the difference is reported before and when that happens.
 */
export class ClockSkew {
  readonly #account: string;
  readonly #logger: Logger;
  #offMs = 0;
  #reported = false;

  constructor(account: string, logger: Logger) {
    this.#account = account;
    this.#logger = logger;
  }

  /** `server`: the server's time of the response, in ms since the epoch; null if it did not say. */
  observe(server: number | null, nowMs: number): void {
    if (server === null) return;
    this.#offMs = nowMs - server;
    const note = this.note();
    if (note === null || this.#reported) return;
    this.#reported = true;
    this.#logger.warn({ account: this.#account, clockOffMs: this.#offMs }, note);
  }

  /** The server's current time if this machine's clock is off by more than five minutes, else null. */
  serverNow(nowMs: number): Date | null {
    return agree(this.#offMs, 0) ? null : new Date(nowMs - this.#offMs);
  }

  /** `Your clock is 7 minutes ahead: …`, or null if the difference is at most 5 minutes. */
  note(): string | null {
    if (agree(this.#offMs, 0)) return null;
    const minutes = Math.round(Math.abs(this.#offMs) / 60_000);
    const direction = this.#offMs > 0 ? 'ahead' : 'behind';
    return `Your clock is ${minutes} minutes ${direction}. Correct it: signatures that are off by more than 15 minutes are refused.`;
  }
}

/** Whether two times, in ms since the epoch, are close enough for a signature. */
export function agree(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERATED_MS;
}

/** Clocks of servers behind one name differ by a second or two, and `Date` has whole seconds. */
const SERVERS_DIFFER_MS = 5_000;
/**
 * After this time an older `Date` is accepted: the server's clock was set back. Caches keep responses for minutes only.
 */
const BELIEVED_AFTER_MS = 15 * 60_000;
/** At 5 requests a minute for each of 60 lists, the ids of 13 minutes: longer than most caches keep a response. */
const MOST_IDS = 4_096;

interface Newest {
  readonly serverTime: number;
  /** When that response arrived, by this machine's clock. */
  readonly at: number;
}

/**
 * Detects stale responses. A response predates its request if it says so (`Age`, RFC 9111, 5.1), if its `Date` is
 * before that of a response received before the request, or if it repeats both request id and body of an earlier
 * response, as caches without `Date` do.
 */
export class Freshness {
  readonly #clock: Clock;
  /** Newest `Date` by service, because services have separate servers. */
  readonly #newest = new Map<string, Newest>();
  /** Request ids, oldest first, with a sample of the body. */
  readonly #ids = new Map<string, string>();
  /** False once an id came with two different bodies: repeated ids prove nothing for such a server. */
  #idsAreUnique = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call it before sending a request; the returned function judges the response. */
  expect(service: string): (answer: HttpAnswer) => boolean {
    const floor = this.#newest.get(service) ?? null;
    return (answer) => {
      const goesBack = this.#goesBack(service, serverTimeOf(answer.headers), floor);
      const isRepeated = this.#isRepeated(answer);
      return isAged(answer) || goesBack || isRepeated;
    };
  }

  #goesBack(service: string, serverTime: number | null, floor: Newest | null): boolean {
    if (serverTime === null) return false;
    const at = this.#clock.now();
    // Compared with this clock too, because setting back the clock of one machine may affect both sides.
    const back =
      floor === null ? 0 : Math.min(floor.serverTime - serverTime, floor.serverTime - serverTime + at - floor.at);
    const isBehind = back > SERVERS_DIFFER_MS;
    const isStuck = floor !== null && Math.abs(at - floor.at) > BELIEVED_AFTER_MS;
    const newest = this.#newest.get(service)?.serverTime ?? serverTime;
    if (serverTime >= newest || (isBehind && isStuck)) this.#newest.set(service, { serverTime, at });
    return isBehind && !isStuck;
  }

  #isRepeated(answer: HttpAnswer): boolean {
    const id = requestIdOf(answer);
    if (id === null || !this.#idsAreUnique) return false;
    const sample = sampleOf(answer.text);
    const before = this.#ids.get(id);
    if (before !== undefined && before !== sample) this.#idsAreUnique = false;
    this.#ids.set(id, sample);
    if (this.#ids.size > MOST_IDS) {
      const [oldest = ''] = this.#ids.keys();
      this.#ids.delete(oldest);
    }
    return before === sample;
  }
}

function isAged({ headers }: HttpAnswer): boolean {
  const age = Number(headers.age ?? 0);
  return Number.isFinite(age) && age > 0;
}

const SAMPLES = 64;

/**
 * Cheaper than a hash. Two bodies of equal length with few differences may share a sample; no certificate depends on
 * it.
 */
function sampleOf(text: string): string {
  const step = Math.max(1, Math.floor(text.length / SAMPLES));
  const parts = [`${text.length} `];
  for (let index = 0; index < text.length; index += step) parts.push(text.charAt(index));
  // A text that grows by `+=` stays a chain of its parts, which takes ten times the memory.
  return parts.join('');
}
