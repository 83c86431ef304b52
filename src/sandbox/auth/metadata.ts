import { hexOf, seedOf } from '../estate/random.ts';
import type { Call } from '../server/call.ts';
import type { Reply } from '../server/replies.ts';

/**
 * A session token of the metadata service. It contains its expiry in plain text, since the sandbox keeps no secrets.
 */
function sessionToken(seed: number | string, expiresAt: number): string {
  return `${hexOf(seedOf(`${seed} metadata`), 1, 40)}-${expiresAt}`;
}

function isSessionToken(text: string | undefined, { seed, now }: Call['settings']): boolean {
  const expiresAt = Number(text?.split('-')[1]);
  return text === sessionToken(seed, expiresAt) && now() < expiresAt;
}

const missing: Reply = { status: 404, body: '{"code":"404","message":"Not Found"}' };

/** Starts a session with the metadata service of a host. Older hosts do not have this call. */
export function createMetadataToken({ settings, headers }: Call): Reply {
  if (settings.metadata === 'off') return missing;
  if (settings.metadata === 'v1') return { status: 405, body: '' };
  const lifetime = Number(headers.get('x-metadata-token-ttl-seconds'));
  if (!(lifetime >= 1 && lifetime <= 21_600)) return { status: 400, body: 'Bad Request' };
  return {
    status: 200,
    body: sessionToken(settings.seed, settings.now() + lifetime * 1_000),
    headers: { 'Content-Type': 'text/plain' },
  };
}

/** Issues the temporary key pair of the agency attached to the host. */
export function showSecurityKey({ settings, credentials, headers }: Call): Reply {
  if (settings.metadata === 'off') return missing;
  if (settings.metadata === 'no-agency') return { status: 401, body: 'Please configure Cloud Service Agency first' };
  if (settings.metadata === 'v2' && !isSessionToken(headers.get('x-metadata-token'), settings)) {
    return { status: 401, body: '{"code":"401","message":"invalid metadata token"}' };
  }
  const { key, expiresAt } = credentials.issueTemporaryKey({ user: 'ecs-agency', projects: undefined });
  const credential = {
    access: key.accessKey,
    secret: key.secretKey,
    securitytoken: key.securityToken,
    expires_at: new Date(expiresAt).toISOString().replace('Z', '000Z'),
  };
  return { status: 200, body: JSON.stringify({ credential }) };
}
