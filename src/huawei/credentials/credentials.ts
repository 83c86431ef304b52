import type { Account, Auth } from '../../core/account.ts';
import { CredentialsRefused, Unreachable } from '../../core/errors.ts';
import { failureOf } from '../requests/api-failure.ts';
import { type CallSite, contextOf, RetryableError } from '../requests/classify.ts';
import { metadataEndpoint } from '../transport/endpoints.ts';
import { exchange, type HttpContext, type Limits, within } from '../transport/exchange.ts';
import type { HttpAnswer } from '../transport/http.ts';
import { assumedCredentials, oidcCredentials, podCredentials } from './assumed-identity.ts';
import {
  type Attempts,
  type Authorization,
  type Credentials,
  fingerprintOf,
  keyAuthorization,
  type LoadedCredentials,
  readSecret,
  tokenAuthorization,
} from './authorization.ts';
import { passwordCredentials } from './iam-token.ts';
import { type Lease, leaseIn, temporaryKeys } from './temporary-keys.ts';

/** The credentials of an account, of any kind. Sends no request before they are first used. */
export function createCredentials(account: Account, http: HttpContext): Credentials {
  const { auth } = account;
  switch (auth.kind) {
    case 'aksk':
      return keyCredentials(account.name, auth);
    case 'token':
      return tokenCredentials(account.name, auth);
    case 'password':
      return passwordCredentials(account, auth, http);
    case 'ecs-agency':
      return agencyCredentials(account, http);
    case 'pod-identity':
      return podCredentials(account, auth, http);
    case 'oidc':
      return oidcCredentials(account, auth, http);
    case 'assume-agency':
      return assumedCredentials({
        account,
        auth,
        http,
        source: createCredentials({ ...account, auth: auth.source }, http),
      });
  }
}

/** Credentials that are available without a request. */
function withoutRequest(authorization: Authorization): LoadedCredentials {
  return {
    fingerprint: authorization.fingerprint,
    ready: () => true,
    authorize: () => Promise.resolve(authorization),
  };
}

function keyCredentials(account: string, auth: Extract<Auth, { kind: 'aksk' }>): Credentials {
  return {
    async load() {
      const accessKey = await readSecret(auth.accessKey, 'access key', account);
      const secretKey = await readSecret(auth.secretKey, 'secret key', account);
      const token = auth.securityToken;
      const securityToken = token === undefined ? null : await readSecret(token, 'security token', account);
      return withoutRequest(keyAuthorization({ accessKey, secretKey, securityToken }));
    },
    renew: () => false,
  };
}

function tokenCredentials(account: string, auth: Extract<Auth, { kind: 'token' }>): Credentials {
  return {
    async load() {
      const token = await readSecret(auth.token, 'token', account);
      return withoutRequest(tokenAuthorization(token, fingerprintOf([token]), []));
    },
    renew: () => false,
  };
}

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
export function agencyCredentials(account: Account, http: HttpContext): Credentials {
  const fingerprint = fingerprintOf(['ecs-agency', metadataEndpoint(account.endpoints)]);
  return temporaryKeys(http.clock, () =>
    Promise.resolve({
      fingerprint,
      send: (_target, limits, attempts) => fetchKeys({ account, http, attempts, limits }),
    }),
  );
}

interface MetadataContext {
  readonly account: Account;
  readonly http: HttpContext;
  readonly attempts: Attempts;
  readonly limits: Limits;
}

async function fetchKeys(context: MetadataContext): Promise<Lease> {
  const site = siteOf(context, `GET ${KEY_PATH}`);
  const first = await requestKeys(context, await requestToken(context));
  if (!isAboutToken(first)) return keysOf(context, first, site);
  const token = await requestToken(context);
  const second = token === null ? first : await requestKeys(context, token);
  if (!isAboutToken(second)) return keysOf(context, second, site);
  const why = token === null ? 'requires a token but issues none' : 'refuses the token that it has just issued';
  const message = `The ECS metadata service ${why} (${site.operation}, account ${site.account}).`;
  throw new RetryableError(new Unreachable(message, contextOf(site)));
}

function isAboutToken({ status, text }: HttpAnswer): boolean {
  return status === 401 && !text.includes(NO_AGENCY);
}

function keysOf({ http }: MetadataContext, answer: HttpAnswer, site: CallSite): Lease {
  if (answer.status !== 401) return leaseIn(answer, http.clock.now(), site);
  const message = `This server has no agency (account ${site.account}): the ECS metadata service answered 401 to ${site.operation}. Attach an agency that may read HSS and DBSS, or use another kind of credentials.`;
  throw new CredentialsRefused(message, failureOf(answer), contextOf(site));
}

/** Null on a host without token support. */
async function requestToken(context: MetadataContext): Promise<string | null> {
  const headers = { 'X-Metadata-Token-Ttl-Seconds': '21600' };
  const { status, text } = await send(context, { method: 'PUT', path: TOKEN_PATH, headers }, WITHOUT_TOKEN);
  return status < 300 && text.trim() !== '' ? text.trim() : null;
}

function requestKeys(context: MetadataContext, token: string | null): Promise<HttpAnswer> {
  const headers: Record<string, string> = token === null ? {} : { 'X-Metadata-Token': token };
  return send(context, { method: 'GET', path: KEY_PATH, headers }, [401]);
}

interface MetadataRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function send(
  context: MetadataContext,
  request: MetadataRequest,
  passThrough: readonly number[],
): Promise<HttpAnswer> {
  const { account, http, limits } = context;
  return await exchange(http, within(limits, TIMEOUT_MS), {
    request: { ...request, base: metadataEndpoint(account.endpoints), direct: true },
    site: siteOf(context, `${request.method} ${request.path}`),
    secrets: Object.values(request.headers),
    passThrough,
  });
}

function siteOf({ account, attempts }: MetadataContext, operation: string): CallSite {
  const site = { account: account.name, auth: 'ecs-agency', service: 'metadata', operation } as const;
  const signIn = 'Check that this is an ECS with an attached agency.';
  return { ...site, region: null, projectId: null, ...attempts, signIn };
}
