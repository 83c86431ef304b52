import type { Clock } from '../core/ports.ts';
import { failureOf, serverTimeOf } from './api-failure.ts';
import { type CallSite, classify, isTransient } from './classify.ts';
import type { ClockSkew } from './clock-skew.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';
import { networkError } from './network-error.ts';
import { isThrottle, retryAfterOf, throttleOf } from './throttle.ts';
import { Transient } from './transient.ts';

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

/** Sends one request. Returns a 2xx answer; throws `Transient`, a `SyncError`, or the caller's own abort reason. */
export async function exchange(wire: Wire, limits: Limits, what: Exchange): Promise<HttpAnswer> {
  const answer = await send(wire, limits, what);
  const nowMs = wire.clock.now();
  // The metadata service runs beside us: its clock says nothing about the cloud's.
  if (what.site.service !== 'metadata') wire.skew.observe(serverTimeOf(answer.headers), nowMs);
  if ((answer.status >= 200 && answer.status < 300) || what.passThrough?.includes(answer.status)) return answer;
  const failure = failureOf(answer, what.secrets);
  const throttled = isThrottle(failure);
  const site = throttled ? { ...what.site, throttled: what.site.throttled + 1 } : what.site;
  const note = failure.status === 401 ? wire.skew.note() : null;
  const error = classify(failure, site, note === null ? [] : [note]);
  if (!isTransient(failure) || error.recovery === 'stop-account') throw error;
  const retryAfterMs = retryAfterOf(answer.headers['retry-after'], nowMs);
  // IAM and EPS throttle too, but that says nothing about the quota that is counted.
  const counted = throttled && (site.service === 'hss' || site.service === 'dbss');
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
    throw networkError(error, site);
  }
}
