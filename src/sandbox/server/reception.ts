import { splitTarget, type WireRequest } from '../auth/signature.ts';
import { dispatch, type World } from './dispatch.ts';
import { type Delivery, deliveryOf, faultReply, spoil } from './fault-replies.ts';
import type { FaultBox, SandboxRequest } from './faults.ts';
import { gatewayError, type Reply } from './replies.ts';
import type { LoggedRequest, RequestLog } from './request-log.ts';
import { type Match, matchRoute } from './routes.ts';

/** A request with what the server adds to it. */
export interface Visit {
  readonly request: WireRequest;
  readonly ip: string;
  readonly salt: number;
  readonly requestId: string;
  readonly arrived: number;
}

/** What goes back, how it is sent, and what the log keeps. */
export interface Outcome {
  readonly reply: Reply;
  readonly delivery: Delivery;
  readonly logged: LoggedRequest;
}

/** What a reception works with. */
export interface House {
  readonly world: World;
  readonly requests: RequestLog;
  readonly faults: FaultBox;
}

const AS_IS: Delivery = { kind: 'as-is' };

/** Takes a request from the wire to its answer. */
export function receive({ world, requests, faults }: House, visit: Visit): Outcome {
  const { request, requestId, arrived: time } = visit;
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
    const reply = gatewayError(404, 'APIGW.0101', text, requestId);
    const logged = { ...common, time, requestId, operation: undefined, user: undefined, status: 404 };
    return { reply, delivery: AS_IS, logged };
  }
  const { operation } = match.route;
  const seen = { ...common, operation, ...idsOf(match) };
  const { user, reply, delivery } = serve({ world, faults, visit, match }, seen);
  return { reply, delivery, logged: { ...common, time, requestId, operation, user, status: reply.status } };
}

function idsOf({ params }: Match): Pick<SandboxRequest, 'projectId' | 'instanceId'> {
  return { projectId: params.project_id, instanceId: params.instance_id };
}

interface Service {
  readonly world: World;
  readonly faults: FaultBox;
  readonly visit: Visit;
  readonly match: Match;
}

interface Served {
  readonly reply: Reply;
  readonly delivery: Delivery;
  readonly user: string | undefined;
}

/** Faults come before everything else, as a broken gateway would. */
function serve({ world, faults, visit, match }: Service, seen: SandboxRequest): Served {
  const fault = faults.take(seen);
  const { projectId } = seen;
  const { requestId } = visit;
  const context = { settings: world.settings, service: match.route.service, requestId, projectId };
  const instead = fault === undefined ? undefined : faultReply(fault, context);
  if (instead !== undefined) return { reply: instead, delivery: AS_IS, user: undefined };
  let user: string | undefined;
  const identified = (caller: { readonly user: string }): void => {
    user = caller.user;
  };
  const reply = dispatch(world, { ...visit, ...match, seen, identified });
  return { reply: spoil(fault, reply), delivery: deliveryOf(fault), user };
}
