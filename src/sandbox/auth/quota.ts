import type { SandboxSettings } from '../server/options.ts';
import { gatewayError, type Reply } from '../server/replies.ts';

type Dimension = 'user' | 'ip';

/** A call to be counted against the quota. */
export interface QuotaClaim {
  readonly operation: string;
  readonly user: string;
  readonly ip: string;
  readonly requestId: string;
}

/** Counts calls by arrival in a sliding window, per user and per address. */
export class Quota {
  readonly #settings: SandboxSettings;
  readonly #arrivals = new Map<string, number[]>();

  constructor(settings: SandboxSettings) {
    this.#settings = settings;
  }

  /** Admits a call (undefined), or returns the gateway's response. */
  claim({ operation, user, ip, requestId }: QuotaClaim): Reply | undefined {
    const { quota, quotaPerIp, quotaCountsRefused, now } = this.#settings;
    const arrived = now();
    const policies: { readonly dimension: Dimension; readonly limit: number; readonly log: number[] }[] = [];
    if (quota > 0)
      policies.push({ dimension: 'user', limit: quota, log: this.#log(`user ${user} ${operation}`, arrived) });
    if (quotaPerIp > 0)
      policies.push({ dimension: 'ip', limit: quotaPerIp, log: this.#log(`ip ${ip} ${operation}`, arrived) });
    const over = policies.find(({ limit, log }) => log.length >= limit);
    if (over === undefined || quotaCountsRefused) for (const { log } of policies) log.push(arrived);
    if (over === undefined) return undefined;
    const oldest = over.log.at(-over.limit) ?? arrived;
    return throttled(this.#settings, {
      dimension: over.dimension,
      limit: over.limit,
      requestId,
      waitMs: oldest + this.#settings.quotaWindowMs - arrived,
    });
  }

  #log(key: string, arrived: number): number[] {
    const log = this.#arrivals.get(key) ?? [];
    this.#arrivals.set(key, log);
    const end = arrived - this.#settings.quotaWindowMs;
    let old = 0;
    while (old < log.length && (log[old] ?? 0) <= end) old += 1;
    log.splice(0, old);
    return log;
  }
}

/** The content of a 429. */
export interface Throttle {
  readonly dimension: Dimension;
  readonly limit: number;
  readonly requestId: string;
  readonly waitMs: number;
}

/** The gateway's response to a call over the quota. */
export function throttled(settings: SandboxSettings, { dimension, limit, requestId, waitMs }: Throttle): Reply {
  const window = windowText(settings.quotaWindowMs);
  const message = `The throttling threshold has been reached: policy ${dimension} over ratelimit,limit:${limit},time:${window}`;
  const reply = gatewayError(requestId, { status: 429, code: 'APIGW.0308', message });
  return settings.retryAfter ? { ...reply, headers: { 'Retry-After': `${Math.ceil(waitMs / 1000)}` } } : reply;
}

function windowText(windowMs: number): string {
  if (windowMs % 60_000 === 0) return `${windowMs / 60_000} minute`;
  return windowMs % 1_000 === 0 ? `${windowMs / 1_000} second` : `${windowMs} millisecond`;
}
