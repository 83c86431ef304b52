import type { EventEmitter } from 'node:events';

/** What the user meant to stop with Ctrl-C. */
const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** npm hands the terminal's Ctrl-C on to a process that has it already. */
const SAME_CTRL_C_MS = 1_000;

export interface StopParts {
  readonly process: Pick<EventEmitter, 'on'>;
  readonly now: () => number;
  readonly exit: (code: number) => void;
}

/**
 * A signal that aborts with the first SIGINT or SIGTERM. Another one within a second is the same Ctrl-C; a later one does not
 * wait for anything. To be called before anything is loaded: until then the first Ctrl-C ends the process.
 */
export function stopSignal({ process: target, now, exit }: StopParts): AbortSignal {
  const stop = new AbortController();
  let stoppedAt = 0;
  for (const [name, number] of Object.entries(STOP_SIGNALS)) {
    target.on(name, () => {
      if (stop.signal.aborted) {
        if (now() - stoppedAt >= SAME_CTRL_C_MS) exit(128 + number);
        return;
      }
      stoppedAt = now();
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  return stop.signal;
}
