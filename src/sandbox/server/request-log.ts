/** A logged request. */
export interface LoggedRequest {
  readonly time: number;
  readonly method: string;
  readonly path: string;
  /** Undefined for an unknown path. */
  readonly operation: string | undefined;
  readonly status: number;
  readonly user: string | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
  /** Number of calls of the operation, including this one. */
  readonly call: number;
  readonly requestId: string;
}

/** The last requests, and the number of calls by operation. */
export interface RequestLog {
  readonly entries: () => readonly LoggedRequest[];
  /** All calls of an operation since the start or the last `clear`, including those no longer in the log. */
  readonly count: (operation?: string) => number;
  readonly clear: () => void;
}

/** The log with its write interface. */
export interface RequestRecorder extends RequestLog {
  readonly record: (request: LoggedRequest) => void;
}

/** Starts an empty log that keeps at least `size` requests. */
export function startLog(size: number): RequestRecorder {
  let entries: LoggedRequest[] = [];
  let counts = new Map<string, number>();
  let total = 0;
  return {
    entries: () => entries.slice(-size),
    count: (operation) => (operation === undefined ? total : (counts.get(operation) ?? 0)),
    clear: () => {
      entries = [];
      counts = new Map();
      total = 0;
    },
    record: (request) => {
      total += 1;
      const operation = request.operation ?? 'unknown';
      counts.set(operation, (counts.get(operation) ?? 0) + 1);
      entries.push(request);
      // Drops entries in blocks, which keeps the cost per request constant.
      if (entries.length > size * 2) entries = entries.slice(-size);
    },
  };
}
