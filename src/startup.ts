import type { EventEmitter } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Numbers of the signals that stop the process; a forced exit has code 128 plus this number. */
const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** npm forwards the terminal's Ctrl-C to a process that has already received it. */
const SAME_CTRL_C_MS = 1_000;

export interface StopParts {
  readonly process: Pick<EventEmitter, 'on'>;
  readonly now: () => number;
  readonly exit: (code: number) => void;
}

/**
 * A signal that aborts on the first SIGINT or SIGTERM. Another one within a second is the same Ctrl-C; a later one
 * exits at once. Call it before loading anything: until then the first Ctrl-C kills the process.
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
 * The directory of Node's compile cache; null if other users can write to it. Such a user could change the code that
 * runs here. Node's default, below /tmp, may be a directory that another user created.
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
