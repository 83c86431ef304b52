import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { DEMO_KEY, DEMO_PROJECT, type Sandbox } from '../../src/sandbox/server/server.ts';
import { COMPILE_CACHE } from './cli.ts';
import { CHILD_CLOCK } from './clock.ts';
import { READ_BY_DEFAULT } from './engine.ts';
import { firstLineOf } from './first-line.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const START = firstLineOf(MAIN);

export interface ServiceConfig {
  readonly databaseUrl: string;
  readonly sandbox: Pick<Sandbox, 'url'>;
  /** For every stream, or by its name. */
  readonly schedule?: string | Readonly<Record<string, string>>;
  /** Only these; all when absent. */
  readonly streams?: readonly string[];
  readonly requestsPerMinute?: number;
  readonly projects?: readonly { readonly id: string; readonly region: string }[];
  /** Further top-level lines. */
  readonly more?: readonly string[];
}

const ALL_STREAMS = READ_BY_DEFAULT.map(({ name }) => name);

/** A configuration file that reads a sandbox; gone after the test. */
export async function writeConfig(config: ServiceConfig): Promise<string> {
  const {
    databaseUrl,
    sandbox,
    schedule,
    streams = ALL_STREAMS,
    requestsPerMinute = 6_000,
    projects = [DEMO_PROJECT],
    more = [],
  } = config;
  const folder = await mkdtemp(join(tmpdir(), 'security-sync-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const settings = ALL_STREAMS.map((name) => {
    const cron = typeof schedule === 'object' ? schedule[name] : schedule;
    return `  ${name}: { enabled: ${streams.includes(name)}${cron === undefined ? '' : `, schedule: "${cron}"`} }`;
  });
  const file = join(folder, 'security-sync.yaml');
  await writeFile(
    file,
    [
      `database: { url: "${databaseUrl}" }`,
      'accounts:',
      '  - name: sandbox',
      `    auth: { kind: aksk, accessKey: ${DEMO_KEY.accessKey}, secretKey: ${DEMO_KEY.secretKey} }`,
      '    projects:',
      ...projects.map(({ id, region }) => `      - { id: "${id}", region: ${region} }`),
      `    endpoints: { hss: "${sandbox.url}", dbss: "${sandbox.url}", iam: "${sandbox.url}", eps: "${sandbox.url}" }`,
      `    requestsPerMinute: ${requestsPerMinute}`,
      'streams:',
      ...settings,
      ...more,
    ].join('\n'),
  );
  return file;
}

export interface Replica {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it has written so far, both outputs. */
  output(): string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | string>;
}

/** A process of the service with a port of its own. Killed at the end of the test if it is still there. */
export async function startReplica(configFile: string, env: Readonly<Record<string, string>> = {}): Promise<Replica> {
  const port = await freePort();
  const child = spawn(process.execPath, [...START.args, ...CHILD_CLOCK.args, MAIN, 'run', '--config', configFile], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...START.env,
      ...CHILD_CLOCK.env(),
      SECURITY_SYNC_PORT: String(port),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone'));
  });
  onTestFailed(() =>
    console.warn(`what the replica on port ${port} said last:\n${text.split('\n').slice(-12).join('\n')}`),
  );
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await ended;
  });
  return {
    process: child,
    url: `http://127.0.0.1:${port}`,
    output: () => text,
    ended,
    signal: (name) => void child.kill(name),
    stop: async () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** Ready by its own account, or the reason why it is not. */
export async function readyOf(replica: Replica): Promise<unknown> {
  try {
    const response = await fetch(`${replica.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
    return response.status === 200 ? 'ready' : await response.json();
  } catch (error) {
    return String(error);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
