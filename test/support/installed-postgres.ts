import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { runProgram, serverPrograms } from '../../src/postgres/embedded/files.ts';
import { freePort } from './replica.ts';

/**
 * Servers of the Postgres that is installed on this machine, with its client programs: the embedded one comes without `pg_dump` and
 * `pg_restore`, and those of an older version do not read a newer server.
 */

const DEBIAN = '/usr/lib/postgresql';

function programFolder(): string {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  const found = [...(process.env.PATH ?? '').split(delimiter), ...debian.sort().reverse()].find((folder) =>
    ['initdb', 'pg_ctl', 'pg_dump', 'pg_restore', 'psql'].every((name) => existsSync(join(folder, name))),
  );
  if (found === undefined)
    throw new Error('this test needs a Postgres server and its tools: apt-get install postgresql');
  return found;
}

/** An empty server of its own, with the superuser `postgres` and no passwords; it ends with the test. Answers its URL. */
export async function startCluster(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'installed-postgres-'));
  await chmod(folder, 0o777);
  const data = join(folder, 'data');
  const programs = { ...(await serverPrograms(data, false)), bin: programFolder() };
  const run = async (...call: [string, ...string[]]) => {
    const { code, output } = await runProgram(programs, call, folder);
    if (code !== 0) throw new Error(`${call[0]} failed: ${output}`);
  };
  await run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync');
  const port = await freePort();
  const settings = `-c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off`;
  await run('pg_ctl', 'start', '-w', '-D', data, '-l', join(folder, 'log'), '-o', settings);
  onTestFinished(async () => {
    await run('pg_ctl', 'stop', '-m', 'immediate', '-D', data);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

/** Runs a client program of that Postgres to its end and answers what it wrote. Throws with its messages when it fails. */
export async function client(name: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(join(programFolder(), name), args, { maxBuffer: 100 * 1024 * 1024 });
  return stdout;
}
