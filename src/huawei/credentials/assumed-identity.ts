import type { Account, AssumedAgency, Auth } from '../../core/account.ts';
import { CredentialsRefused } from '../../core/errors.ts';
import { toJson } from '../../core/stream/json.ts';
import type { CallSite } from '../requests/classify.ts';
import { endpointOf, isNearby } from '../transport/endpoints.ts';
import { exchange, type HttpContext, type Limits, within } from '../transport/exchange.ts';
import {
  type Attempts,
  type Authorization,
  type Credentials,
  fingerprintOf,
  readSecret,
  type Target,
} from './authorization.ts';
import { type Lease, leaseIn, temporaryKeys } from './temporary-keys.ts';

const TIMEOUT_MS = 10_000;
const AGENCY_PATH = '/v3.0/OS-CREDENTIAL/securitytokens';

interface Parts {
  readonly account: Account;
  readonly auth: AssumedAgency;
  readonly http: HttpContext;
  /** The credentials of the central account that the agency trusts. */
  readonly source: Credentials;
}

/**
 * Temporary keys of an agency in another account: `POST {iam}/v3.0/OS-CREDENTIAL/securitytokens` with `assume_role`,
 * signed with the credentials of the account it trusts ("Obtaining a Temporary Access Key and Security Token Through an
 * Agency", api-iam). One central account can thus read many tenants.
 */
export function assumedCredentials({ account, auth, http, source }: Parts): Credentials {
  return temporaryKeys(http.clock, async () => {
    const loaded = await source.load();
    return {
      fingerprint: fingerprintOf(['assume-agency', loaded.fingerprint, auth.agency, toJson(auth.domain)]),
      async send({ region }, limits, attempts) {
        const context: AssumeContext = { account, auth, http, attempts, region };
        const global: Target = { region, projectId: null };
        const first = await loaded.authorize(global, limits, attempts);
        try {
          return await assume(context, first, limits);
        } catch (error) {
          const isOutlived = error instanceof CredentialsRefused && error.failure.status === 401;
          if (!isOutlived || !source.renew(first)) throw error;
          const fresh = await source.load();
          return await assume(context, await fresh.authorize(global, limits, attempts), limits);
        }
      },
    };
  });
}

interface AssumeContext extends Omit<Parts, 'source'> {
  readonly attempts: Attempts;
  readonly region: string | null;
}

async function assume(context: AssumeContext, authorization: Authorization, limits: Limits): Promise<Lease> {
  const { account, auth, http, attempts, region } = context;
  const base = endpointOf('iam', region, account.endpoints);
  const { host, pathname } = new URL(base);
  const domain = 'id' in auth.domain ? { domain_id: auth.domain.id } : { domain_name: auth.domain.name };
  const duration_seconds = Math.floor(auth.durationMs / 1_000);
  const assume_role = { agency_name: auth.agency, ...domain, duration_seconds };
  const body = toJson({ auth: { identity: { methods: ['assume_role'], assume_role } } });
  const headers = { 'Content-Type': 'application/json' };
  const path = `${pathname === '/' ? '' : pathname}${AGENCY_PATH}`;
  const added = authorization.headers({ method: 'POST', host, path, query: {}, headers, body }, http.clock.now());
  const whose = 'id' in auth.domain ? auth.domain.id : auth.domain.name;
  const site: CallSite = {
    account: account.name,
    auth: auth.source.kind,
    service: 'iam',
    operation: `POST ${AGENCY_PATH}`,
    region,
    projectId: null,
    ...attempts,
    signIn:
      `Check that account ${whose} has an agency ${auth.agency} that trusts the account of the source credentials, ` +
      'and that their user may assume it (Agent Operator). Not retried: five failures in a row lock a key for 5 minutes.',
  };
  const answer = await exchange(http, within(limits, TIMEOUT_MS), {
    request: {
      method: 'POST',
      base,
      path: AGENCY_PATH,
      headers: { Accept: 'application/json', ...headers, ...added },
      body,
    },
    site,
    secrets: authorization.secrets,
  });
  return leaseIn(answer, http.clock.now(), site);
}

const STS_TIMEOUT_MS = 10_000;
const OIDC_PATH = '/v5/agencies/assume-with-oidc';

/**
 * Temporary keys for the id token of an OpenID Connect provider: `POST {sts}/v5/agencies/assume-with-oidc`, unsigned
 * (huaweicloud-sdk-python-v3, `huaweicloudsdksts` and `OidcStsAccessor` of its core). An id token is valid for minutes
 * to hours, so every request reads it again.
 */
export function oidcCredentials(
  account: Account,
  auth: Extract<Auth, { kind: 'oidc' }>,
  http: HttpContext,
): Credentials {
  return temporaryKeys(http.clock, async () => {
    const idToken = await readSecret(auth.idToken, 'id token', account.name);
    const { providerUrn, agencyUrn, sessionName, durationMs } = auth;
    const endpoint = account.endpoints.sts ?? 'public';
    return {
      fingerprint: fingerprintOf(['oidc', endpoint, providerUrn, agencyUrn, idToken]),
      async send({ region }, limits, attempts) {
        const site: CallSite = {
          account: account.name,
          auth: auth.kind,
          service: 'sts',
          operation: `POST ${OIDC_PATH}`,
          region,
          projectId: null,
          ...attempts,
          signIn:
            'Check the URNs of the provider and of the trust agency, that the agency trusts this provider and subject, ' +
            'and that the id token is renewed before it expires.',
        };
        const answer = await exchange(http, within(limits, STS_TIMEOUT_MS), {
          request: {
            method: 'POST',
            base: endpointOf('sts', region, account.endpoints),
            path: OIDC_PATH,
            headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
            body: toJson({
              provider_urn: providerUrn,
              agency_urn: agencyUrn,
              agency_session_name: sessionName,
              id_token: idToken,
              duration_seconds: Math.floor(durationMs / 1_000),
            }),
          },
          site,
          secrets: [idToken],
        });
        return leaseIn(answer, http.clock.now(), site);
      },
    };
  });
}

/** The agent runs on the same node; the official SDKs use the same timeout. */
const AGENT_TIMEOUT_MS = 5_000;

/**
 * Temporary keys from the pod identity agent of a CCE node (huaweicloud-sdk-python-v3, `PodIdentityAccessor`): POST
 * `{}` to a URI that CCE sets in the pod's environment, with the content of a token file as `Authorization`. The
 * kubelet renews the file, so every request reads it again.
 */
export function podCredentials(
  account: Account,
  auth: Extract<Auth, { kind: 'pod-identity' }>,
  http: HttpContext,
): Credentials {
  const { origin, pathname, search } = new URL(auth.uri);
  return temporaryKeys(http.clock, async () => {
    const token = await readSecret(auth.token, 'token', account.name);
    return {
      fingerprint: fingerprintOf(['pod-identity', auth.uri, token]),
      async send(_target, limits, attempts) {
        const site: CallSite = {
          account: account.name,
          auth: auth.kind,
          service: 'pod-identity',
          operation: `POST ${pathname}`,
          region: null,
          projectId: null,
          ...attempts,
          signIn:
            'Check that the service account of this pod is associated with an agency, and that its token is mounted.',
        };
        const answer = await exchange(http, within(limits, AGENT_TIMEOUT_MS), {
          request: {
            method: 'POST',
            base: origin,
            path: `${pathname}${search}`,
            headers: { Authorization: token, 'Content-Type': 'application/json', Accept: 'application/json' },
            body: '{}',
            direct: isNearby(auth.uri),
          },
          site,
          secrets: [token],
        });
        return leaseIn(answer, http.clock.now(), site);
      },
    };
  });
}
