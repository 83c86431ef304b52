import type { Account } from '../../core/account.ts';
import {
  AccountSuspended,
  CredentialsRefused,
  ParameterRefused,
  PermissionRefused,
  RequestFailed,
  withCause,
} from '../../core/errors.ts';
import type { ApiCall, Clock, Logger, Suspensions } from '../../core/ports.ts';
import { toJson } from '../../core/stream/json.ts';
import {
  type Attempts,
  type Authorization,
  type Credentials,
  encodeQuery,
  type LoadedCredentials,
  type Target,
} from '../credentials/authorization.ts';
import { createCredentials } from '../credentials/credentials.ts';
import { endpointOf } from '../transport/endpoints.ts';
import { agree, ClockSkew, exchange, Freshness, type HttpContext, type Limits } from '../transport/exchange.ts';
import type { Http, HttpAnswer } from '../transport/http.ts';
import { type CallSite, RetryableError } from './classify.ts';
import type { PageTime } from './read-call.ts';

const USER_AGENT = 'huaweicloud-security-sync';
/** "The token must be updated"; the gateway sends it also for a token of another region (API gateway, error codes). */
const MUST_RENEW = /^APIGW?\.0307$/;

export interface SessionParts {
  readonly account: Account;
  readonly suspensions: Suspensions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly http: Http;
}

/** One attempt at one call. */
export interface Attempt extends Attempts {
  readonly target: Target;
  readonly call: ApiCall;
  readonly signal: AbortSignal;
  /** Charged with the time of this attempt, from the moment it may be sent. */
  readonly pageTime: PageTime;
  /** Whether refused credentials may still be followed by an attempt with a new token or temporary key. */
  readonly mayRenew: boolean;
}

/** What an attempt has once it may be sent. */
interface Admission {
  readonly loaded: LoadedCredentials;
  readonly limits: Limits;
  readonly pass: Pass;
}

/** A 2xx response, and the secrets to keep out of messages about its body. */
export interface Sent {
  readonly answer: HttpAnswer;
  /** The response was generated before the request, by a cache or a lagging server. */
  readonly isOld: boolean;
  readonly secrets: readonly string[];
}

/** The state of an account across calls: credentials, suspension and clock skew. */
export class AccountSession {
  readonly account: Account;
  readonly #suspensions: Suspensions;
  readonly #logger: Logger;
  readonly #http: HttpContext;
  readonly #credentials: Credentials;
  readonly #gate = new FirstCallGate();
  readonly #freshness: Freshness;
  /** The suspension that was logged, so that not every stream logs it again. */
  #logged: string | null = null;
  /** Settles when the current suspension is stored and logged. */
  #suspending: Promise<void> = Promise.resolve();

  constructor({ account, suspensions, clock, logger, http }: SessionParts) {
    this.account = account;
    this.#suspensions = suspensions;
    this.#logger = logger;
    this.#http = { http, clock, skew: new ClockSkew(account.name, logger) };
    this.#freshness = new Freshness(clock);
    this.#credentials = createCredentials(account, this.#http);
  }

  /** Throws `AccountSuspended`. Call it before waiting for quota, so that a suspended account takes no slot. */
  async assertActive(): Promise<void> {
    const { fingerprint } = await this.#credentials.load();
    await this.#assertNotSuspended(fingerprint);
  }

  /** Sends one request; may wait for the account's first call. Throws `RetryableError`, `SyncError` or the abort reason. */
  async send(attempt: Attempt): Promise<Sent> {
    const { target, signal, pageTime } = attempt;
    const before = await this.#credentials.load();
    const entered = { fingerprint: before.fingerprint, mustGoAlone: () => !before.ready(target), signal };
    const pass = await this.#gate.enter(entered);
    try {
      // Reads the secrets again: the wait may have been long.
      const loaded = await this.#credentials.load();
      await this.#assertNotSuspended(loaded.fingerprint);
      const limits = { signal, deadline: AbortSignal.timeout(Math.max(1, Math.ceil(pageTime.remainingMs))) };
      return await pageTime.charge(() => this.#authorizedSend(attempt, { loaded, limits, pass }));
    } finally {
      pass.leave();
    }
  }

  async #authorizedSend(attempt: Attempt, { loaded, limits, pass }: Admission): Promise<Sent> {
    let authorization: Authorization | null = null;
    try {
      authorization = await loaded.authorize(attempt.target, limits, attempt);
      // The fingerprint of temporary keys is known only here.
      if (authorization.fingerprint !== loaded.fingerprint) await this.#assertNotSuspended(authorization.fingerprint);
      const judge = this.#freshness.expect(attempt.call.service);
      const answer = await this.#exchange(attempt, authorization, limits);
      await this.#proven(pass, authorization.fingerprint);
      return { answer, isOld: judge(answer), secrets: authorization.secrets };
    } catch (error) {
      if (error instanceof CredentialsRefused) {
        throw await this.#refused(error, { attempt, authorization, fingerprint: loaded.fingerprint, pass });
      }
      if (authorization !== null && showsGoodCredentials(error)) await this.#proven(pass, authorization.fingerprint);
      throw error;
    }
  }

