import type { z } from 'zod';
import { parseJson } from '../../core/stream/json.ts';
import { RetryableError } from '../requests/classify.ts';
import type { Authorization } from './authorization.ts';

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
