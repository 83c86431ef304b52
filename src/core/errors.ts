/**
 * The one error tree, named by what the caller must do, not by where it happened (docs/decisions.md D6).
 *
 * - `skip`: this listing cannot be read (the parent is gone, the service is not enabled, this project is refused);
 *   it is recorded as incomplete and shields its rows from the sweep; the stream goes on.
 * - `fail-run`: nothing is swept; the next tick tries again. Where the API answers for other listings of the stream, they
 *   go on; else, and without the database, the run stops.
 * - `stop-account`: the credentials were refused; the account is suspended, other accounts go on.
 * - `stop-service`: configuration or schema; a person has to change something.
 */
export type Recovery = 'skip' | 'fail-run' | 'stop-account' | 'stop-service';

/** Facts for the message and the log: never a header, a key or a query value that carries a secret. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>;

export abstract class SyncError extends Error {
  abstract readonly recovery: Recovery;
  readonly context: ErrorContext;
  constructor(message: string, context: ErrorContext = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.context = context;
  }
}

/** The API answered with an error: its HTTP status, its own code and request id, as far as it sent them. */
export interface ApiFailure {
  readonly status: number;
  readonly code: string | null;
  readonly apiMessage: string | null;
  readonly requestId: string | null;
  /** What IAM can decode into the statement that refused (`sts:...:decodeAuthorizationMessage`); not shortened. */
  readonly encodedAuthorizationMessage?: string;
}

export abstract class ApiError extends SyncError {
  readonly failure: ApiFailure;
  constructor(message: string, failure: ApiFailure, context: ErrorContext = {}) {
    const { status, code, requestId, encodedAuthorizationMessage: encoded } = failure;
    const decodable = encoded === undefined ? {} : { encodedAuthorizationMessage: encoded };
    super(message, { ...context, status, code, requestId, ...decodable });
    this.failure = failure;
  }
}

/** The same error with what it followed from. */
export function withCause<E extends Error>(error: E, cause: unknown): E {
  error.cause = cause;
  return error;
}

/** A wrong or locked key, a token that cannot be renewed: retrying would lock the key. */
export class CredentialsRefused extends ApiError {
  readonly recovery = 'stop-account';
}

/** The credentials are good but may not do this here: never the same as an empty list. */
export class PermissionRefused extends ApiError {
  readonly recovery = 'skip';
}

/** There is no such API, instance or parent (404, `APIG(W).0101`, HSS.0011). */
export class NotFound extends ApiError {
  readonly recovery = 'skip';
}

/** A 404 of the gateway: it has no such API, but may have an older generation of it. The service was not asked. */
export class ApiMissing extends NotFound {}

/**
 * What a refusal says about a whole list: these credentials may not read it, or it is not published in this region (or not any
 * more). Both last until a person changes something.
 */
export type Refusal = 'no permission' | 'not published';

/**
 * What the refusals of all lists of a stream say together; null where one of them is about a single resource, such as a parent
 * that is gone: a service that answers 404 itself has such an API, and may find the resource next time.
 */
export function refusalOf(errors: readonly Error[]): Refusal | null {
  const kinds = errors.map((error): Refusal | null => {
    if (error instanceof PermissionRefused) return 'no permission';
    return error instanceof ApiMissing ? 'not published' : null;
  });
  if (kinds.length === 0 || kinds.includes(null)) return null;
  return kinds.includes('no permission') ? 'no permission' : 'not published';
}

/** The API refused a parameter (HSS.0001 and relatives): another spelling may be accepted, or the list ends before it. */
export class ParameterRefused extends ApiError {
  readonly recovery = 'fail-run';
}

/** Anything else the API said no to, retries included: among it every failure that a service answers with status 400. */
export class RequestFailed extends ApiError {
  readonly recovery = 'fail-run';
}

/** No usable answer at all after every attempt: network, time-out, an answer that is not the documented JSON. */
export class Unreachable extends SyncError {
  readonly recovery = 'fail-run';
}

/** A 200 whose body is not a page of this list. Retried like a reset inside the page source, `Unreachable` after that. */
export class MalformedAnswer extends SyncError {
  readonly recovery = 'fail-run';
}

/** The account is suspended since an earlier refusal; no request was sent. */
export class AccountSuspended extends SyncError {
  readonly recovery = 'stop-account';
}

/** Configuration that cannot work: every problem in one message, never a secret's value. */
export class ConfigurationError extends SyncError {
  readonly recovery = 'stop-service';
}

/** The database refuses or is away. */
export class DatabaseError extends SyncError {
  readonly recovery = 'fail-run';
}

/** The schema in the database is newer than this program, or migrations failed. */
export class SchemaError extends SyncError {
  readonly recovery = 'stop-service';
}

/** Whatever was thrown, as an Error with its cause kept. Libraries throw and emit objects that only look like errors. */
export function coerceError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown), { cause: thrown });
  const { message, name, code }: { message?: unknown; name?: unknown; code?: unknown } = thrown;
  const text = typeof message === 'string' ? message : `an object with ${Object.keys(thrown).join(', ') || 'nothing'}`;
  const error = new Error(text, { cause: thrown });
  if (typeof name === 'string') error.name = name;
  return typeof code === 'string' ? Object.assign(error, { code }) : error;
}
