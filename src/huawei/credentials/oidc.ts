import type { Account, Auth } from '../../core/account.ts';
import { toJson } from '../../core/stream/json.ts';
import type { CallSite } from '../requests/classify.ts';
import { endpointOf } from '../transport/endpoints.ts';
import { exchange, type Wire, within } from '../transport/exchange.ts';
import type { Credentials } from './authorization.ts';
import { fingerprintOf, readSecret } from './secrets.ts';
import { leaseIn, temporaryKeys } from './temporary-keys.ts';

const TIMEOUT_MS = 10_000;
const PATH = '/v5/agencies/assume-with-oidc';

/**
 * Temporary keys for the id token of an OpenID Connect provider: `POST {sts}/v5/agencies/assume-with-oidc`, not signed
 * (huaweicloud-sdk-python-v3, `huaweicloudsdksts` and `OidcStsAccessor` of its core). An id token lives minutes to hours,
 * so it is read again for every request.
 */
export function oidcCredentials(account: Account, auth: Extract<Auth, { kind: 'oidc' }>, wire: Wire): Credentials {
  return temporaryKeys(wire.clock, async () => {
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
          operation: `POST ${PATH}`,
          region,
          projectId: null,
          ...attempts,
          signIn:
            'Check the URNs of the provider and of the trust agency, that the agency trusts this provider and subject, ' +
            'and that the id token is renewed before it ends.',
        };
        const answer = await exchange(wire, within(limits, TIMEOUT_MS), {
          request: {
            method: 'POST',
            base: endpointOf('sts', region, account.endpoints),
            path: PATH,
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
        return leaseIn(answer, wire.clock.now(), site);
      },
    };
  });
}
