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

/** What every request of an account goes out with. */
export interface Wire {
  readonly http: Http;
  readonly clock: Clock;
  readonly skew: ClockSkew;
}

/** A caller's wish to stop is told apart from a deadline: the first is obeyed as it is, the second is a failure. */
export interface Limits {
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
}

export interface Exchange {
  readonly request: Omit<HttpRequest, 'signal' | 'origin' | 'path'> & {
    /** Base URL, which may have a path of its own. */
    readonly base: string;
    readonly path: string;
  };
  readonly site: CallSite;
  /** Strings that must not come back in a message. */
  readonly secrets: readonly string[];
  /** Error statuses that are an answer here. */
  readonly passThrough?: readonly number[];
}

/** The same limits, and at most `ms`: a request for a token or keys leaves time for the page it is wanted for. */
export function within({ signal, deadline }: Limits, ms: number): Limits {
  return { signal, deadline: AbortSignal.any([deadline, AbortSignal.timeout(ms)]) };
}

/** Sends one request. Returns a 2xx answer; throws `RetryableError`, a `SyncError`, or the caller's own abort reason. */
export async function exchange(wire: Wire, limits: Limits, what: Exchange): Promise<HttpAnswer> {
  const answer = await send(wire, limits, what);
  const nowMs = wire.clock.now();
  if (!isLocal(what.site.service)) wire.skew.observe(serverTimeOf(answer.headers), nowMs);
  const isAnswer = (answer.status >= 200 && answer.status < 300) || what.passThrough?.includes(answer.status) === true;
  const counts = what.site.service === 'hss' || what.site.service === 'dbss';
  if (isAnswer && !(counts && isErrorInside(answer))) return answer;
  const failure = failureOf(answer, what.secrets);
  const throttled = isThrottle(failure);
  const site = throttled ? { ...what.site, throttled: what.site.throttled + 1 } : what.site;
  const asked = retryAfterOf(answer.headers['retry-after'], nowMs);
  const retryAfterMs = asked === null ? null : Math.min(asked, LONGEST_RETRY_AFTER_MS);
  const notes: string[] = [];
  if (failure.status === 401) notes.push(wire.skew.note() ?? '');
  if (asked !== retryAfterMs)
    notes.push('It asks for a longer wait than 15 minutes, after which the service asks again.');
  const error = classify(
    failure,
    site,
    notes.filter((note) => note !== ''),
  );
  // An error inside a good status is no refusal of what was asked for, unless its code says so.
  const mayPass = isRetryable(failure) || (isAnswer && error instanceof RequestFailed);
  if (!mayPass || error.recovery === 'stop-account') throw error;
  // IAM and EPS throttle too, but that says nothing about the quota that is counted.
  const counted = throttled && counts;
  throw new RetryableError(
    error,
    counted ? { retryAfterMs, throttle: throttleOf(failure, retryAfterMs) } : { retryAfterMs },
  );
}

