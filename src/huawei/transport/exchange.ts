import { ConfigurationError, RequestFailed } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { failureOf, isErrorInside, serverTimeOf } from '../requests/api-failure.ts';
import { type CallSite, classify, isLocal, isTransient } from '../requests/classify.ts';
import { Transient } from '../requests/transient.ts';
import type { ClockSkew } from './clock-skew.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';
import { networkError } from './network-error.ts';
import { isThrottle, LONGEST_RETRY_AFTER_MS, retryAfterOf, throttleOf } from './throttle.ts';

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

/** Sends one request. Returns a 2xx answer; throws `Transient`, a `SyncError`, or the caller's own abort reason. */
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
  const mayPass = isTransient(failure) || (isAnswer && error instanceof RequestFailed);
  if (!mayPass || error.recovery === 'stop-account') throw error;
  // IAM and EPS throttle too, but that says nothing about the quota that is counted.
  const counted = throttled && counts;
  throw new Transient(
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
