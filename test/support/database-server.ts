import { hash } from 'node:crypto';
import { rm, statfs } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';
import { testDatabases, withAdmin } from './databases.ts';

export interface TestServer {
  readonly url: string;
  /** How Postgres copies the template: files are copied in no time in memory, and flushed first on a disk. */
  readonly strategy: 'file_copy' | 'wal_log';
  stop(): Promise<unknown>;
}

/** What tests need not wait for: their databases do not outlive a power failure. */
const FAST = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_wal_size: '256MB',
  max_connections: 300,
};

/** A folder of Linux that is in memory. */
const MEMORY = '/dev/shm';
/** What the databases of a run take at most, with room to spare. */
const NEEDED_BYTES = 2 * 2 ** 30;

/** `TEST_DATABASE_URL`, else a container where an engine answers, else the embedded server. Never none. */
export async function startTestServer(): Promise<TestServer> {
  const url = process.env.TEST_DATABASE_URL;
  if (url) return { url, strategy: 'wal_log', stop: async () => {} };
  return (await container()) ?? (await embedded());
}

/**
 * Testcontainers' own reaper (Ryuk) removes the container of a killed run. Where its image cannot be pulled, set
 * TESTCONTAINERS_RYUK_DISABLED=true; a killed run then leaves its container behind.
 */
async function container(): Promise<TestServer | null> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return null; // no engine answers
  }
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const settings = Object.entries(FAST).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  try {
    const started = await new PostgreSqlContainer('postgres:18').withCommand(['postgres', ...settings]).start();
    return { url: started.getConnectionUri(), strategy: 'wal_log', stop: () => started.stop() };
  } catch (error) {
    console.warn(
      `a container engine answers, but postgres:18 does not start there (${error}); using the embedded server`,
    );
    return null;
  }
}

/**
 * One directory for each checkout, so that two of them never meet on one server. It is not one for each run: a killed run leaves
 * a server that the next run joins and stops, and the database of a failed test is still there afterwards. Memory is given back
 * where no test failed.
 */
async function embedded(): Promise<TestServer> {
  const checkout = hash('sha256', import.meta.dirname).slice(0, 12);
  const inMemory = await hasRoom();
  const root = join(inMemory ? MEMORY : tmpdir(), `security-sync-test-${userInfo().uid}`);
  const directory = join(root, `postgres-${checkout}`);
  const server = await startEmbeddedPostgres(directory, FAST);
  return {
    url: server.url,
    strategy: inMemory ? 'file_copy' : 'wal_log',
    async stop() {
      const isEmpty = await withAdmin(server.url, async (admin) => (await testDatabases(admin)).length === 0);
      const outcome = await server.release();
      if (inMemory && isEmpty && outcome === 'stopped') await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Creating the files of a hundred databases takes a disk a minute, and memory a few seconds. */
async function hasRoom(): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize > NEEDED_BYTES;
  } catch {
    return false; // not Linux
  }
}
