import type { Auth, Service } from '../../core/account.ts';
import {
  type ApiFailure,
  ApiMissing,
  CredentialsRefused,
  NotFound,
  ParameterRefused,
  PermissionRefused,
  RequestFailed,
  type SyncError,
} from '../../core/errors.ts';
import type { Throttle } from '../../core/ports.ts';

/** Services on the local host. Their responses say nothing about the cloud, including its clock. */
export type LocalService = 'metadata' | 'pod-identity';

/** The origin of a request: everything a message names to be actionable on its own. */
export interface CallSite {
  readonly account: string;
  readonly auth: Auth['kind'];
  readonly service: Service | LocalService;
  readonly operation: string;
  readonly region: string | null;
  readonly projectId: string | null;
  /** Requests sent for this page so far, including this one, and how many of them were throttled. */
  readonly attempts: number;
  readonly throttled: number;
  /**
   * For a request for temporary keys: what to check if it is refused, since nothing of the account can be read without
   * keys.
   */
  readonly signIn?: string;
}

type Kind = 'credentials' | 'permission' | 'notFound' | 'parameter' | 'failed';

/**
 * Codes that are more specific than their status (error code pages of api-hss2.0, api-dbss and the API gateway). The
 * gateway writes `APIG.` or `APIGW.`; both are looked up as `APIG.`. The list of parameter errors (four of HSS, two of
 * DBSS) is complete: these services answer 400 to nearly everything, including their own failures.
 */
const BY_CODE: Readonly<Record<string, Kind>> = {
  'APIG.0301': 'credentials', // bad signature, unknown key, expired token, or an account in arrears
  'APIG.0303': 'credentials',
  'APIG.0305': 'credentials',
  'APIG.0307': 'credentials', // the token must be renewed
  'APIG.0311': 'credentials',
  'DBSS.10020100': 'credentials',
  'APIG.0302': 'permission',
  'APIG.0306': 'permission',
  'APIG.0310': 'permission',
  'APIG.0402': 'permission',
  'APIG.0801': 'permission',
  'APIG.0802': 'permission',
  'HSS.0010': 'permission', // "access denied", with status 400
  'HSS.0013': 'permission', // "insufficient permission", with status 400, not 403
  'APIG.0101': 'notFound', // no such API
  'HSS.0011': 'notFound', // with status 400
  'HSS.0001': 'parameter',
  'HSS.0002': 'parameter',
  'HSS.0003': 'parameter',
  'HSS.1011': 'parameter', // time format; the other HSS.1xxx are failures of the service
  'DBSS.10000001': 'parameter',
  'DBSS.10020021': 'parameter',
  'APIG.0201': 'parameter', // with a status below 500; above, the gateway got no answer from the service
};

/** Statuses that mean a bad parameter unless a code says otherwise; sent by the gateway or a proxy. */
const PARAMETER_STATUS: readonly number[] = [400, 413, 414, 422];

/**
 * Whether the same request may succeed later: 408, 429, 5xx, the gateway's throttling code with any status, and a 400
 * with which HSS or DBSS reports its own failure.
 */
export function isRetryable(failure: ApiFailure): boolean {
  const { status } = failure;
  return status === 408 || status >= 500 || isThrottle(failure) || isServiceFailure(failure);
}

function isServiceFailure(failure: ApiFailure): boolean {
  const code = codeOf(failure);
  return failure.status === 400 && isOfService(code) && BY_CODE[code] === undefined;
}

/**
 * The code in the form of the tables. HSS also writes its codes without the prefix, as eight digits: `00000010` is
 * HSS.0010 (quoted with its text "access denied" in comments of the Terraform provider).
 */
function codeOf({ code }: ApiFailure): string {
  const [, bare] = /^0000(\d{4})$/.exec(code ?? '') ?? [];
  return bare === undefined ? (code ?? '').replace(/^APIGW\./, 'APIG.') : `HSS.${bare}`;
}

/** Whether the service itself answered, rather than the gateway in front of it. */
function isOfService(code: string): boolean {
  return /^(HSS|DBSS)\.|^\d{8}$/.test(code);
}

