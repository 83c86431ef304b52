import { authenticate } from '../auth/authenticate.ts';
import type { Caller, Credentials } from '../auth/credentials.ts';
import type { Quota } from '../auth/quota.ts';
import { splitTarget, type WireRequest } from '../auth/signature.ts';
import type { EstateState } from '../estate/estate.ts';
import { EXAMPLES } from '../lists/examples.ts';
import type { Call, Route } from './call.ts';
import { type Delivery, deliveryOf, faultReply, spoil } from './fault-replies.ts';
import type { FaultBox, SandboxRequest } from './faults.ts';
import type { Operation } from './operations.ts';
import type { SandboxSettings } from './options.ts';
import {
  dbssParameterError,
  gatewayError,
  permissionError,
  Refusal,
  type Reply,
  type TextReply,
  textReply,
} from './replies.ts';
import type { LoggedRequest, RequestLog } from './request-log.ts';
import { type Match, matchRoute } from './routes.ts';

/** A request with the server's additions. */
export interface ReceivedRequest {
  readonly request: WireRequest;
  readonly ip: string;
  readonly salt: number;
  readonly requestId: string;
  readonly arrived: number;
}

/** The response, how it is sent, and the log entry. */
export interface Handled {
  readonly reply: Reply;
  readonly delivery: Delivery;
  readonly logged: LoggedRequest;
}

/** The inputs of request handling. */
export interface SandboxParts {
  readonly world: World;
  readonly requests: RequestLog;
  readonly faults: FaultBox;
}

const AS_IS: Delivery = { kind: 'as-is' };

/** Handles a request from its arrival to the response. */
export function handleRequest({ world, requests, faults }: SandboxParts, received: ReceivedRequest): Handled {
  const { request, requestId, arrived: time } = received;
  const [path, search] = splitTarget(request.target);
  const match = matchRoute(request.method, path);
  const common = {
    method: request.method,
    path,
    query: Object.fromEntries(new URLSearchParams(search)),
    body: request.body.toString(),
    call: requests.count(match?.route.operation ?? 'unknown') + 1,
  };
  if (match === undefined) {
    const text = 'The API does not exist or has not been published in the environment.';
    const reply = gatewayError(requestId, { status: 404, code: 'APIGW.0101', message: text });
    const logged = { ...common, time, requestId, operation: undefined, user: undefined, status: 404 };
    return { reply, delivery: AS_IS, logged };
  }
  const { operation } = match.route;
  const seen = { ...common, operation, ...idsOf(match) };
  const { user, reply, delivery } = serve({ world, faults, received, match }, seen);
  return { reply, delivery, logged: { ...common, time, requestId, operation, user, status: reply.status } };
}

function idsOf({ params }: Match): Pick<SandboxRequest, 'projectId' | 'instanceId'> {
  return { projectId: params.project_id, instanceId: params.instance_id };
}

interface Service {
  readonly world: World;
  readonly faults: FaultBox;
  readonly received: ReceivedRequest;
  readonly match: Match;
}

interface Served {
  readonly reply: Reply;
  readonly delivery: Delivery;
  readonly user: string | undefined;
}

/** Faults come before everything else, like a broken gateway. */
function serve({ world, faults, received, match }: Service, seen: SandboxRequest): Served {
  const fault = faults.take(seen);
  const { projectId } = seen;
  const { requestId } = received;
  const context = { settings: world.settings, service: match.route.service, requestId, projectId };
  const instead = fault === undefined ? undefined : faultReply(fault, context);
  if (instead !== undefined) return { reply: instead, delivery: AS_IS, user: undefined };
  let user: string | undefined;
  const identified = (caller: { readonly user: string }): void => {
    user = caller.user;
  };
  const reply = dispatch(world, { ...received, ...match, seen, identified });
  return { reply: spoil(fault, reply), delivery: deliveryOf(fault), user };
}

/**
 * Replaces the sandbox's response. `normal` returns that response; returning undefined leaves it unchanged.
 * Credentials, quota and permissions are checked before.
 */
export type Override = (request: SandboxRequest, normal: () => TextReply) => string | Reply | undefined;

/** The state behind all endpoints. */
export interface World {
  readonly settings: SandboxSettings;
  readonly credentials: Credentials;
  readonly quota: Quota;
  readonly estates: ReadonlyMap<string, EstateState>;
  readonly overrides: ReadonlyMap<Operation, Override>;
}

/** A request with its endpoint. */
export interface MatchedRequest {
  readonly request: WireRequest;
  readonly route: Route;
  readonly seen: SandboxRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly requestId: string;
  readonly salt: number;
  /** Reports the caller to the log as soon as it is known. */
  readonly identified: (caller: Caller) => void;
}

/** Answers a request: checks credentials, quota and permission, then calls the handler. */
export function dispatch(world: World, matched: MatchedRequest): Reply {
  try {
    return admit(world, matched);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

function admit(world: World, matched: MatchedRequest): Reply {
  const { settings, credentials, quota, estates } = world;
  const { request, route, params, requestId } = matched;
  const serve = (normal: () => Reply): Reply => override(world.overrides.get(route.operation), matched.seen, normal);
  const call: Call = {
    settings,
    credentials,
    operation: route.operation,
    params,
    query: new URLSearchParams(splitTarget(request.target)[1]),
    headers: request.headers,
    body: parseJson(request.body),
    salt: matched.salt,
    requestId,
    caller: undefined,
  };
  if (route.scope === 'open') return serve(() => route.handle(call));
  const caller = authenticate(request, { settings, credentials, requestId });
  matched.identified(caller);
  if (route.scope === 'account') return serve(() => route.handle({ ...call, caller }));
  // The gateway counts before the service checks: a call without permission also uses quota.
  const over = quota.claim({ operation: route.operation, user: caller.user, ip: matched.ip, requestId });
  if (over !== undefined) return over;
  const projectId = params.project_id ?? '';
  const estate = estates.get(projectId);
  if (estate === undefined || !(caller.projects?.includes(projectId) ?? true)) {
    return permissionError(route.service, `project ${projectId}`);
  }
  if (route.method === 'POST' && call.body === undefined) return dbssParameterError('the body is not JSON');
  const handle = (settings.examples ? EXAMPLES[route.operation] : undefined) ?? route.handle;
  return serve(() => handle({ ...call, caller }, estate));
}

function override(answer: Override | undefined, seen: SandboxRequest, normal: () => Reply): Reply {
  const own = answer?.(seen, () => textReply(normal()));
  if (own === undefined) return normal();
  return typeof own === 'string' ? { status: 200, body: own } : own;
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
