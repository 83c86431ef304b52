import type { EventEmitter } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

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

/**
 * Where Node keeps what it made of these files; null where other users can write. A user who
 * can write there decides which code runs here, and Node's choice, below /tmp, may be a directory that another user made.
 */
export function compileCache(): string | null {
  try {
    const home = homedir();
    const { uid, mode } = statSync(home);
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return null;
    const directory = join(home, '.cache', 'security-sync');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const made = statSync(directory);
    return made.uid === uid && (made.mode & 0o022) === 0 ? directory : null;
  } catch {
    return null; // No home, or a file system that is read only.
  }
}
