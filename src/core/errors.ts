/**
 * The only error tree, named by the required reaction, not by the place of the error (docs/decisions.md D6).
 *
 * - `skip`: this listing cannot be read (the parent is gone, the service is not enabled, the project is refused). It is
 *   recorded as incomplete, its rows are not swept, and the stream goes on.
 * - `retry-later`: nothing of this listing is swept, and the next run tries it again. The run goes on with the other
 *   listings of the stream, unless too many fail in a row. A DatabaseError always ends the run.
 * - `stop-account`: the credentials were refused. The account is suspended; other accounts go on.
 * - `fix-setup`: the configuration or the schema has to be changed. At its start the service ends; a run fails.
 */
export type Recovery = 'skip' | 'retry-later' | 'stop-account' | 'fix-setup';

/** Facts for message and log: never a header, a key or a query value with a secret. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Base of all errors that the service handles. */
export abstract class SyncError extends Error {
  abstract readonly recovery: Recovery;
  readonly context: ErrorContext;
  constructor(message: string, context: ErrorContext = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.context = context;
  }
}

/** An error answer of the API: HTTP status, error code, message and request id; null for what it does not have. */
export interface ApiFailure {
  readonly status: number;
  readonly code: string | null;
  readonly apiMessage: string | null;
  readonly requestId: string | null;
  /** Encoded refusal details that IAM can decode (`sts:...:decodeAuthorizationMessage`), not shortened. */
  readonly encodedAuthorizationMessage?: string;
}

/** An error answer of the API. */
export abstract class ApiError extends SyncError {
  readonly failure: ApiFailure;
  constructor(message: string, failure: ApiFailure, context: ErrorContext = {}) {
    const { status, code, requestId, encodedAuthorizationMessage: encoded } = failure;
    const decodable = encoded === undefined ? {} : { encodedAuthorizationMessage: encoded };
    super(message, { ...context, status, code, requestId, ...decodable });
    this.failure = failure;
  }
}

/** Sets the cause of an error and returns it. */
export function withCause<E extends Error>(error: E, cause: unknown): E {
  error.cause = cause;
  return error;
}

/** A wrong or locked key, or a token that cannot be renewed. Not retried, because retries lock the key. */
export class CredentialsRefused extends ApiError {
  readonly recovery = 'stop-account';
}

/** The credentials are valid but lack the permission. Never treated as an empty list. */
export class PermissionRefused extends ApiError {
  readonly recovery = 'skip';
}

/** The API, instance or parent does not exist (404, `APIG(W).0101`, HSS.0011). */
export class NotFound extends ApiError {
  readonly recovery = 'skip';
}

/**
 * A 404 of the gateway: it does not have this API, but maybe an older version of it. The request did not reach the
 * service.
 */
export class ApiMissing extends NotFound {}

/**
 * Why all lists of a stream are refused: the credentials lack permission, or the API is not published in this region
 * (any more). Both last until a person changes something.
 */
export type Refusal = (typeof REFUSALS)[number];
/** All values of `Refusal`. */
export const REFUSALS = ['no permission', 'not published'] as const;

/**
 * The common refusal of all lists of a stream. Null if one error concerns a single resource, such as a parent that is
 * gone: a service that answers 404 itself has the API, and may find the resource next time.
 */
export function refusalOf(errors: readonly Error[]): Refusal | null {
  const kinds = errors.map((error): Refusal | null => {
    if (error instanceof PermissionRefused) return 'no permission';
    return error instanceof ApiMissing ? 'not published' : null;
  });
  if (kinds.length === 0 || kinds.includes(null)) return null;
  return kinds.includes('no permission') ? 'no permission' : 'not published';
}

/**
 * The API refused a parameter (HSS.0001 and similar): it may accept another spelling, or the list ends before the
 * offset.
 */
export class ParameterRefused extends ApiError {
  readonly recovery = 'retry-later';
}

/** Any other error answer, after retries. Includes every failure that a service reports with status 400. */
export class RequestFailed extends ApiError {
  readonly recovery = 'retry-later';
}

/** No usable answer after all attempts: network error, time-out, or not the documented JSON. */
export class Unreachable extends SyncError {
  readonly recovery = 'retry-later';
}

/**
 * A 200 whose body is not a page of this list. The page source retries it like a connection reset, then throws
 * `Unreachable`.
 */
export class MalformedAnswer extends SyncError {
  readonly recovery = 'retry-later';
}

/** No request was sent: the account is suspended after a refusal, or one of its secrets is missing or damaged. */
export class AccountSuspended extends SyncError {
  readonly recovery = 'stop-account';
}

/** Unusable configuration: the message has every problem, but never the value of a secret. */
export class ConfigurationError extends SyncError {
  readonly recovery = 'fix-setup';
}

/** The database refused a statement or is not reachable. */
export class DatabaseError extends SyncError {
  readonly recovery = 'retry-later';
}

/** The database schema is newer than this program, or a migration failed. */
export class SchemaError extends SyncError {
  readonly recovery = 'fix-setup';
}

/**
 * Converts anything thrown into an Error and keeps it as cause. Libraries throw and emit objects that are not Errors.
 */
export function coerceError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown), { cause: thrown });
  const { message, name, code }: { message?: unknown; name?: unknown; code?: unknown } = thrown;
  const text = typeof message === 'string' ? message : `an object with ${Object.keys(thrown).join(', ') || 'nothing'}`;
  const error = new Error(text, { cause: thrown });
  if (typeof name === 'string') error.name = name;
  return typeof code === 'string' ? Object.assign(error, { code }) : error;
}
