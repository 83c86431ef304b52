import type { Operation } from './operations.ts';

/** A request as seen by faults and overrides. */
export interface SandboxRequest {
  readonly operation: Operation;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
  readonly projectId: string | undefined;
  readonly instanceId: string | undefined;
  /** Number of calls of the operation, including this one. */
  readonly call: number;
}

/**
 * Kinds of faults. `reset` drops the connection before the response, `reset-mid-body` in the middle of it; `truncated`
 * is a complete response with half a body; `html` is a page with status 200; `no-list` lacks the list; `double-key` has
 * its first record twice, the second time with an additional member; `slow` delays the second half of the body, `late`
 * the whole response.
 */
export type FaultKind =
  | 'reset'
  | 'reset-mid-body'
  | 'truncated'
  | 'bad-gateway'
  | 'html'
  | 'throttled'
  | 'server-error'
  | 'slow'
  | 'late'
  | 'no-list'
  | 'double-key'
  | 'forbidden'
  | 'token-expired'
  | 'reply';

/** A fault and the requests it applies to. */
export interface Fault {
  readonly kind: FaultKind;
  /** Absent means any operation. */
  readonly operation?: Operation;
  readonly projectId?: string;
  readonly instanceId?: string;
  readonly when?: (request: SandboxRequest) => boolean;
  /** How many requests it affects; 1 by default, `Infinity` until it is cleared. */
  readonly times?: number;
  /** How long it is active, by the clock of the sandbox. */
  readonly forMs?: number;
  /** For `throttled`: the Retry-After header. */
  readonly retryAfterSeconds?: number;
  /** For `slow` and `late`. */
  readonly delayMs?: number;
  /** For `late`, instead of `delayMs`: called after the request arrived; the response waits for it. */
  readonly meanwhile?: () => Promise<unknown>;
  /** For `server-error` and `reply`. */
  readonly status?: number;
  /** For `reply`. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The faults of a sandbox; they may be changed while it runs. */
export interface Faults {
  readonly add: (fault: Fault) => void;
  readonly clear: () => void;
  /** Number of active faults. */
  readonly pending: () => number;
}

/** Faults with the members for the server. */
export interface FaultBox extends Faults {
  /** The fault for a request, which uses up one of its times. */
  readonly take: (request: SandboxRequest) => Fault | undefined;
}

/** Starts without faults. */
export function startFaults(now: () => number): FaultBox {
  let faults: { readonly fault: Fault; readonly until: number; left: number }[] = [];
  const alive = (): typeof faults => {
    faults = faults.filter((each) => each.left > 0 && now() < each.until);
    return faults;
  };
  return {
    add: (fault) => {
      const lasting = fault.forMs === undefined ? 1 : Number.POSITIVE_INFINITY;
      faults.push({ fault, left: fault.times ?? lasting, until: now() + (fault.forMs ?? Number.POSITIVE_INFINITY) });
    },
    clear: () => {
      faults = [];
    },
    pending: () => alive().length,
    take: (request) => {
      const struck = alive().find(({ fault }) => strikes(fault, request));
      if (struck === undefined) return undefined;
      struck.left -= 1;
      return struck.fault;
    },
  };
}

function strikes(fault: Fault, request: SandboxRequest): boolean {
  return (
    (fault.operation === undefined || fault.operation === request.operation) &&
    (fault.projectId === undefined || fault.projectId === request.projectId) &&
    (fault.instanceId === undefined || fault.instanceId === request.instanceId) &&
    (fault.when?.(request) ?? true)
  );
}
