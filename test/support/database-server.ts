import { hash } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';

export interface TestServer {
  readonly url: string;
  stop(): Promise<unknown>;
}

/** What tests need not wait for: their databases do not outlive a power failure. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: 300 };

/** `TEST_DATABASE_URL`, else a container where an engine answers, else the embedded server. Never none. */
export async function startTestServer(): Promise<TestServer> {
  const url = process.env.TEST_DATABASE_URL;
  if (url) return { url, stop: async () => {} };
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
    return { url: started.getConnectionUri(), stop: () => started.stop() };
  } catch (error) {
    console.warn(
      `a container engine answers, but postgres:18 does not start there (${error}); using the embedded server`,
    );
    return null;
  }
}

/**
 * One directory for each checkout, so that two of them never meet on one server. It is not one for each run: a killed run leaves
 * a server that the next run joins and stops, and the database of a failed test is still there afterwards.
 */
async function embedded(): Promise<TestServer> {
  const checkout = hash('sha256', import.meta.dirname).slice(0, 12);
  const directory = join(tmpdir(), `security-sync-test-${userInfo().uid}`, `postgres-${checkout}`);
  const server = await startEmbeddedPostgres(directory, FAST);
  return { url: server.url, stop: () => server.release() };
}
