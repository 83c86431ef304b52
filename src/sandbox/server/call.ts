import type { Caller, Credentials } from '../auth/credentials.ts';
import type { EstateState } from '../estate/estate.ts';
import type { Operation, Service } from './operations.ts';
import type { SandboxSettings } from './options.ts';
import type { Reply } from './replies.ts';

/** An admitted call, as its handler sees it. */
export interface Call {
  readonly settings: SandboxSettings;
  readonly credentials: Credentials;
  readonly operation: Operation;
  /** The path parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  /** The parsed JSON body; undefined if it is empty or not JSON. */
  readonly body: unknown;
  /** Differs between requests; it decides undefined orders. */
  readonly salt: number;
  readonly requestId: string;
  readonly caller: Caller | undefined;
}

/** Answers a call for a project. */
export type ProjectHandler = (call: Call, estate: EstateState) => Reply;

interface RouteBase {
  readonly method: string;
  /** The path with parameters in braces. */
  readonly path: string;
  readonly operation: Operation;
  readonly service: Service;
}

/** An endpoint: of a project, of an account, or public. */
export type Route =
  | (RouteBase & { readonly scope: 'project'; readonly handle: ProjectHandler })
  | (RouteBase & { readonly scope: 'account' | 'open'; readonly handle: (call: Call) => Reply });
