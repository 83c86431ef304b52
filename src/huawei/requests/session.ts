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
import { agree, ClockSkew, exchange, Freshness, type Limits, type Wire } from '../transport/exchange.ts';
import type { Http, HttpAnswer } from '../transport/http.ts';
import { type CallSite, RetryableError } from './classify.ts';
import type { Budget } from './read-call.ts';

const USER_AGENT = 'huaweicloud-security-sync';
/** "The token must be updated"; also what a token of another region gets (API gateway, error codes). */
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
  /** Pays for the time of this attempt, from the moment it may be sent. */
  readonly budget: Budget;
  /** Whether a 401 may still be answered with a new token. */
  readonly mayRenew: boolean;
}

/** A 2xx answer, and what a message about its body must not repeat. */
export interface Sent {
  readonly answer: HttpAnswer;
  /** It was given before it was asked for. */
  readonly isOld: boolean;
  readonly secrets: readonly string[];
}

/** Everything that outlives a single call of an account: its credentials, its suspension, its view of the clock. */
export class AccountSession {
  readonly account: Account;
  readonly #suspensions: Suspensions;
  readonly #logger: Logger;
  readonly #wire: Wire;
  readonly #credentials: Credentials;
  readonly #gate = new FirstCallGate();
  readonly #freshness: Freshness;
  /** The suspension that the log has told of: not every stream needs to tell it again. */
  #told: string | null = null;
  /** Settles when the suspension under way is stored, and told of. */
  #suspending: Promise<void> = Promise.resolve();

  constructor({ account, suspensions, clock, logger, http }: SessionParts) {
    this.account = account;
    this.#suspensions = suspensions;
    this.#logger = logger;
    this.#wire = { http, clock, skew: new ClockSkew(account.name, logger) };
    this.#freshness = new Freshness(clock);
    this.#credentials = createCredentials(account, this.#wire);
  }

  /** Throws `AccountSuspended`. Asked before waiting for quota, so that a suspended account takes none. */
  async assertActive(): Promise<void> {
    const { fingerprint } = await this.#credentials.load();
    await this.#assertNotSuspended(fingerprint);
  }