async function send(wire: Wire, limits: Limits, { request, site }: Exchange): Promise<HttpAnswer> {
  limits.signal.throwIfAborted();
  const { base, path, ...rest } = request;
  const { origin, pathname } = new URL(base);
  const prefix = pathname === '/' ? '' : pathname;
  const signal = AbortSignal.any([limits.signal, limits.deadline]);
  try {
    return await wire.http.send({ ...rest, origin, path: `${prefix}${path}`, signal });
  } catch (error) {
    limits.signal.throwIfAborted();
    if (error instanceof ConfigurationError) throw error;
    throw networkError(error, site);
  }
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS/;

/** Where another attempt would end the same way, and what a person can do about it. */
const HOPELESS: Readonly<Record<string, string>> = {
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'The answer is larger than 32 MB, which no page of this API is: check the endpoint.',
  [TOO_LARGE_DECODED]:
    'The answer is larger than 32 MB when it is decoded, which no page of this API is: check any proxy.',
  [UNKNOWN_ENCODING]: 'Only gzip and br were asked for, and deflate and zstd are read as well: check any proxy.',
  // undici found a character that no header may contain, and sent nothing.
  UND_ERR_INVALID_ARG: 'No request was sent: check the credentials for line breaks and invisible characters.',
  UND_ERR_HEADERS_OVERFLOW: 'The answer has more than 64 KB of headers: check the endpoint and any proxy.',
};

/** What a failed exchange means: `RetryableError` when another attempt may go through, `Unreachable` when none will. */
export function networkError(thrown: unknown, site: CallSite): RetryableError | Unreachable {
  const error = coerceError(thrown);
  const code = codeOf(error);
  const certificate = CERTIFICATE.test(code);
  const advice = certificate
    ? 'The certificate is not trusted: if a company proxy re-signs traffic, name its CA file in NODE_EXTRA_CA_CERTS.'
    : (HOPELESS[code] ?? 'Check network, proxy and endpoint.');
  const isLate = error.name === 'TimeoutError';
  const reason = isLate ? 'no complete answer in the time a page has' : (oneLine(error.message) ?? error.name);
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
  // Several addresses tried: what happened at the first one speaks for all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.cause instanceof Error ? codeOf(error.cause) : '';
}

const TOLERATED_MS = 5 * 60_000;

/**
 * Compares this machine's clock with the `Date` header of answers. The gateway refuses signatures more than 15 minutes
 * off, with the same code as a wrong key, so the difference is worth saying before and when that happens.
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

  /** `server`: when the answer was given, by the server's clock, in ms; null when it did not say. */
  observe(server: number | null, nowMs: number): void {
    if (server === null) return;
    this.#offMs = nowMs - server;
    const note = this.note();
    if (note === null || this.#reported) return;
    this.#reported = true;
    this.#logger.warn({ account: this.#account, clockOffMs: this.#offMs }, note);
  }

  /** The API's clock while this machine's is off by more than five minutes, else null. */
  serverNow(nowMs: number): Date | null {
    return agree(this.#offMs, 0) ? null : new Date(nowMs - this.#offMs);
  }

  /** `Your clock is 7 minutes ahead: …`, or null while it is right to 5 minutes. */
  note(): string | null {
    if (agree(this.#offMs, 0)) return null;
    const minutes = Math.round(Math.abs(this.#offMs) / 60_000);
    const direction = this.#offMs > 0 ? 'ahead' : 'behind';
    return `Your clock is ${minutes} minutes ${direction}: set it right, signatures are refused from 15 minutes on.`;
  }
}

/** Whether two clocks are close enough for a signature, in ms since the epoch. */
export function agree(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERATED_MS;
}

/** Servers behind one name agree in their clocks to a second or two; `Date` has whole seconds. */
const SERVERS_DIFFER_MS = 5_000;
/** A server whose clock was set back catches up with nothing; caches hold their answers for minutes. */
const BELIEVED_AFTER_MS = 15 * 60_000;
/** At 5 requests a minute for each of eight lists, the ids of more than an hour. */
const MOST_IDS = 4_096;

interface Newest {
  readonly serverTime: number;
  /** When that answer came, by our clock. */
  readonly at: number;
}

/**
 * Tells answers of now from old ones. An answer was given before it was asked for when it says so (`Age`, RFC 9111,
 * 5.1), when its `Date` lies before one that was received before it was asked for, or when it repeats the request id of
 * an earlier answer together with its body, as caches do that keep no `Date`.
 */
export class Freshness {
  readonly #clock: Clock;
  /** By service: each has servers of its own. */
  readonly #newest = new Map<string, Newest>();
  /** Request ids, oldest first, with a sample of the body. */
  readonly #ids = new Map<string, string>();
  /** Some server repeats its ids with other answers, so a repeated one says nothing there. */
  #idsAreUnique = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Called before a request is sent; what it returns judges the answer. */
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
    // By our clock as well: one machine whose clock is set back may carry both sides.
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

/** Not a hash: two bodies of one length that differ in few places may share it, and no claim rests on it. */
function sampleOf(text: string): string {
  const step = Math.max(1, Math.floor(text.length / SAMPLES));
  let sample = `${text.length} `;
  for (let index = 0; index < text.length; index += step) sample += text[index];
  return sample;
}
