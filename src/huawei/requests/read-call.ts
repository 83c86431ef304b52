import type { Account } from '../../core/account.ts';
import { ConfigurationError, coerceError, MalformedAnswer, Unreachable } from '../../core/errors.ts';
import {
  type Answer,
  type ApiCall,
  type Clock,
  type Logger,
  type PageSource,
  PLENTY_PER_MINUTE,
  type Quota,
  type QuotaSlot,
  type ResponseParser,
  type Suspensions,
} from '../../core/ports.ts';
import { NO_CONTENT } from '../../core/stream/endpoint.ts';
import type { Target } from '../credentials/authorization.ts';
import { createHttp, type Http, type HttpAnswer, PAGE_TIMEOUT_MS } from '../transport/http.ts';
import { failureOf, oneLine, requestIdOf, serverTimeOf } from './api-failure.ts';
import { type CallSite, contextOf, RetryableError, serviceName, siteText } from './classify.ts';
import { AccountSession, type Sent, siteOf } from './session.ts';

const MOST_ATTEMPTS = 4;

export interface Reader {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Null for services without a quota. */
  readonly quota: Quota | null;
  /** From 0 to 1, for the jitter. */
  readonly random: () => number;
  /** For one page, in ms: its requests and the waits between them. */
  readonly pageTimeoutMs: number;
}

/** A request for a project and how its response is parsed. */
export interface PageRead<T> extends ResponseParser<T> {
  readonly target: Target;
  readonly call: ApiCall;
}

/**
 * Sends a request until it is answered: at most four times and within the time of a page. Retries network errors, 408,
 * 429, 5xx, throttling codes of any status, failures that a service reports with status 400, and a success that is not
 * the documented JSON. Refusals and aborts are not retried, except that a refused token or temporary key is replaced once.
 */
export async function readCall<T>(session: AccountSession, reader: Reader, read: PageRead<T>): Promise<Answer<T>> {
  const { clock, logger, pageTimeoutMs } = reader;
  const { signal, call, target } = read;
  const pageTime = new PageTime(clock, pageTimeoutMs);
  let throttled = 0;
  let mayRenew = true;
  for (let attempts = 1; ; attempts += 1) {
    const attempt = { target, call, signal, pageTime, mayRenew, attempts, throttled };
    const result = await attemptOnce(session, reader, { ...read, attempt });
    if (!(result instanceof RetryableError)) return { ...result, attempts, throttled };
    if (result.throttle !== null) throttled += 1;
    if (result.renewed) mayRenew = false;
    const waitMs = result.renewed ? 0 : backoffMs(attempts, reader.random(), result.retryAfterMs);
    // Throttling is not charged to the time of the page. The quota has recorded the throttle and delays the next attempt
    // as needed. It delays none of an account that is not metered, so `Retry-After` is waited for here.
    const isThrottled = result.throttle !== null && reader.quota !== null;
    const isMetered = session.account.requestsPerMinute < PLENTY_PER_MINUTE;
    if (attempts === MOST_ATTEMPTS || (!isThrottled && waitMs >= pageTime.remainingMs)) throw result.failure;
    logger.info(
      { ...contextOf(siteOf(session.account, attempt, call)), waitMs, error: result.message },
      'trying again',
    );
    if (isThrottled) await clock.sleep(isMetered ? Math.min(waitMs, pageTimeoutMs) : waitMs, signal);
    else await pageTime.charge(() => clock.sleep(waitMs, signal));
  }
}

type AttemptInput = Parameters<AccountSession['send']>[0];
type Page<T> = Pick<Answer<T>, 'value' | 'requestId' | 'serverTime' | 'isOld' | 'durationMs'>;

async function attemptOnce<T>(
  session: AccountSession,
  { quota, clock, logger }: Reader,
  { call, parse, signal, attempt }: PageRead<T> & { readonly attempt: AttemptInput },
): Promise<Page<T> | RetryableError> {
  const { account } = session;
  // If requests are not metered, there is no wait before `send`, and `send` makes this check anyway.
  if (account.requestsPerMinute < PLENTY_PER_MINUTE) await session.assertActive();
  const slot = await quota?.acquire(
    { account: account.name, operation: call.operation, requestsPerMinute: account.requestsPerMinute },
    signal,
  );
  const startedMs = clock.now();
  let page: Page<T> | RetryableError;
  try {
    const sent = await session.send(attempt);
    page = decode(sent, parse, { site: siteOf(account, attempt, call), durationMs: clock.now() - startedMs });
  } catch (error) {
    if (!(error instanceof RetryableError)) {
      await release(slot, logger);
      throw error;
    }
    page = error;
  }
  await slot?.done(page instanceof RetryableError ? (page.throttle ?? undefined) : undefined);
  return page;
}

