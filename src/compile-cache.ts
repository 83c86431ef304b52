import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

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
