import { authenticate } from '../auth/authenticate.ts';
import type { Caller, Credentials } from '../auth/credentials.ts';
import type { Quota } from '../auth/quota.ts';
import { splitTarget, type WireRequest } from '../auth/signature.ts';
import type { EstateState } from '../estate/estate.ts';
import { EXAMPLES } from '../lists/examples.ts';
import type { Call, Route } from './call.ts';
import type { SandboxRequest } from './faults.ts';
import type { Operation } from './operations.ts';
import type { SandboxSettings } from './options.ts';
import { dbssParameterError, permissionError, Refusal, type Reply, type TextReply, textReply } from './replies.ts';

/**
 * Answers in the place of the sandbox. `normal` gives what the sandbox would have answered; returning undefined leaves
 * it at that. Credentials, quota and permissions are checked before.
 */
export type Override = (request: SandboxRequest, normal: () => TextReply) => string | Reply | undefined;

/** What stands behind all endpoints. */
export interface World {
  readonly settings: SandboxSettings;
  readonly credentials: Credentials;
  readonly quota: Quota;
  readonly estates: ReadonlyMap<string, EstateState>;
  readonly overrides: ReadonlyMap<Operation, Override>;
}

/** A request that has found its endpoint. */
export interface Arrival {
  readonly request: WireRequest;
  readonly route: Route;
  readonly seen: SandboxRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly requestId: string;
  readonly salt: number;
  /** Tells the log who called, as soon as it is known. */
  readonly identified: (caller: Caller) => void;
}

/** Answers a request: who is it, may it come now, may it come here, and then what it asked for. */
export function dispatch(world: World, arrival: Arrival): Reply {
  try {
    return admit(world, arrival);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

function admit(world: World, arrival: Arrival): Reply {
  const { settings, credentials, quota, estates } = world;
  const { request, route, params, requestId } = arrival;
  const serve = (normal: () => Reply): Reply => override(world.overrides.get(route.operation), arrival.seen, normal);
  const call: Call = {
    settings,
    credentials,
    operation: route.operation,
    params,
    query: new URLSearchParams(splitTarget(request.target)[1]),
    headers: request.headers,
    body: parseJson(request.body),
    salt: arrival.salt,
    requestId,
    caller: undefined,
  };
  if (route.scope === 'open') return serve(() => route.handle(call));
  const caller = authenticate(request, { settings, credentials, requestId });
  arrival.identified(caller);
  if (route.scope === 'account') return serve(() => route.handle({ ...call, caller }));
  // The gateway counts before the service looks: a call without permission costs quota as well.
  const over = quota.claim({ operation: route.operation, user: caller.user, ip: arrival.ip, requestId });
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
