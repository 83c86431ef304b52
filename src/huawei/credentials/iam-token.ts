import { z } from 'zod';
import type { Account, Auth } from '../../core/account.ts';
import { Unreachable } from '../../core/errors.ts';
import { toJson } from '../../core/stream/json.ts';
import { contextOf, RetryableError, siteText } from '../requests/classify.ts';
import { endpointOf } from '../transport/endpoints.ts';
import { exchange, type HttpContext, type Limits, within } from '../transport/exchange.ts';
import type { HttpAnswer } from '../transport/http.ts';
import {
  type Attempts,
  type Credentials,
  fingerprintOf,
  readSecret,
  type Target,
  tokenAuthorization,
} from './authorization.ts';
import { type Lease, leaseOf, renewLease, replyIn } from './temporary-keys.ts';

/** Documented as 24 hours. A much shorter lifetime is assumed if the response does not state it. */
const UNSTATED_LIFETIME_MS = 3_600_000;
const RENEW_BEFORE_MS = 30 * 60_000;
/** Shorter than the timeout of a page, to leave time for the page request itself. */
const TIMEOUT_MS = 10_000;

type PasswordAuth = Extract<Auth, { kind: 'password' }>;

/**
 * Tokens by user and password: `POST {iam}/v3/auth/tokens?nocatalog=true`, answered 201 with the token in the header
 * `X-Subject-Token` ("Obtaining a User Token Through Password Authentication", api-iam). One token per project, and one
 * for the domain; a new token does not revoke earlier ones.
 */
export function passwordCredentials(account: Account, auth: PasswordAuth, http: HttpContext): Credentials {
  const leases = new Map<string, Lease>();
  const now = () => http.clock.now();

  const leaseFor = (target: Target, fingerprint: string): Lease | null => {
    const lease = leases.get(keyOf(target));
    return lease?.authorization.fingerprint === fingerprint ? lease : null;
  };

  return {
    async load() {
      const password = await readSecret(auth.password, 'password', account.name);
      const fingerprint = fingerprintOf([auth.domain, auth.user, password]);
      const ready = (target: Target) => now() < (leaseFor(target, fingerprint)?.renewAtMs ?? 0);
      return {
        fingerprint,
        ready,
        async authorize(target, limits, attempts) {
          const current = leaseFor(target, fingerprint);
          if (current !== null && ready(target)) return current.authorization;
          const lease = await renewLease(current, now, async () => {
            const issued = await requestToken({ account, auth, password, http, target }, limits, attempts);
            const authorization = tokenAuthorization(issued.token, fingerprint, [password]);
            // Computed from the lifetime rather than the server's time, because clocks differ.
            return leaseOf(authorization, {
              nowMs: now(),
              lifetimeMs: issued.lifetimeMs,
              aheadMs: RENEW_BEFORE_MS,
            });
          });
          leases.set(keyOf(target), lease);
          return lease.authorization;
        },
      };
    },
    renew(used) {
      // If several calls are refused with the same token, the first discards it; the others find its successor.
      for (const [key, lease] of leases) if (lease.authorization === used) leases.delete(key);
      return true;
    },
  };
}

function keyOf(target: Target): string {
  return target.projectId ?? 'domain';
}

interface TokenRequest {
  readonly account: Account;
  readonly auth: PasswordAuth;
  readonly password: string;
  readonly http: HttpContext;
  readonly target: Target;
}

async function requestToken(
  { account, auth, password, http, target }: TokenRequest,
  limits: Limits,
  attempts: Attempts,
): Promise<{ token: string; lifetimeMs: number }> {
  const user = { name: auth.user, password, domain: { name: auth.domain } };
  const scope = target.projectId === null ? { domain: { name: auth.domain } } : { project: { id: target.projectId } };
  const site = {
    account: account.name,
    auth: auth.kind,
    service: 'iam',
    operation: 'POST /v3/auth/tokens',
    region: target.region,
    projectId: target.projectId,
    ...attempts,
  } as const;
  const answer = await exchange(http, within(limits, TIMEOUT_MS), {
    request: {
      method: 'POST',
      base: endpointOf('iam', target.region, account.endpoints),
      // The catalogue would make the response and the token several times larger.
      path: '/v3/auth/tokens?nocatalog=true',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: toJson({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
    },
    site,
    secrets: [password],
  });
  const token = answer.headers['x-subject-token'];
  if (token === undefined) {
    const where = siteText(site, { requestId: null });
    throw new RetryableError(
      new Unreachable(`IAM answered without a token (${where}). Check the endpoint.`, contextOf(site)),
    );
  }
  return { token, lifetimeMs: lifetimeOf(answer) };
}

/**
 * `{"token": {"issued_at": "2020-01-03T09:08:49.965000Z", "expires_at": …}}`; the token is usable even without these
 * times.
 */
const times = z.object({ token: z.object({ issued_at: z.string(), expires_at: z.string() }) });

function lifetimeOf(answer: HttpAnswer): number {
  const validity = replyIn(times, answer.text)?.token;
  const lifetimeMs =
    validity === undefined ? Number.NaN : Date.parse(validity.expires_at) - Date.parse(validity.issued_at);
  return Number.isNaN(lifetimeMs) ? UNSTATED_LIFETIME_MS : lifetimeMs;
}
