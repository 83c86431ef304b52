import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { RunReport } from '../../src/core/store.ts';
import { DEMO_KEY, DEMO_PROJECT } from '../../src/sandbox/server/server.ts';

export interface SyncRun {
  readonly report: RunReport;
  /** CPU time of the whole process, including start and imports. */
  readonly cpuMs: number;
  readonly peakMb: number;
}

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
/** JavaScript: Node's loader of TypeScript would be measured as well. */
const USAGE = join(import.meta.dirname, 'usage.js');

/** Where the command works. */
export interface SyncPlace {
  /** For its configuration and what it measures. */
  readonly directory: string;
  readonly databaseUrl: string;
  readonly sandboxUrl: string;
  /** The file to run; the sources by default. */
  readonly main?: string;
}

/** Runs the real command `security-sync sync` and measures its process. Reports the last stream named. */
export async function runSync(place: SyncPlace, ...args: readonly string[]): Promise<SyncRun> {
  const { directory, databaseUrl, sandboxUrl, main = MAIN } = place;
  const config = join(directory, 'security-sync.yaml');
  const usage = join(directory, 'usage.json');
  await writeFile(config, configuration(databaseUrl, sandboxUrl));
  const env = {
    ...process.env,
    // `env` in the first line of the file must find the same Node as this process uses.
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    NODE_OPTIONS: `--import=${USAGE} ${process.env.NODE_OPTIONS ?? ''}`,
    BENCH_USAGE: usage,
  };
  const child = spawn(main, ['sync', ...args, '--json', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env,
  });
  const [out, log] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0)
    throw new Error(`sync ${args.join(' ')} ended with ${child.exitCode}:\n${out}\n${log.slice(-2000)}`);
  const { runs }: { runs: RunReport[] } = JSON.parse(out);
  const report = runs.at(-1);
  if (report === undefined) throw new Error('sync reported no run');
  const used: Pick<SyncRun, 'cpuMs' | 'peakMb'> = JSON.parse(await readFile(usage, 'utf8'));
  return { report, ...used };
}

function configuration(databaseUrl: string, url: string): string {
  return JSON.stringify({
    database: { url: databaseUrl },
    accounts: [
      {
        name: 'bench',
        auth: { kind: 'aksk', accessKey: DEMO_KEY.accessKey, secretKey: DEMO_KEY.secretKey },
        projects: [{ id: DEMO_PROJECT.id, region: DEMO_PROJECT.region }],
        endpoints: { hss: url, dbss: url, iam: url, eps: url },
        requestsPerMinute: 6000,
      },
    ],
    log: { level: 'warn' },
  });
}
