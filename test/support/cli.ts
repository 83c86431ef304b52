import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { DEMO_KEY, DEMO_PROJECT, type Sandbox } from '../../src/sandbox/server/server.ts';
import { CHILD_CLOCK } from './clock.ts';
import { firstLineOf } from './first-line.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START = firstLineOf(MAIN);

/** Compiled once for all the processes of a run: half of a start is compiling. */
export const COMPILE_CACHE = join(tmpdir(), `security-sync-test-${userInfo().uid}`, 'compile-cache');

/** Says at its end how much memory the process had at most. */
const WATCH_MEMORY = `data:text/javascript,process.on('exit',()=>process.stderr.write('maxrss '+process.resourceUsage().maxRSS+'\\n'))`;

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface ProcessResult extends CliResult {
  /** Most memory the process ever held, in MB. */
  readonly peakMb: number;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly result: Promise<ProcessResult>;
  /** What is on stdout so far, as soon as it matches. */
  until(pattern: RegExp): Promise<string>;
}

/** The real command as a process of its own. */
export function startCli(args: readonly string[], { cwd, env = {} }: CliOptions): RunningCli {
  const child = spawn(process.execPath, [...START.args, ...CHILD_CLOCK.args, '--import', WATCH_MEMORY, MAIN, ...args], {
    cwd,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NO_COLOR: '1',
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...START.env,
      ...CHILD_CLOCK.env(),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  const result = closed.then(() => ({
    code: child.exitCode,
    stdout,
    stderr: stderr.replace(/^maxrss \d+\n/m, ''),
    peakMb: Number(/^maxrss (\d+)/m.exec(stderr)?.[1] ?? Number.NaN) / 1024,
  }));
  return {
    child,
    result,
    async until(pattern) {
      while (!pattern.test(stdout)) {
        const more = await Promise.race([once(child.stdout, 'data'), closed.then(() => null)]);
        if (more === null && !pattern.test(stdout)) throw new Error(`ended without ${pattern}:\n${stdout}\n${stderr}`);
      }
      return stdout;
    },
  };
}

let lastCall: Promise<unknown> = Promise.resolve();

/**
 * The command in this process, which saves the half second that a process takes to start. What signals do to it, and what a
 * process leaves behind, is for `startCli`.
 */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  // One at a time: working directory and environment belong to the whole process.
  const result = lastCall.then(() => callCli(args, options));
  lastCall = result;
  return result;
}

async function callCli(args: readonly string[], { cwd, env = {} }: CliOptions): Promise<CliResult> {
  const [directory, environment] = [process.cwd(), { ...process.env }];
  const [stdout, stderr] = [collector(), collector()];
  const { PATH, HOME } = environment;
  try {
    process.chdir(cwd);
    setEnvironment({ PATH, HOME, NO_COLOR: '1', ...env });
    const io = { stdout: stdout.stream, stderr: stderr.stream };
    const code = await main([process.execPath, MAIN, ...args], new AbortController().signal, io);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(directory);
    setEnvironment(environment);
  }
}

function collector() {
  let text = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _, done) {
      text += chunk;
      done();
    },
  });
  return { stream, text: () => text };
}

/** In place: Node itself reads some of the variables, and only this object sets them for it. */
function setEnvironment(wanted: Readonly<NodeJS.ProcessEnv>): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) process.env[name] = value;
}

/** A working directory of its own, so that nothing is read from or written to this one's. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'security-sync-cli-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

export interface ConfigFor {
  readonly sandbox: Pick<Sandbox, 'url'>;
  /** Absent: the embedded database below the working directory. */
  readonly databaseUrl?: string;
  readonly secretKey?: string;
  readonly projects?: readonly string[];
  readonly requestsPerMinute?: number;
}

/** A working directory with a `security-sync.yaml` that reads a sandbox. */
export async function directoryFor({
  sandbox: { url },
  databaseUrl,
  secretKey = DEMO_KEY.secretKey,
  projects = [DEMO_PROJECT.id],
  requestsPerMinute = 6_000,
}: ConfigFor): Promise<string> {
  const directory = await temporaryDirectory();
  const lines = [
    ...(databaseUrl === undefined ? [] : [`database: { url: "${databaseUrl}" }`]),
    'accounts:',
    '  - name: test',
    `    auth: { kind: aksk, accessKey: ${DEMO_KEY.accessKey}, secretKey: ${secretKey} }`,
    '    projects:',
    ...projects.map((id) => `      - { id: ${id}, region: ${DEMO_PROJECT.region} }`),
    `    endpoints: { hss: "${url}", dbss: "${url}", iam: "${url}", eps: "${url}" }`,
    `    requestsPerMinute: ${requestsPerMinute}`,
  ];
  await writeFile(join(directory, 'security-sync.yaml'), `${lines.join('\n')}\n`);
  return directory;
}
