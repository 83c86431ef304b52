import type { Account } from '../../core/account.ts';
import { CredentialsRefused, Unreachable } from '../../core/errors.ts';
import { failureOf } from '../requests/api-failure.ts';
import { type CallSite, contextOf, RetryableError } from '../requests/classify.ts';
import { metadataEndpoint } from '../transport/endpoints.ts';
import { exchange, type Limits, type Wire, within } from '../transport/exchange.ts';
import type { HttpAnswer } from '../transport/http.ts';
import { type Attempts, type Credentials, fingerprintOf } from './authorization.ts';
import { type Lease, leaseIn, temporaryKeys } from './temporary-keys.ts';

/**
 * The service runs on the host. If it does not answer within this time, it does not exist; the official SDKs use the
 * same timeout.
 */
const TIMEOUT_MS = 3_000;
const WITHOUT_TOKEN: readonly number[] = [404, 405, 503];
const TOKEN_PATH = '/meta-data/latest/api/token';
const KEY_PATH = '/openstack/latest/securitykey';
/** The official SDKs recognize a missing agency by this text; any other 401 concerns the token. */
const NO_AGENCY = 'Please configure Cloud Service Agency first';

/**
 * Temporary keys of the agency attached to this ECS ("Obtaining Metadata", ECS user guide, and the official SDKs): `PUT
 * /meta-data/latest/api/token`, then `GET /openstack/latest/securitykey` with that token. Older hosts answer the PUT
 * with 404, 405 or 503 and need no token. No key is stored on disk.
 */
export function agencyCredentials(account: Account, wire: Wire): Credentials {
  const fingerprint = fingerprintOf(['ecs-agency', metadataEndpoint(account.endpoints)]);
  return temporaryKeys(wire.clock, () =>
    Promise.resolve({
      fingerprint,
      send: (_target, limits, attempts) => fetchKeys({ account, wire, attempts, limits }),
    }),
  );
}

interface Asking {
  readonly account: Account;
  readonly wire: Wire;
  readonly attempts: Attempts;
  readonly limits: Limits;
}

async function fetchKeys(asking: Asking): Promise<Lease> {
  const site = siteOf(asking, `GET ${KEY_PATH}`);
  const first = await askForKeys(asking, await askForToken(asking));
  if (!isAboutToken(first)) return keysOf(asking, first, site);
  const token = await askForToken(asking);
  const second = token === null ? first : await askForKeys(asking, token);
  if (!isAboutToken(second)) return keysOf(asking, second, site);
  const why = token === null ? 'wants a token and gives none' : 'refuses the token that it has just given';
  const message = `The ECS metadata service ${why} (${site.operation}, account ${site.account}).`;
  throw new RetryableError(new Unreachable(message, contextOf(site)));
}

function isAboutToken({ status, text }: HttpAnswer): boolean {
  return status === 401 && !text.includes(NO_AGENCY);
}

function keysOf({ wire }: Asking, answer: HttpAnswer, site: CallSite): Lease {
  if (answer.status !== 401) return leaseIn(answer, wire.clock.now(), site);
  const message = `This server has no agency (account ${site.account}): the ECS metadata service answered 401 to ${site.operation}. Attach an agency that may read HSS and DBSS, or use another kind of credentials.`;
  throw new CredentialsRefused(message, failureOf(answer), contextOf(site));
}

/** Null on a host without token support. */
async function askForToken(asking: Asking): Promise<string | null> {
  const headers = { 'X-Metadata-Token-Ttl-Seconds': '21600' };
  const { status, text } = await ask(asking, { method: 'PUT', path: TOKEN_PATH, headers }, WITHOUT_TOKEN);
  return status < 300 && text.trim() !== '' ? text.trim() : null;
}

function askForKeys(asking: Asking, token: string | null): Promise<HttpAnswer> {
  const headers: Record<string, string> = token === null ? {} : { 'X-Metadata-Token': token };
  return ask(asking, { method: 'GET', path: KEY_PATH, headers }, [401]);
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function ask(asking: Asking, request: Asked, passThrough: readonly number[]): Promise<HttpAnswer> {
  const { account, wire, limits } = asking;
  return await exchange(wire, within(limits, TIMEOUT_MS), {
    request: { ...request, base: metadataEndpoint(account.endpoints), direct: true },
    site: siteOf(asking, `${request.method} ${request.path}`),
    secrets: Object.values(request.headers),
    passThrough,
  });
}

function siteOf({ account, attempts }: Asking, operation: string): CallSite {
  const site = { account: account.name, auth: 'ecs-agency', service: 'metadata', operation } as const;
  const signIn = 'Check that this is an ECS with an agency attached to it.';
  return { ...site, region: null, projectId: null, ...attempts, signIn };
}