/** Frees the slot after an error. The caller must get that error even if this fails too. */
async function release(slot: QuotaSlot | undefined, logger: Logger): Promise<void> {
  try {
    await slot?.done();
  } catch (error) {
    logger.warn({ error: coerceError(error).message }, 'a quota slot could not be released; it expires by itself');
  }
}

function decode<T>(
  { answer, isOld, secrets }: Sent,
  parse: (text: string) => T,
  { site, durationMs }: { readonly site: CallSite; readonly durationMs: number },
) {
  const requestId = requestIdOf(answer);
  try {
    const text = answer.status === 204 && answer.text === '' ? NO_CONTENT : answer.text;
    return { value: parse(text), requestId, serverTime: serverTimeOf(answer.headers), isOld, durationMs };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof MalformedAnswer)) throw error;
    return new RetryableError(malformed(answer, secrets, { error, site }));
  }
}

function malformed(
  answer: HttpAnswer,
  secrets: readonly string[],
  { error, site }: { readonly error: Error; readonly site: CallSite },
): Unreachable {
  const { code, apiMessage, requestId } = failureOf(answer, secrets);
  const type = oneLine(answer.headers['content-type'] ?? null, secrets) ?? 'no content type';
  const errorText =
    code === null && apiMessage === null ? '' : `, saying ${[code, apiMessage].filter(Boolean).join(' ')}`;
  const what = `${answer.status} with ${answer.text.length} characters of ${type}${errorText}`;
  // V8 quotes the body in some messages, possibly with part of a secret.
  const quotes = error instanceof SyntaxError && error.message.includes('is not valid JSON');
  const reason = quotes ? 'it is not valid JSON' : oneLine(error.message, secrets);
  return new Unreachable(
    `${serviceName(site.service)} gave no usable answer: ${what}: ${reason} (${siteText(site, { requestId })}). Check the endpoint and any proxy.`,
    { ...contextOf(site), status: answer.status, requestId },
    { cause: error },
  );
}

/** The time one page may take: its requests and the waits between them, excluding waits for quota. */
export class PageTime {
  readonly #clock: Clock;
  #remainingMs: number;

  constructor(clock: Clock, totalMs: number) {
    this.#clock = clock;
    this.#remainingMs = totalMs;
  }

  get remainingMs(): number {
    return Math.max(0, this.#remainingMs);
  }

  /** Runs `work` and charges its time to the page, unless the response was throttled. */
  async charge<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.now();
    let free = false;
    try {
      return await work();
    } catch (error) {
      free = error instanceof RetryableError && error.throttle !== null;
      throw error;
    } finally {
      // A clock that is set back during the request must not add time.
      if (!free) this.#remainingMs -= Math.max(0, this.#clock.now() - startedMs);
    }
  }
}

/**
 * Delay before attempt `attempt + 1` (counted from 1), in ms: exponential, times a random factor from 0.5 to 1.5, so
 * that replicas do not retry together. `retryAfterMs` is the minimum if the server sent one.
 */
export function backoffMs(attempt: number, random: number, retryAfterMs: number | null = null): number {
  const base = Math.min(500 * 2 ** (attempt - 1), 8_000);
  return Math.max(retryAfterMs ?? 0, base * (0.5 + random));
}

export interface PageSourceParts {
  readonly accounts: readonly Account[];
  readonly quota: Quota;
  readonly suspensions: Suspensions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared connections. Without them the source opens its own and closes them when it is closed. */
  readonly http?: Http;
  /** From 0 to 1; defaults to `Math.random`, tests fix it. */
  readonly random?: () => number;
  /** For one page, excluding waits for quota; 60 s by default. */
  readonly pageTimeoutMs?: number;
}

/**
 * The page source of the real API. Create one per process: all readers share an account's token, first call and
 * suspension.
 */
export function createPageSource(parts: PageSourceParts): PageSource & { close(): Promise<void> } {
  const { accounts, quota, suspensions, clock, logger, random = Math.random, pageTimeoutMs = PAGE_TIMEOUT_MS } = parts;
  const http = parts.http ?? createHttp({ timeoutMs: pageTimeoutMs });
  const sessions = new Map<string, AccountSession>();
  for (const account of accounts) {
    sessions.set(account.name, new AccountSession({ account, suspensions, clock, logger, http }));
  }
  const reader = { clock, logger, quota, random, pageTimeoutMs };
  return {
    async read(scope, call, { parse, signal }) {
      const session = sessions.get(scope.account);
      if (session === undefined) throw new ConfigurationError(`There is no account ${scope.account}.`);
      signal.throwIfAborted();
      const target = { region: scope.region, projectId: scope.projectId };
      return await readCall(session, reader, { target, call, parse, signal });
    },
    isPlentiful: ({ account }) => (sessions.get(account)?.account.requestsPerMinute ?? 0) >= PLENTY_PER_MINUTE,
    async close() {
      if (parts.http === undefined) await http.close();
    },
  };
}
