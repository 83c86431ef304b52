import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEMO_PASSWORD_USER, DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import type { BenchServer } from '../support/database.ts';
import type { Line } from '../support/report.ts';
import { openSandbox } from '../support/sandbox.ts';
import { runSync, type SyncPlace } from '../support/sync.ts';

const run = promisify(execFile);

const EVENTS = 50_000;

/**
 * Runs dlt and `sync` with the same events, sandbox and server within the same minutes: first into an empty database,
 * then unchanged. dlt cannot read beyond a cap, so the sandbox shows it the list without one; `sync` reads the capped
 * list in parts.
 */
export async function peers(server: BenchServer): Promise<readonly Line[]> {
  const python = await environment();
  if (python === null) return [];
  const directory = await mkdtemp(join(tmpdir(), 'security-sync-peers-'));
  const estate = { events: EVENTS, clusters: 200, noisyCluster: false };
  const [open, capped] = await Promise.all([openSandbox({ ...estate, eventCap: EVENTS * 2 }), openSandbox(estate)]);
  try {
    return await server.withDatabase(async (_, url) => {
      const lines: Line[] = [];
      const line = (what: string, seconds: number) =>
        lines.push({
          benchmark: what,
          figures: { 'rows/s': Math.round(EVENTS / seconds), s: Math.round(seconds * 10) / 10 },
        });
      const ours = { directory, databaseUrl: url, sandboxUrl: capped.url };
      const dlt = { python, directory, databaseUrl: url, sandboxUrl: open.url };
      await runSync(ours, 'hss_protected_clusters');
      for (const walk of ['first load', 'unchanged']) {
        line(`dlt 1.18.2, ${walk}`, await runDlt(dlt));
        const { report } = await runSync(ours, 'hss_cluster_events', '--full');
        line(`security-sync beside it, ${walk}`, report.duration_ms / 1000);
      }
      return lines;
    });
  } finally {
    await Promise.all([open.close(), capped.close()]);
    await rm(directory, { recursive: true });
  }
}

/** The Python of a virtual environment with dlt; null, with a message, if it cannot be created. */
async function environment(): Promise<string | null> {
  const directory = join(tmpdir(), `security-sync-bench-${userInfo().uid}`, 'dlt');
  const python = join(directory, 'bin', 'python');
  try {
    await mkdir(join(directory, '..'), { recursive: true });
    await run('python3', ['-m', 'venv', directory]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '-r', join(import.meta.dirname, 'requirements.txt')], {
      timeout: 300_000,
    });
    return python;
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    console.error(`peers skipped: dlt needs python3 and PyPI (${reason})`);
    return null;
  }
}

async function runDlt({ python, directory, databaseUrl, sandboxUrl }: SyncPlace & { python: string }): Promise<number> {
  const script = join(import.meta.dirname, 'dlt_events.py');
  const args = [script, sandboxUrl, DEMO_PROJECT.id, await tokenOf(sandboxUrl), databaseUrl, join(directory, 'dlt')];
  const env = { ...process.env, RUNTIME__DLTHUB_TELEMETRY: 'false' };
  const { stdout } = await run(python, args, { env, maxBuffer: 16 * 2 ** 20 });
  const { seconds, rows }: { seconds: number; rows: number } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  if (rows !== EVENTS) throw new Error(`dlt has ${rows} of ${EVENTS} rows`);
  return seconds;
}

async function tokenOf(sandbox: string): Promise<string> {
  const { name, password, domain } = DEMO_PASSWORD_USER;
  const user = { name, password, domain: { name: domain } };
  const body = {
    auth: {
      identity: { methods: ['password'], password: { user } },
      scope: { project: { name: DEMO_PROJECT.region } },
    },
  };
  const answer = await fetch(`${sandbox}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify(body) });
  const token = answer.headers.get('x-subject-token');
  if (token === null) throw new Error(`the sandbox gave no token: ${await answer.text()}`);
  return token;
}