  #exchange(attempt: Attempt, authorization: Authorization, limits: Limits): Promise<HttpAnswer> {
    const { account } = this;
    const { call, target } = attempt;
    const { service, operation } = call;
    const base = endpointOf(service, target.region, account.endpoints);
    const { host, pathname } = new URL(base);
    const sorted = encodeQuery(call.query);
    // The signature sorts the parameters, so any order has the same signature.
    const query = call.again === true ? sorted.split('&').reverse().join('&') : sorted;
    const body = call.body === undefined ? {} : { body: toJson(call.body) };
    const signed: Record<string, string> = { 'Content-Type': 'application/json' };
    if (target.projectId !== null) signed['X-Project-Id'] = target.projectId;
    if (target.domainId !== undefined) signed['X-Domain-Id'] = target.domainId;
    const added = authorization.headers(
      {
        method: call.method,
        host,
        path: `${pathname === '/' ? '' : pathname}${decodePath(call.path)}`,
        query: call.query ?? {},
        headers: signed,
        ...body,
      },
      this.#http.clock.now(),
    );
    // Not signed, because proxies change them. Every HSS call has `region`: 11 operations require it and 99 accept it
    // (api-hss2.0), and one list of the European site failed without it.
    const unsigned: Record<string, string> = {
      Accept: 'application/json',
      'User-Agent': USER_AGENT,
      // A cached response proves nothing about the current list (RFC 9111, 5.2.1.4; Pragma is for HTTP/1.0 caches).
      'Cache-Control': 'no-cache',
      Pragma: 'no-cache',
    };
    if (service === 'hss' && target.region !== null) unsigned.region = target.region;
    return exchange(this.#http, limits, {
      request: {
        method: call.method,
        base,
        path: query === '' ? call.path : `${call.path}?${query}`,
        headers: { ...unsigned, ...signed, ...added },
        ...body,
      },
      site: siteOf(account, attempt, { service, operation }),
      secrets: authorization.secrets,
    });
  }

  /** Clears all stored refusals of credentials that just worked. */
  async #proven(pass: Pass, fingerprint: string): Promise<void> {
    pass.prove(fingerprint);
    if (pass.alone) await this.#suspensions.lift(this.account.name, fingerprint);
  }

  /** Maps a credentials refusal to its error: retry with a new token, no access to the project, or account suspended. */
  async #refused(error: CredentialsRefused, from: RefusedCall): Promise<Error> {
    const { attempt, authorization, pass } = from;
    if (authorization !== null && attempt.mayRenew && this.#credentials.renew(authorization)) {
      return new RetryableError(error, { renewed: true });
    }
    const fingerprint = authorization?.fingerprint ?? from.fingerprint;
    if (authorization !== null && this.account.auth.kind === 'password' && MUST_RENEW.test(error.failure.code ?? '')) {
      // IAM accepted the password and issued this token, so the account's other projects can continue.
      await this.#proven(pass, fingerprint);
      const advice = 'The token was just issued, so check that the project belongs to this region.';
      return withCause(new PermissionRefused(`${error.message} ${advice}`, error.failure, error.context), error);
    }
    if (!pass.refuse()) return error;
    const { name } = this.account;
    // Logged before it is stored, so that a database outage does not hide the reason.
    this.#logger.error({ ...error.context }, error.message);
    // With a wrong clock the signature was refused, not the key: another machine or a corrected clock may succeed.
    const serverTime = error.failure.status === 401 ? this.#http.skew.serverNow(this.#http.clock.now()) : null;
    const stored = this.#suspensions.suspend(name, fingerprint, { reason: error.message, serverTime });
    this.#suspending = stored.then(
      ({ until }) => {
        this.#logged = until.toISOString();
      },
      () => {},
    );
    const { until } = await stored;
    const message = `${error.message} Account ${name} is suspended until ${until.toISOString()} or until its credentials change.`;
    return withCause(new CredentialsRefused(message, error.failure, error.context), error);
  }

  async #assertNotSuspended(fingerprint: string): Promise<void> {
    const { name } = this.account;
    const suspension = await this.#suspensions.find(name, fingerprint);
    const now = this.#http.clock.now();
    if (suspension === null || suspension.until.getTime() <= now) return;
    if (suspension.serverNow !== null && agree(suspension.serverNow.getTime(), now)) return;
    this.#gate.close();
    // Another stream may see the suspension before the refused call has logged it.
    await this.#suspending;
    const until = suspension.until.toISOString();
    const message = `Account ${name} is suspended until ${until} or until its credentials change; no request was sent. Reason: ${suspension.reason}`;
    if (this.#logged !== until) this.#logger.error({ account: name, until }, message);
    this.#logged = until;
    throw new AccountSuspended(message, { account: name, until });
  }
}

