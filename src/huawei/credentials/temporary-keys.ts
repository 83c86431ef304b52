import { z } from 'zod';
import { Unreachable } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { parseJson } from '../../core/stream/json.ts';
import { type CallSite, contextOf, RetryableError, serviceName } from '../requests/classify.ts';
import type { Limits } from '../transport/exchange.ts';
import type { HttpAnswer } from '../transport/http.ts';
import { type Attempts, type Authorization, type Credentials, keyAuthorization, type Target } from './authorization.ts';

const RENEW_BEFORE_MS = 10 * 60_000;

/** A prepared request for temporary keys. */
export interface KeyRequest {
  /** A hash of everything in this request. Before there are keys, a refusal is stored against it. */
  readonly fingerprint: string;
  /** Throws `RetryableError` or a `SyncError`. */
  send(target: Target, limits: Limits, attempts: Attempts): Promise<Lease>;
}

/** Fetches temporary keys, caches them for their lifetime, and renews them before they expire. */
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

/** The official SDKs look for the keys below `credential`, below `credentials`, or at the top level of the response. */
const reply = z.union([
  z.object({ credential: keys }).transform(({ credential }) => credential),
  z.object({ credentials: keys }).transform(({ credentials }) => credentials),
  keys,
]);

/** The keys in a response. If it has no expiry time (ISO 8601), a lifetime of ten minutes is assumed. */
export function leaseIn(answer: HttpAnswer, nowMs: number, site: CallSite): Lease {
  const found = replyIn(reply, answer.text);
  if (found === null) {
    const what = `${serviceName(site.service)} answered ${site.operation} without keys (account ${site.account}).`;
    throw new RetryableError(new Unreachable(`${what} Check the endpoint.`, contextOf(site)));
  }
  const [accessKey, secretKey, securityToken, expires] = found;
  const expiresMs = Date.parse(String(expires));
  const lifetimeMs = Number.isNaN(expiresMs) ? RENEW_BEFORE_MS : expiresMs - nowMs;
  const authorization = keyAuthorization({ accessKey, secretKey, securityToken });
  return leaseOf(authorization, { nowMs, lifetimeMs, aheadMs: RENEW_BEFORE_MS });
}

/** Fetched credentials with an expiry. */
export interface Lease {
  readonly authorization: Authorization;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

/**
 * A lease to be renewed `aheadMs` before it expires. A short one is renewed in its last fifth, otherwise every use
 * would renew it.
 */
export function leaseOf(
  authorization: Authorization,
  { nowMs, lifetimeMs, aheadMs }: { readonly nowMs: number; readonly lifetimeMs: number; readonly aheadMs: number },
): Lease {
  const lifetime = Math.max(0, lifetimeMs);
  return {
    authorization,
    renewAtMs: nowMs + lifetime - Math.min(aheadMs, lifetime / 5),
    expiresAtMs: nowMs + lifetime,
  };
}

/** Fetches a successor. If the service cannot be reached, `current` is used for as long as it is valid. */
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

/** Parses a response; null if it has another shape. Never quotes the text, which may contain part of a secret. */
export function replyIn<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null;
  }
}