/** The error for a response with an error status. `notes` are further facts for the message, such as clock skew. */
export function classify(failure: ApiFailure, site: CallSite, notes: readonly string[] = []): SyncError {
  // If a user gets no token, the credentials are refused, whatever the status (a locked user is 401 or 403).
  const token = site.service === 'iam' && site.operation.startsWith('POST') && failure.status === 403;
  const keys = site.signIn !== undefined && failure.status >= 400 && !isRetryable(failure);
  const kind = token || keys ? 'credentials' : kindOf(failure);
  const facts = `${headline(kind, failure, site)}: ${answerText(failure)} (${siteText(site, failure)}).`;
  const message = [facts, ...notes, ...adviceOn(kind, failure, site)].join(' ');
  const context = contextOf(site);
  switch (kind) {
    case 'credentials':
      return new CredentialsRefused(message, failure, context);
    case 'permission':
      return new PermissionRefused(message, failure, context);
    case 'notFound':
      return isOfService(codeOf(failure))
        ? new NotFound(message, failure, context)
        : new ApiMissing(message, failure, context);
    case 'parameter':
      return new ParameterRefused(message, failure, context);
    case 'failed':
      return new RequestFailed(message, failure, context);
  }
}

/** The fields of a call site for log lines and `sync.runs`. */
export function contextOf(site: CallSite): Readonly<Record<string, string | number | null>> {
  const { account, region, projectId, service, operation, attempts, throttled } = site;
  return { account, region, projectId, service, operation, attempts, throttled };
}

/** `GET /v5/{project_id}/cluster-protect/events, account prod, region cn-north-4, project 84b5…, request id 1f…`. */
export function siteText(site: CallSite, failure: { readonly requestId: string | null }): string {
  const parts = [site.operation, `account ${site.account}`];
  if (site.region !== null) parts.push(`region ${site.region}`);
  if (site.projectId !== null) parts.push(`project ${site.projectId}`);
  if (failure.requestId !== null) parts.push(`request id ${failure.requestId}`);
  return parts.join(', ');
}

const LOCAL_NAMES: ReadonlyMap<CallSite['service'], string> = new Map([
  ['metadata', 'The ECS metadata service'],
  ['pod-identity', 'The pod identity agent'],
]);

/** Whether the service runs on this host. */
export function isLocal(service: CallSite['service']): boolean {
  return LOCAL_NAMES.has(service);
}

/** The usual name of a service. */
export function serviceName(service: CallSite['service']): string {
  return LOCAL_NAMES.get(service) ?? service.toUpperCase();
}

function kindOf(failure: ApiFailure): Kind {
  const known = BY_CODE[codeOf(failure)];
  if (isRetryable(failure)) return known === 'credentials' && failure.status < 500 ? known : 'failed';
  if (known !== undefined) return known;
  if (failure.status === 401) return 'credentials';
  if (failure.status === 403) return 'permission';
  if (failure.status === 404) return 'notFound';
  return PARAMETER_STATUS.includes(failure.status) && failure.code === null ? 'parameter' : 'failed';
}

function headline(kind: Kind, failure: ApiFailure, site: CallSite): string {
  const service = serviceName(site.service);
  if (kind === 'credentials') return `${service} refused the ${site.signIn === undefined ? 'credentials' : 'sign-in'}`;
  if (kind === 'permission') return `${service} refused permission`;
  if (kind === 'notFound') return `${service} did not find the resource`;
  if (kind === 'parameter') return `${service} refused a parameter`;
  return isThrottle(failure) ? `${service} throttled the request` : `${service} failed`;
}

function answerText(failure: ApiFailure): string {
  const code = failure.code === null ? '' : ` ${failure.code}`;
  return `${failure.status}${code}${failure.apiMessage === null ? '' : ` "${failure.apiMessage}"`}`;
}

const CREDENTIAL_ADVICE: Readonly<Record<Auth['kind'], string>> = {
  aksk: 'Check the access key and the secret key (and the security token, if one is set).',
  password: 'Check the user, password and domain, and that the user has programmatic access.',
  token: 'Provide a new token: tokens are valid for at most 24 hours.',
  'ecs-agency': 'Check the agency of this server.',
  'pod-identity': 'Check the agency that is associated with the service account of this pod.',
  oidc: 'Check the trust agency.',
  'assume-agency': 'Check the agency and the account it belongs to.',
};

