import type { SandboxSettings } from '../server/options.ts';
import { gatewayError, Refusal } from '../server/replies.ts';
import type { Caller, Credentials, KeyState } from './credentials.ts';
import {
  type ParsedSignature,
  parseAuthorization,
  parseSdkDate,
  signatureFits,
  type WireRequest,
} from './signature.ts';

/** The inputs of a credentials check. */
export interface AuthContext {
  readonly settings: SandboxSettings;
  readonly credentials: Credentials;
  readonly requestId: string;
}

/** Identifies the caller of a request, or refuses it like the gateway. */
export function authenticate(request: WireRequest, context: AuthContext): Caller {
  const authorization = request.headers.get('authorization');
  if (authorization !== undefined) {
    const parsed = parseAuthorization(authorization);
    if (parsed === undefined) refuse(context, 'authorization header format is incorrect');
    return bySignature(request, parsed, context);
  }
  const token = request.headers.get('x-auth-token');
  if (token === undefined || token === '') refuse(context, 'x-auth-token not found');
  return byToken(token, context);
}

function byToken(text: string, context: AuthContext): Caller {
  const token = context.credentials.token(text);
  if (token === undefined) refuse(context, 'decrypt token fail');
  if (token.expiresAt <= context.settings.now()) throw new Refusal(expiredToken(context.requestId));
  return token;
}

/** The response to an expired token. */
export function expiredToken(requestId: string): ReturnType<typeof gatewayError> {
  return gatewayError(requestId, { status: 401, code: 'APIGW.0307', message: 'The token must be updated.' });
}

function bySignature(request: WireRequest, parsed: ParsedSignature, context: AuthContext): Caller {
  const { settings, credentials } = context;
  const state = credentials.key(parsed.accessKey);
  if (state === undefined) {
    refuse(context, `verify aksk signature fail, Get secretKey failed,ak:${parsed.accessKey},err:ak not exist`);
  }
  // A locked key is refused even with a correct signature.
  if (settings.now() < state.lockedUntil) {
    refuse(context, 'verify aksk signature fail, forbidden: AK access failed to reach the limit');
  }
  const problem = findProblem(request, parsed, { state, settings });
  if (problem !== undefined) {
    state.failures += 1;
    if (state.failures >= settings.lockoutAfter) {
      state.failures = 0;
      state.lockedUntil = settings.now() + settings.lockoutMs;
    }
    refuse(context, problem);
  }
  state.failures = 0;
  return { user: state.key.user, projects: state.key.projects };
}

interface KeyContext {
  readonly state: KeyState;
  readonly settings: SandboxSettings;
}

function findProblem(
  request: WireRequest,
  parsed: ParsedSignature,
  { state, settings }: KeyContext,
): string | undefined {
  const { key } = state;
  const date = parseSdkDate(request.headers.get('x-sdk-date') ?? '');
  if (Number.isNaN(date)) return 'verify aksk signature fail, x-sdk-date is missing or malformed';
  if (Math.abs(settings.now() - date) > settings.clockSkewMs) {
    return 'verify aksk signature fail, signature expired: x-sdk-date is out of range';
  }
  if (!signatureFits(request, parsed, key.secretKey)) return 'verify aksk signature fail, signature not match';
  // The token must be present but need not be signed: some clients add it after signing.
  if (key.securityToken !== undefined && request.headers.get('x-security-token') !== key.securityToken) {
    return 'verify aksk signature fail, x-security-token is missing or incorrect';
  }
  return state.expiresAt <= settings.now() ? 'verify aksk signature fail, security token expired' : undefined;
}

function refuse({ requestId }: AuthContext, reason: string): never {
  const message = `Incorrect IAM authentication information: ${reason}`;
  throw new Refusal(gatewayError(requestId, { status: 401, code: 'APIGW.0301', message }));
}
