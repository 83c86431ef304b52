import type { Account } from '../core/account.ts';
import { CredentialsRefused, Unreachable } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { type Attempts, type Credentials, keyAuthorization } from './authorization.ts';
import { type CallSite, contextOf } from './classify.ts';
import { metadataEndpoint } from './endpoints.ts';
import { exchange, type Limits, type Wire } from './exchange.ts';
import { type Lease, leaseOf, renewLease } from './lease.ts';
import { fingerprintOf } from './secrets.ts';
import { Transient } from './transient.ts';

/** The service answers from the host itself; where it does not within this, there is none. The SDKs wait as long. */
const TIMEOUT_MS = 3_000;
const RENEW_BEFORE_MS = 10 * 60_000;
const WITHOUT_TOKEN: readonly number[] = [404, 405, 503];

/**
 * Temporary keys of the agency attached to this ECS ("Obtaining Metadata", ECS user guide, and the official SDKs):
 * `PUT /meta-data/latest/api/token`, then `GET /openstack/latest/securitykey` with that token; older hosts answer the
 * first with 404, 405 or 503 and want none. No key is stored anywhere.
 */
export function agencyCredentials(account: Account, wire: Wire): Credentials {
  let held: Lease | null = null;
  // Before there are keys, what can be refused is this host as such.
  const identity = fingerprintOf(['ecs-agency', metadataEndpoint(account.endpoints)]);

  const now = () => wire.clock.now();
  const ready = () => now() < (held?.renewAtMs ?? 0);

  return {
    load() {
      return Promise.resolve({
        fingerprint: held?.authorization.fingerprint ?? identity,
        ready,
        async authorize(_target, limits, attempts) {
          if (held !== null && ready()) return held.authorization;
          const lease = await renewLease(held, now, () => fetchKeys(account, wire, limits, attempts));
          held = lease;
          return lease.authorization;
        },
      });
    },
    renew(used) {
      if (held?.authorization === used) held = null;
      return true;
    },
  };
}

async function fetchKeys(account: Account, wire: Wire, limits: Limits, attempts: Attempts): Promise<Lease> {
  const base = metadataEndpoint(account.endpoints);
  const ask = async (method: string, path: string, headers: Readonly<Record<string, string>>) =>
    await exchange(
      wire,
      { ...limits, deadline: AbortSignal.any([limits.deadline, AbortSignal.timeout(TIMEOUT_MS)]) },
      {
        request: { method, base, path, headers, direct: true },
        site: siteOf(account, `${method} ${path}`, attempts),
        secrets: [],
        passThrough: method === 'PUT' ? WITHOUT_TOKEN : [],
      },
    );
  const granted = await ask('PUT', '/meta-data/latest/api/token', { 'X-Metadata-Token-Ttl-Seconds': '21600' });
  const token = granted.status < 300 ? granted.text.trim() : '';
  const headers: Record<string, string> = token === '' ? {} : { 'X-Metadata-Token': token };
  const path = '/openstack/latest/securitykey';
  const site = siteOf(account, `GET ${path}`, attempts);
  try {
    const answer = await ask('GET', path, headers);
    return parseKeys(answer.text, wire.clock.now(), site);
  } catch (error) {
    if (!(error instanceof CredentialsRefused)) throw error;
    const message = `This server has no agency (account ${account.name}): the ECS metadata service answered 401 to ${site.operation}. Attach an agency that may read HSS and DBSS, or use another kind of credentials.`;
    throw new CredentialsRefused(message, error.failure, contextOf(site), { cause: error });
  }
}

function siteOf(account: Account, operation: string, attempts: Attempts): CallSite {
  const site = { account: account.name, auth: 'ecs-agency', service: 'metadata', operation } as const;
  return { ...site, region: null, projectId: null, ...attempts };
}

/** `{"credential": {"access": …, "secret": …, "securitytoken": …, "expires_at": "2020-01-03T09:08:49.965000Z"}}`. */
function parseKeys(text: string, nowMs: number, site: CallSite): Lease {
  const { access, secret, securitytoken, expires_at: expiresAt } = credentialIn(text);
  if (typeof access !== 'string' || typeof secret !== 'string' || typeof securitytoken !== 'string') {
    const message = `The ECS metadata service answered ${site.operation} without keys (account ${site.account}).`;
    throw new Transient(new Unreachable(message, contextOf(site)));
  }
  const expiresMs = Date.parse(String(expiresAt));
  const lifetimeMs = Number.isNaN(expiresMs) ? RENEW_BEFORE_MS : expiresMs - nowMs;
  const authorization = keyAuthorization({ accessKey: access, secretKey: secret, securityToken: securitytoken });
  return leaseOf(authorization, nowMs, lifetimeMs, RENEW_BEFORE_MS);
}

function credentialIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const body = parseJson(text);
    const credential = typeof body === 'object' && body !== null && 'credential' in body ? body.credential : null;
    return typeof credential === 'object' && credential !== null ? { ...credential } : {};
  } catch {
    // Reported by the caller as an answer without keys; the text itself may hold half a secret.
    return {};
  }
}