function adviceOn(kind: Kind, failure: ApiFailure, site: CallSite): string[] {
  switch (kind) {
    case 'credentials':
      if (site.signIn !== undefined) return [site.signIn];
      return [
        CREDENTIAL_ADVICE[site.auth],
        ...(codeOf(failure) === 'APIG.0301'
          ? ['The gateway responds in the same way if the account is frozen or in arrears.']
          : []),
        'Not retried: five failures in a row lock a key for 5 minutes.',
      ];
    case 'permission':
      return [
        `Give the IAM user a role that may read ${serviceName(site.service)} in this project.`,
        ...(site.service === 'hss'
          ? [
              'A user with rights on some enterprise projects only may be refused all_granted_eps: ' +
                'name one in `enterpriseProjectId`.',
            ]
          : []),
        ...(failure.encodedAuthorizationMessage === undefined
          ? []
          : ['IAM can decode the authorization message in the log.']),
        // The API gives the same answer for a mistyped project id, one of another region, and one without permission.
        ...(site.projectId === null ? [] : ['Or the project id is wrong: `check --discover` lists the projects.']),
      ];
    case 'notFound':
      return [`Check that ${serviceName(site.service)} is offered in this region and the resource still exists.`];
    case 'parameter':
      return [];
    case 'failed':
      return failedAdvice(failure, site);
  }
}

function failedAdvice(failure: ApiFailure, site: CallSite): string[] {
  if (isThrottle(failure)) {
    return [
      `Throttled in ${site.throttled} of ${site.attempts} attempts: another program may use this user or address; else lower the account's requestsPerMinute.`,
    ];
  }
  if (failure.status >= 300 && failure.status < 400) {
    return ['Redirects are not followed: check the endpoint and any proxy.'];
  }
  return isRetryable(failure) ? [`Tried ${times(site.attempts)}; the next scheduled run tries again.`] : [];
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/*
 * The whole message, as the gateway sends it with APIG.0308 or APIGW.0308:
 *   The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute
 * `ip` and `api` are seen in the place of `user`, and `5 second` in the place of `1 minute`; the end may be missing.
 */
const POLICY = /policy\s+(\w+)\s+over\s+ratelimit/i;
const LIMIT = /\blimit:\s*(\d{1,9})\b/i;
const WINDOW = /\btime:\s*(\d{1,6})\s*(second|minute|hour|day)/i;

const UNIT_MS: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** Whether the quota refused the request: status 429, or the gateway's throttling code with any status. */
export function isThrottle(failure: ApiFailure): boolean {
  return failure.status === 429 || /^APIGW?\.0308$/.test(failure.code ?? '');
}

/** What a throttled response says about the limit; null for each part it does not state. */
export function throttleOf(failure: ApiFailure, retryAfterMs: number | null): Throttle {
  const text = failure.apiMessage ?? '';
  const dimension = POLICY.exec(text)?.[1]?.toLowerCase();
  const limit = Number(LIMIT.exec(text)?.[1] ?? 0);
  const [, count, unit] = WINDOW.exec(text) ?? [];
  const windowMs = Number(count ?? 0) * (UNIT_MS[unit?.toLowerCase() ?? ''] ?? 0);
  return {
    retryAfterMs,
    limit: limit > 0 ? limit : null,
    windowMs: windowMs > 0 ? windowMs : null,
    dimension: dimension === 'user' || dimension === 'ip' || dimension === 'api' ? dimension : null,
  };
}

/** Upper bound of `Retry-After`: one bad response must not stop an operation for a day, across restarts. */
export const LONGEST_RETRY_AFTER_MS = 15 * 60_000;

/**
 * `Retry-After` in ms from now, given as seconds or an HTTP date (RFC 9110, 10.2.3); null if it is absent or neither.
 */
export function retryAfterOf(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\s*\d{1,9}(\.\d+)?\s*$/.test(header)) return Math.ceil(Number(header) * 1_000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** Internal to this folder: another attempt may succeed. `failure` is thrown when no attempt is left. */
export class RetryableError extends Error {
  readonly failure: SyncError;
  /** Earliest retry that the server allows, in ms from now; null if it did not say. */
  readonly retryAfterMs: number | null;
  /** Set for a throttled response: time lost to the quota does not count against the page. */
  readonly throttle: Throttle | null;
  /** The token expired and was discarded, so the next attempt need not wait. */
  readonly renewed: boolean;

  constructor(
    failure: SyncError,
    details: { readonly retryAfterMs?: number | null; readonly throttle?: Throttle; readonly renewed?: boolean } = {},
  ) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.throttle = details.throttle ?? null;
    this.renewed = details.renewed ?? false;
  }
}
