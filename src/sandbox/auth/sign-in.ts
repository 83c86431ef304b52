import type { Call } from '../server/call.ts';
import { dig } from '../server/parameters.ts';
import { gatewayError, iamError, type Reply } from '../server/replies.ts';
import type { KeyState } from './credentials.ts';

const endOf = ({ expiresAt }: KeyState): string => new Date(expiresAt).toISOString().replace('Z', '000Z');

/** Issues keys of the agency associated with the pod's service account, in exchange for the pod's token. */
export function createPodCredentials({ settings, credentials, headers, body }: Call): Reply {
  if (body === undefined) return { status: 400, body: '{"message":"the body is not JSON"}' };
  if (!settings.podTokens.includes(headers.get('authorization') ?? '')) {
    return { status: 401, body: '{"message":"the token of the pod is not valid"}' };
  }
  const issued = credentials.issueTemporaryKey({ user: 'pod-identity', projects: undefined });
  const { accessKey: accessKeyId, secretKey: secretAccessKey, securityToken } = issued.key;
  const content = { accessKeyId, secretAccessKey, securityToken, expiration: endOf(issued) };
  return { status: 200, body: JSON.stringify(content) };
}

/** STS: issues keys of a trust agency for an id token of a provider. */
export function assumeWithOidc({ settings, credentials, body, requestId }: Call): Reply {
  const seconds = dig(body, 'duration_seconds') ?? 3_600;
  if (typeof seconds !== 'number' || !(seconds >= 900 && seconds <= 43_200)) {
    return gatewayError(requestId, {
      status: 400,
      code: 'STS.0001',
      message: 'duration_seconds must be from 900 to 43200.',
    });
  }
  const trust = settings.oidcTrusts.find(
    ({ providerUrn, agencyUrn }) => providerUrn === dig(body, 'provider_urn') && agencyUrn === dig(body, 'agency_urn'),
  );
  if (trust === undefined)
    return gatewayError(requestId, {
      status: 403,
      code: 'STS.0003',
      message: 'The agency does not trust the provider.',
    });
  const idToken = dig(body, 'id_token');
  if (typeof idToken !== 'string' || !trust.idTokens.includes(idToken)) {
    return gatewayError(requestId, { status: 400, code: 'IAM.0001', message: 'Invalid id_token' });
  }
  const caller = { user: trust.agencyUrn, projects: trust.projects };
  const issued = credentials.issueTemporaryKey(caller, seconds * 1_000);
  const content = {
    assumed_agency: { urn: trust.agencyUrn, id: String(dig(body, 'agency_session_name')) },
    credentials: {
      access_key_id: issued.key.accessKey,
      secret_access_key: issued.key.secretKey,
      security_token: issued.key.securityToken,
      expiration: endOf(issued),
    },
    provider: trust.providerUrn,
  };
  return { status: 200, body: JSON.stringify(content) };
}

/** IAM: issues keys of an agency in another account to a user that it trusts. */
export function assumeAgency({ settings, credentials, body, caller }: Call): Reply {
  const identity = dig(body, 'auth', 'identity');
  const wanted = dig(identity, 'assume_role');
  const methods = dig(identity, 'methods');
  if (!Array.isArray(methods) || !methods.includes('assume_role')) {
    return iamError(400, 'Bad Request', 'Expecting to find assume_role in methods.');
  }
  const seconds = dig(wanted, 'duration_seconds') ?? 900;
  if (typeof seconds !== 'number' || !(seconds >= 900 && seconds <= 86_400)) {
    return iamError(400, 'Bad Request', 'duration_seconds must be from 900 to 86400.');
  }
  const agency = settings.agencies.find(
    ({ name, domain }) =>
      name === dig(wanted, 'agency_name') &&
      (domain.name === dig(wanted, 'domain_name') || domain.id === dig(wanted, 'domain_id')),
  );
  if (agency === undefined) return iamError(404, 'Not Found', 'Could not find the agency.');
  if (!agency.trusts.includes(caller?.user ?? '')) {
    return iamError(403, 'Forbidden', 'You are not authorized to perform the requested action.');
  }
  const user = `${agency.domain.name}/${agency.name}`;
  const issued = credentials.issueTemporaryKey({ user, projects: agency.projects }, seconds * 1_000);
  const { accessKey: access, secretKey: secret, securityToken: securitytoken } = issued.key;
  const credential = { access, secret, securitytoken, expires_at: endOf(issued) };
  return { status: 201, body: JSON.stringify({ credential }) };
}

/** STS: identifies the caller; needs no permission. */
export function showCallerIdentity({ settings, caller }: Call): Reply {
  const account_id = settings.domain.id;
  const user = caller?.user ?? '';
  const content = { account_id, principal_urn: `iam::${account_id}:user:${user}`, principal_id: user };
  return { status: 200, body: JSON.stringify(content) };
}
