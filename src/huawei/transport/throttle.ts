import type { ApiFailure } from '../../core/errors.ts';
import type { Throttle } from '../../core/ports.ts';

/*
 * The whole message, as the gateway sends it with APIG.0308 or APIGW.0308:
 *   The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute
 * `ip` and `api` are seen in the place of `user`, and `5 second` in the place of `1 minute`; the end may be missing.
 */
const POLICY = /policy\s+(\w+)\s+over\s+ratelimit/i;
const LIMIT = /\blimit:\s*(\d{1,9})\b/i;
const WINDOW = /\btime:\s*(\d{1,6})\s*(second|minute|hour|day)/i;

const UNIT_MS: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** Whether the quota refused the request: status 429, or the gateway's throttling code with any status. */
export function isThrottle(failure: ApiFailure): boolean {
  return failure.status === 429 || /^APIGW?\.0308$/.test(failure.code ?? '');
}

/** What a throttled answer says about the limit; null for everything it does not say. */
export function throttleOf(failure: ApiFailure, retryAfterMs: number | null): Throttle {
  const text = failure.apiMessage ?? '';
  const dimension = POLICY.exec(text)?.[1]?.toLowerCase();
  const limit = Number(LIMIT.exec(text)?.[1] ?? 0);
  const [, count, unit] = WINDOW.exec(text) ?? [];
  const windowMs = Number(count ?? 0) * (UNIT_MS[unit?.toLowerCase() ?? ''] ?? 0);
  return {
    retryAfterMs,
    limit: limit > 0 ? limit : null,
    windowMs: windowMs > 0 ? windowMs : null,
    dimension: dimension === 'user' || dimension === 'ip' || dimension === 'api' ? dimension : null,
  };
}

/** A longer `Retry-After` is taken for this: one broken answer must not stop an operation for a day, through restarts. */
export const LONGEST_RETRY_AFTER_MS = 15 * 60_000;

/** `Retry-After` in ms from now: seconds or an HTTP date (RFC 9110, 10.2.3); null when absent or neither. */
export function retryAfterOf(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\s*\d{1,9}(\.\d+)?\s*$/.test(header)) return Math.ceil(Number(header) * 1_000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
