/** A request as the sandbox remembers it. */
export interface LoggedRequest {
  readonly time: number;
  readonly method: string;
  readonly path: string;
  /** Undefined for a path that does not exist. */
  readonly operation: string | undefined;
  readonly status: number;
  readonly user: string | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
  /** How many calls of the operation there were, this one included. */
  readonly call: number;
  readonly requestId: string;
}

/** The last requests, and how many there were of each operation. */
export interface RequestLog {
  readonly entries: () => readonly LoggedRequest[];
  /** All calls of an operation since the start or the last `clear`, also those that the log has dropped. */
  readonly count: (operation?: string) => number;
  readonly clear: () => void;
}

/** The log with its writing side. */
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
      // Dropping in blocks keeps a request cheap, however long the log is.
      if (entries.length > size * 2) entries = entries.slice(-size);
    },
  };
}
