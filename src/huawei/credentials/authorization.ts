import type { Limits } from '../transport/exchange.ts';
import { authorizationHeader, type Query, sdkDate } from '../transport/signer.ts';
import { fingerprintOf } from './secrets.ts';

/** What a request is for: tokens are issued for one project, or for the whole domain (global services such as EPS). */
export interface Target {
  readonly region: string | null;
  /** Null: the domain. */
  readonly projectId: string | null;
  /** Sent as X-Domain-Id, which global services want with a signature instead of X-Project-Id. */
  readonly domainId?: string;
}

/** A request before it is authorized; everything in `headers` takes part in a signature. */
interface Unauthorized {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: Query;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Credentials ready for one request. */
export interface Authorization {
  /** Of exactly what will be sent, so that a refusal is remembered for the right credentials. */
  readonly fingerprint: string;
  /** What must not appear in a message. */
  readonly secrets: readonly string[];
  /** The headers to add. Called right before sending: a signature carries the time. */
  headers(request: Unauthorized, nowMs: number): Record<string, string>;
}

/** An account's credentials as they are at this moment. */
export interface LoadedCredentials {
  readonly fingerprint: string;
  /** Whether `authorize` would answer without a request of its own. */
  ready(target: Target): boolean;
  /** Throws `Transient` or a `SyncError` when a token or temporary key had to be fetched and could not. */
  authorize(target: Target, limits: Limits, attempts: Attempts): Promise<Authorization>;
}

/** How often this page was tried; part of every message. */
export interface Attempts {
  readonly attempts: number;
  readonly throttled: number;
}

export interface Credentials {
  /** Reads the secrets again, so that rotated ones are used from the next request on. Sends nothing. */
  load(): Promise<LoadedCredentials>;
  /** After a 401: whether something newer than `used` can be had. Drops what was fetched and is refused. */
  renew(used: Authorization): boolean;
}

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Belongs to temporary keys. */
  readonly securityToken: string | null;
}

/** Signs with an access key and, for temporary ones, sends the security token along (signed, as the SDKs do). */
export function keyAuthorization(keys: Keys): Authorization {
  const { accessKey, secretKey, securityToken } = keys;
  const parts = [accessKey, secretKey, ...(securityToken === null ? [] : [securityToken])];
  return {
    fingerprint: fingerprintOf(parts),
    secrets: parts,
    headers({ host, headers, ...request }, nowMs) {
      const added: Record<string, string> = { 'X-Sdk-Date': sdkDate(nowMs) };
      if (securityToken !== null) added['X-Security-Token'] = securityToken;
      const signed = { ...request, headers: { ...headers, ...added, Host: host } };
      return { ...added, Authorization: authorizationHeader(signed, keys) };
    },
  };
}

/** `secrets` are further strings to keep out of messages. */
export function tokenAuthorization(token: string, fingerprint: string, secrets: readonly string[]): Authorization {
  return { fingerprint, secrets: [token, ...secrets], headers: () => ({ 'X-Auth-Token': token }) };
}
