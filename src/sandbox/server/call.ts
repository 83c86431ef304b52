import type { Caller, Credentials } from '../auth/credentials.ts';
import type { EstateState } from '../estate/estate.ts';
import type { Operation, Service } from './operations.ts';
import type { SandboxSettings } from './options.ts';
import type { Reply } from './replies.ts';

/** A call that was let in, as its handler sees it. */
export interface Call {
  readonly settings: SandboxSettings;
  readonly credentials: Credentials;
  readonly operation: Operation;
  /** The parts of the path in braces. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  /** The body as JSON; undefined when it is empty or not JSON. */
  readonly body: unknown;
  /** Differs from request to request; what has no order takes its order from it. */
  readonly salt: number;
  readonly requestId: string;
  readonly caller: Caller | undefined;
}

/** Answers a call about a project. */
export type ProjectHandler = (call: Call, estate: EstateState) => Reply;

interface RouteBase {
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  readonly operation: Operation;
  readonly service: Service;
}

/** An endpoint: about a project, about an account, or open to everyone. */
export type Route =
  | (RouteBase & { readonly scope: 'project'; readonly handle: ProjectHandler })
  | (RouteBase & { readonly scope: 'account' | 'open'; readonly handle: (call: Call) => Reply });
