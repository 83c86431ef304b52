import { backoffMs } from '../../core/backoff.ts';
import { coerceError, MalformedAnswer, Unreachable } from '../../core/errors.ts';
import {
  type Answer,
  type ApiCall,
  type Clock,
  type Logger,
  PLENTY_PER_MINUTE,
  type Quota,
  type QuotaSlot,
} from '../../core/ports.ts';
import { NO_CONTENT } from '../../core/stream/paging.ts';
import type { Target } from '../credentials/authorization.ts';
import type { HttpAnswer } from '../transport/http.ts';
import { failureOf, oneLine, requestIdOf, serverTimeOf } from './api-failure.ts';
import { Budget } from './budget.ts';
import { type CallSite, contextOf, serviceName, siteText } from './classify.ts';
import { type AccountSession, type Sent, siteOf } from './session.ts';
import { Transient } from './transient.ts';

const MOST_ATTEMPTS = 4;

export interface Reader {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Null for services that the quota is not about. */
  readonly quota: Quota | null;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
  /** For one page: its requests and the waits between them. */
  readonly budgetMs: number;
}

export interface Reading<T> {
  readonly target: Target;
  readonly call: ApiCall;
  readonly parse: (text: string) => T;
  readonly signal: AbortSignal;
}

/**
 * Asks until there is an answer, at most four times and for as long as the budget lasts. Tried again are network
 * errors, 408, 429, 5xx and a 200 that is not the documented JSON; a refusal never is, and neither is an abort.
 */
export async function readCall<T>(session: AccountSession, reader: Reader, reading: Reading<T>): Promise<Answer<T>> {
  const { clock, logger, budgetMs } = reader;
  const { signal, call, target } = reading;
  const budget = new Budget(clock, budgetMs);
  let throttled = 0;
  let mayRenew = true;
  for (let attempts = 1; ; attempts += 1) {
    const tried = { target, call, signal, budget, mayRenew, attempts, throttled };
    const result = await attemptOnce(session, reader, reading, tried);
    if (!(result instanceof Transient)) return { ...result, attempts, throttled };
    if (result.throttle !== null) throttled += 1;
    if (result.renewed) mayRenew = false;
    const waitMs = result.renewed ? 0 : backoffMs(attempts, reader.random(), result.retryAfterMs);
    // The quota knows of the throttle and makes the next attempt wait as long as it must; none of that is the page's time.
    const quotaWaits = result.throttle !== null && reader.quota !== null;
    if (attempts === MOST_ATTEMPTS || (!quotaWaits && waitMs >= budget.remainingMs)) throw result.failure;
    logger.info({ ...contextOf(siteOf(session.account, tried, call)), waitMs, error: result.message }, 'trying again');
    if (quotaWaits) await clock.sleep(Math.min(waitMs, budgetMs), signal);
    else await budget.pay(() => clock.sleep(waitMs, signal));
  }
}

type Tried = Parameters<AccountSession['send']>[0];
type Page<T> = Pick<Answer<T>, 'value' | 'requestId' | 'serverTime' | 'isOld' | 'durationMs'>;

async function attemptOnce<T>(
  session: AccountSession,
  { quota, clock, logger }: Reader,
  { call, parse, signal }: Reading<T>,
  tried: Tried,
): Promise<Page<T> | Transient> {
  const { account } = session;
  // Where requests are not counted there is nothing to wait for; `send` asks in any case.
  if (account.requestsPerMinute < PLENTY_PER_MINUTE) await session.assertActive();
  const slot = await quota?.acquire(account.name, call.operation, account.requestsPerMinute, signal);
  const startedMs = clock.now();
  let page: Page<T> | Transient;
  try {
    const sent = await session.send(tried);
    page = decode(sent, parse, siteOf(account, tried, call), clock.now() - startedMs);
  } catch (error) {
    if (!(error instanceof Transient)) {
      await release(slot, logger);
      throw error;
    }
    page = error;
  }
  await slot?.done(page instanceof Transient ? (page.throttle ?? undefined) : undefined);
  return page;
}

/** Frees the slot after an error, which is what the caller must hear of even if this fails too. */
async function release(slot: QuotaSlot | undefined, logger: Logger): Promise<void> {
  try {
    await slot?.done();
  } catch (error) {
    logger.warn({ error: coerceError(error).message }, 'a quota slot could not be given back; it frees itself in time');
  }
}

function decode<T>({ answer, isOld, secrets }: Sent, parse: (text: string) => T, site: CallSite, durationMs: number) {
  const requestId = requestIdOf(answer);
  try {
    const text = answer.status === 204 && answer.text === '' ? NO_CONTENT : answer.text;
    return { value: parse(text), requestId, serverTime: serverTimeOf(answer.headers), isOld, durationMs };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof MalformedAnswer)) throw error;
    return new Transient(malformed(answer, secrets, { error, site }));
  }
}

function malformed(
  answer: HttpAnswer,
  secrets: readonly string[],
  { error, site }: { readonly error: Error; readonly site: CallSite },
): Unreachable {
  const { code, apiMessage, requestId } = failureOf(answer, secrets);
  const type = oneLine(answer.headers['content-type'] ?? null, secrets) ?? 'no content type';
  const said = code === null && apiMessage === null ? '' : `, saying ${[code, apiMessage].filter(Boolean).join(' ')}`;
  const what = `${answer.status} with ${answer.text.length} characters of ${type}${said}`;
  // V8 quotes the body in some of its messages, cut where a secret may be.
  const quotes = error instanceof SyntaxError && error.message.includes('is not valid JSON');
  const reason = quotes ? 'it is not valid JSON' : oneLine(error.message, secrets);
  return new Unreachable(
    `${serviceName(site.service)} gave no usable answer: ${what}: ${reason} (${siteText(site, { requestId })}). Check the endpoint and any proxy.`,
    { ...contextOf(site), status: answer.status, requestId },
    { cause: error },
  );
}