interface RefusedCall {
  readonly attempt: Attempt;
  /** Null if the token or key service refused. */
  readonly authorization: Authorization | null;
  readonly fingerprint: string;
  readonly pass: Pass;
}

/**
 * Whether the error proves that the credentials are good. A refused permission or parameter does; an unknown path may
 * be answered to anyone.
 */
function showsGoodCredentials(error: unknown): boolean {
  if (error instanceof RequestFailed) return error.failure.status >= 400;
  return error instanceof PermissionRefused || error instanceof ParameterRefused;
}

/** The call site of an attempt, for messages. */
export function siteOf(account: Account, attempt: Attempts & { target: Target }, call: Named): CallSite {
  const { attempts, throttled, target } = attempt;
  const { region, projectId } = target;
  return { account: account.name, auth: account.auth.kind, ...call, region, projectId, attempts, throttled };
}

type Named = Pick<CallSite, 'service' | 'operation'>;

/** The gateway signs the decoded path; a `%` that starts no valid encoding is literal. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A call's place behind the gate; end it exactly once. */
export interface Pass {
  /** No other unproven call runs at the same time. */
  readonly alone: boolean;
  /**
   * True unless another call reported a refusal since this one entered: of several calls refused together, one counts.
   */
  refuse(): boolean;
  /** Reports that these credentials work, which releases all waiting calls. */
  prove(fingerprint: string): void;
  leave(): void;
}

export interface Entry {
  readonly fingerprint: string;
  /** Whether this call also has to fetch a token. Evaluated after every wait: another call may have fetched it. */
  readonly mustGoAlone: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Lets an account's first call run alone, so that a wrong key costs one request: an access key is locked for 5 minutes
 * after 5 consecutive failures (OCR FAQ, "APIG.0301"), and one process starts more lanes than that.
 */
export class FirstCallGate {
  #proven: string | null = null;
  #refusals = 0;
  #holder: Promise<void> | null = null;

  /** Waits until the credentials are proven or no call is trying them. */
  async enter({ fingerprint, mustGoAlone, signal }: Entry): Promise<Pass> {
    while (this.#proven !== fingerprint || mustGoAlone()) {
      signal.throwIfAborted();
      if (this.#holder === null) return this.#take();
      await abortable(this.#holder, signal);
    }
    return this.#pass(null);
  }

  /** Makes the next call run alone again, after a refusal elsewhere or at the end of a suspension. */
  close(): void {
    this.#proven = null;
  }

  #take(): Pass {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holder = promise;
    return this.#pass(resolve);
  }

  #pass(release: (() => void) | null): Pass {
    const refusals = this.#refusals;
    return {
      alone: release !== null,
      refuse: () => {
        if (this.#refusals !== refusals) return false;
        this.#refusals += 1;
        this.#proven = null;
        return true;
      },
      prove: (fingerprint) => {
        // A call that was in flight when another was refused does not prove that the credentials still work.
        if (this.#refusals === refusals) this.#proven = fingerprint;
      },
      leave: () => {
        if (release === null) return;
        this.#holder = null;
        release();
      },
    };
  }
}

async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
