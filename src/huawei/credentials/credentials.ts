import type { Account, Auth } from '../../core/account.ts';
import type { Wire } from '../transport/exchange.ts';
import { assumedCredentials, oidcCredentials, podCredentials } from './assumed-identity.ts';
import {
  type Authorization,
  type Credentials,
  fingerprintOf,
  keyAuthorization,
  type LoadedCredentials,
  readSecret,
  tokenAuthorization,
} from './authorization.ts';
import { agencyCredentials } from './ecs-agency.ts';
import { passwordCredentials } from './iam-token.ts';

/** The credentials of an account, of any kind. Sends no request before they are first used. */
export function createCredentials(account: Account, wire: Wire): Credentials {
  const { auth } = account;
  switch (auth.kind) {
    case 'aksk':
      return keyCredentials(account.name, auth);
    case 'token':
      return tokenCredentials(account.name, auth);
    case 'password':
      return passwordCredentials(account, auth, wire);
    case 'ecs-agency':
      return agencyCredentials(account, wire);
    case 'pod-identity':
      return podCredentials(account, auth, wire);
    case 'oidc':
      return oidcCredentials(account, auth, wire);
    case 'assume-agency':
      return assumedCredentials({
        account,
        auth,
        wire,
        source: createCredentials({ ...account, auth: auth.source }, wire),
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
