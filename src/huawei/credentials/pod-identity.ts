import type { Account, Auth } from '../../core/account.ts';
import type { CallSite } from '../requests/classify.ts';
import { exchange, type Wire, within } from '../transport/exchange.ts';
import type { Credentials } from './authorization.ts';
import { fingerprintOf, readSecret } from './secrets.ts';
import { leaseIn, temporaryKeys } from './temporary-keys.ts';

/** The agent runs on the node; the official SDKs wait as long. */
const TIMEOUT_MS = 5_000;

/**
 * Temporary keys from the pod identity agent of a CCE node (huaweicloud-sdk-python-v3, `PodIdentityAccessor`): POST `{}`
 * to a URI that CCE puts into the pod's environment, with the content of a token file as `Authorization`. The kubelet
 * renews the file, so it is read again for every request.
 */
export function podCredentials(
  account: Account,
  auth: Extract<Auth, { kind: 'pod-identity' }>,
  wire: Wire,
): Credentials {
  const { origin, pathname, search } = new URL(auth.uri);
  return temporaryKeys(wire.clock, async () => {
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
        const answer = await exchange(wire, within(limits, TIMEOUT_MS), {
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
        return leaseIn(answer, wire.clock.now(), site);
      },
    };
  });
}

/** Why a URI may not be given the token of the pod; null for https anywhere, and for http that does not leave the node. */
export function podUriProblem(uri: string): string | null {
  const url = URL.parse(uri);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'must be an http(s) URL';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  return url.protocol === 'https:' || isNearby(uri)
    ? null
    : 'must be https, or the host a loopback or link-local address: the token of the pod would be sent in the clear';
}

/** Loopback (127.0.0.0/8, ::1) or link-local (169.254.0.0/16, fe80::/10); URL writes every address in its one short form. */
function isNearby(uri: string): boolean {
  const { hostname } = new URL(uri);
  return hostname === 'localhost' || /^(127|169\.254)(\.\d+){2,3}$|^\[(::1|fe[89ab][0-9a-f]:.*)\]$/.test(hostname);
}
