import { z } from 'zod';
import { Unreachable } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { parseJson } from '../../core/stream/json.ts';
import { type CallSite, contextOf, RetryableError, serviceName } from '../requests/classify.ts';
import type { Limits } from '../transport/exchange.ts';
import type { HttpAnswer } from '../transport/http.ts';
import { type Attempts, type Authorization, type Credentials, keyAuthorization, type Target } from './authorization.ts';

const RENEW_BEFORE_MS = 10 * 60_000;

/** A request for keys as it would be made now. */
export interface KeyRequest {
  /** Before there are keys, what can be refused is this request: changes with everything that goes into it. */
  readonly fingerprint: string;
  /** Throws `RetryableError` or a `SyncError`. */
  send(target: Target, limits: Limits, attempts: Attempts): Promise<Lease>;
}

/** Keys that are fetched, used for as long as they live, and fetched again ahead of their end. */
export function temporaryKeys(clock: Clock, prepare: () => Promise<KeyRequest>): Credentials {
  let held: Lease | null = null;
  const now = () => clock.now();
  const ready = () => now() < (held?.renewAtMs ?? 0);
  return {
    async load() {
      return {
        fingerprint: held !== null && ready() ? held.authorization.fingerprint : (await prepare()).fingerprint,
        ready,
        async authorize(target, limits, attempts) {
          if (held !== null && ready()) return held.authorization;
          const request = await prepare();
          const lease = await renewLease(held, now, () => request.send(target, limits, attempts));
          held = lease;
          return lease.authorization;
        },
      };
    },
    renew(used) {
      if (held?.authorization === used) held = null;
      return true;
    },
  };
}

const text = z.string().min(1);

/** The spellings of the metadata service and IAM, of the pod identity agent, and of STS. */
const keys = z.union([
  z
    .object({ access: text, secret: text, securitytoken: text, expires_at: z.unknown().optional() })
    .transform((one) => [one.access, one.secret, one.securitytoken, one.expires_at] as const),
  z
    .object({ accessKeyId: text, secretAccessKey: text, securityToken: text, expiration: z.unknown().optional() })
    .transform((one) => [one.accessKeyId, one.secretAccessKey, one.securityToken, one.expiration] as const),
  z
    .object({ access_key_id: text, secret_access_key: text, security_token: text, expiration: z.unknown().optional() })
    .transform((one) => [one.access_key_id, one.secret_access_key, one.security_token, one.expiration] as const),
]);

/** The official SDKs look for the keys below `credential`, below `credentials`, or in the reply itself. */
const reply = z.union([
  z.object({ credential: keys }).transform(({ credential }) => credential),
  z.object({ credentials: keys }).transform(({ credentials }) => credentials),
  keys,
]);

/** The keys of a reply. One that does not say when they end (ISO 8601) is taken to live ten minutes. */
export function leaseIn(answer: HttpAnswer, nowMs: number, site: CallSite): Lease {
  const found = replyIn(reply, answer.text);
  if (found === null) {
    const what = `${serviceName(site.service)} answered ${site.operation} without keys (account ${site.account}).`;
    throw new RetryableError(new Unreachable(`${what} Check the endpoint.`, contextOf(site)));
  }
  const [accessKey, secretKey, securityToken, expires] = found;
  const expiresMs = Date.parse(String(expires));
  const lifetimeMs = Number.isNaN(expiresMs) ? RENEW_BEFORE_MS : expiresMs - nowMs;
  return leaseOf(keyAuthorization({ accessKey, secretKey, securityToken }), nowMs, lifetimeMs, RENEW_BEFORE_MS);
}

/** Credentials that were fetched and live for a while. */
export interface Lease {
  readonly authorization: Authorization;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

/** To be renewed `aheadMs` before it ends; a short one in its last fifth, or it would be renewed at every use. */
export function leaseOf(authorization: Authorization, nowMs: number, lifetimeMs: number, aheadMs: number): Lease {
  const lifetime = Math.max(0, lifetimeMs);
  return {
    authorization,
    renewAtMs: nowMs + lifetime - Math.min(aheadMs, lifetime / 5),
    expiresAtMs: nowMs + lifetime,
  };
}

/** Fetches a successor; while `current` is still good, a service that cannot be reached is no reason to fail. */
export async function renewLease(
  current: Lease | null,
  now: () => number,
  fetch: () => Promise<Lease>,
): Promise<Lease> {
  try {
    return await fetch();
  } catch (error) {
    if (error instanceof RetryableError && current !== null && now() < current.expiresAtMs) return current;
    throw error;
  }
}

/** What a reply says; null where it has another shape. Never tells of the text itself, which may hold half a secret. */
export function replyIn<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null;
  }
}