  /** One request, after the account's first one if need be. Throws `RetryableError`, `SyncError` or the abort reason. */
  async send(attempt: Attempt): Promise<Sent> {
    const { target, signal, budget } = attempt;
    const before = await this.#credentials.load();
    const entered = { fingerprint: before.fingerprint, mustGoAlone: () => !before.ready(target), signal };
    const pass = await this.#gate.enter(entered);
    try {
      // The wait may have been long: what was read before it says nothing now.
      const loaded = await this.#credentials.load();
      await this.#assertNotSuspended(loaded.fingerprint);
      const limits = { signal, deadline: AbortSignal.timeout(Math.max(1, Math.ceil(budget.remainingMs))) };
      return await budget.pay(() => this.#authorizedSend(attempt, loaded, limits, pass));
    } finally {
      pass.leave();
    }
  }

  async #authorizedSend(attempt: Attempt, loaded: LoadedCredentials, limits: Limits, pass: Pass): Promise<Sent> {
    let authorization: Authorization | null = null;
    try {
      authorization = await loaded.authorize(attempt.target, limits, attempt);
      // Temporary keys are known only now.
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
    // The signature sorts the parameters by itself, so any order is signed alike.
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
      this.#wire.clock.now(),
    );
    // Not signed, since proxies change them. 11 HSS operations require `region` and 99 take it (api-hss2.0), and one
    // list of the European site failed without it, so every HSS call has it.
    const unsigned: Record<string, string> = {
      Accept: 'application/json',
      'User-Agent': USER_AGENT,
      // An old answer proves nothing about the list of now (RFC 9111, 5.2.1.4; Pragma is for caches of HTTP/1.0).
      'Cache-Control': 'no-cache',
      Pragma: 'no-cache',
    };
    if (service === 'hss' && target.region !== null) unsigned.region = target.region;
    return exchange(this.#wire, limits, {
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

  /** The credentials work; whatever was held against them is over. */
  async #proven(pass: Pass, fingerprint: string): Promise<void> {
    pass.prove(fingerprint);
    if (pass.alone) await this.#suspensions.lift(this.account.name, fingerprint);
  }

  /** What a refusal comes to: one more attempt with a new token, a project that is not there, or the account's end. */
  async #refused(error: CredentialsRefused, from: Refusal): Promise<Error> {
    const { attempt, authorization, pass } = from;
    if (authorization !== null && attempt.mayRenew && this.#credentials.renew(authorization)) {
      return new RetryableError(error, { renewed: true });
    }
    const fingerprint = authorization?.fingerprint ?? from.fingerprint;
    if (authorization !== null && this.account.auth.kind === 'password' && MUST_RENEW.test(error.failure.code ?? '')) {
      // IAM has just accepted the password and issued this token, so the account is well and its other projects go on.
      await this.#proven(pass, fingerprint);
      const advice = 'The token is new: is this project in this region?';
      return withCause(new PermissionRefused(`${error.message} ${advice}`, error.failure, error.context), error);
    }
    if (!pass.refuse()) return error;
    const { name } = this.account;
    // Logged before it is stored: a database that is away must not hide the reason.
    this.#logger.error({ ...error.context }, error.message);
    // With a clock that is off, it is the signature that was refused: another machine, or this one set right, may go on.
    const serverTime = error.failure.status === 401 ? this.#wire.skew.serverNow(this.#wire.clock.now()) : null;
    const stored = this.#suspensions.suspend(name, fingerprint, { reason: error.message, serverTime });
    this.#suspending = stored.then(
      ({ until }) => {
        this.#told = until.toISOString();
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
    const now = this.#wire.clock.now();
    if (suspension === null || suspension.until.getTime() <= now) return;
    if (suspension.serverNow !== null && agree(suspension.serverNow.getTime(), now)) return;
    this.#gate.close();
    // Another stream may find the suspension before the one that was refused has told of it.
    await this.#suspending;
    const until = suspension.until.toISOString();
    const message = `Account ${name} is suspended until ${until} or until its credentials change; no request was sent. Reason: ${suspension.reason}`;
    if (this.#told !== until) this.#logger.error({ account: name, until }, message);
    this.#told = until;
    throw new AccountSuspended(message, { account: name, until });
  }
}

interface Refusal {
  readonly attempt: Attempt;
  /** Null when it was the token or key service that refused. */
  readonly authorization: Authorization | null;
  readonly fingerprint: string;
  readonly pass: Pass;
}

/** A refusal of permission or of a parameter is an answer to someone known; an unknown path may be answered to anyone. */
function showsGoodCredentials(error: unknown): boolean {
  if (error instanceof RequestFailed) return error.failure.status >= 400;
  return error instanceof PermissionRefused || error instanceof ParameterRefused;
}

/** A call site of an account, for messages. */
export function siteOf(account: Account, attempt: Attempts & { target: Target }, call: Named): CallSite {
  const { attempts, throttled, target } = attempt;
  const { region, projectId } = target;
  return { account: account.name, auth: account.auth.kind, ...call, region, projectId, attempts, throttled };
}

type Named = Pick<CallSite, 'service' | 'operation'>;

/** The gateway signs what the path means; `%` that is no encoding stands for itself. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Ends a call's stay at the gate; exactly once. */
export interface Pass {
  /** No other unproven call runs beside this one. */
  readonly alone: boolean;
  /** No other call has reported a refusal since this one entered: of many calls refused at once only one counts. */
  refuse(): boolean;
  /** These credentials work: all waiting calls may go at once. */
  prove(fingerprint: string): void;
  leave(): void;
}

export interface Entry {
  readonly fingerprint: string;
  /** This call also has to fetch a token; asked again after every wait, as another call may have fetched it. */
  readonly mustGoAlone: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Lets an account's first call go alone. An access key is locked for 5 minutes after 5 failures in a row (OCR FAQ of
 * Huawei Cloud, "APIG.0301"), and one process starts with more lanes than that: a wrong key must cost one request.
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

  /** The credentials were refused elsewhere, or were suspended until now: the next call goes alone again. */
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
        // A call that was under way when another was refused proves nothing about now.
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
