import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'migrations');

export interface Version {
  /** How many of the committed migrations this version has; all of them when absent. */
  readonly first?: number;
  /** Migrations that come after those. */
  readonly more?: readonly string[];
  /** Changes the script of views and comments; null for a version that has none. */
  readonly script?: ((text: string) => string) | null;
}

/** The migrations folder of another version of the program: earlier, or one that is still to come. */
export async function migrationsFolder({ first, more = [], script = (text) => text }: Version): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'security-sync-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(MIGRATIONS, folder, { recursive: true });
  const path = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(await readFile(path, 'utf8'));
  const kept = journal.entries.slice(0, first);
  const added = more.map((_, index) => ({
    idx: kept.length + index,
    version: '7',
    when: kept.at(-1).when + index + 1,
    tag: `later_${index}`,
    breakpoints: true,
  }));
  await writeFile(path, JSON.stringify({ ...journal, entries: [...kept, ...added] }));
  for (const [index, sql] of more.entries()) await writeFile(join(folder, `later_${index}.sql`), sql);
  const file = join(folder, 'repeatable.sql');
  if (script === null) await rm(file);
  else await writeFile(file, script(await readFile(file, 'utf8')));
  return folder;
}
