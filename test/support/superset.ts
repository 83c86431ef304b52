import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { freePort } from './replica.ts';
import { tool } from './tool.ts';

/**
 * A real BI client: Apache Superset, in the versions of `superset/requirements.txt`, in an environment of its own that is made
 * when it is first asked for and kept in the cache of the user.
 */

const FOLDER = join(import.meta.dirname, 'superset');
const REQUIREMENTS = join(FOLDER, 'requirements.txt');
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'security-sync');
const python = tool('python3', 'apt-get install python3 python3-venv; Superset works with 3.10 to 3.12');

const USER = { username: 'admin', password: 'admin' };

/** What Superset answers to a request that made something. */
const made = z.object({ id: z.number() });

export interface Superset {
  readonly url: string;
  /** Who may do everything in it. */
  readonly user: typeof USER;
  /** Asks its REST API; any answer but a 2xx fails the test with the text of it. */
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown>;
  /** Makes a database, dataset, chart or dashboard and answers its id. */
  make(kind: 'database' | 'dataset' | 'chart' | 'dashboard', body: unknown): Promise<number>;
}

async function execute(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  await promisify(execFile)(program, args, { env, maxBuffer: 100 * 1024 * 1024 }).catch((error: unknown) => {
    const said = z.object({ stdout: z.string(), stderr: z.string() }).safeParse(error).data;
    const last = `${said?.stdout ?? ''}${said?.stderr ?? String(error)}`.slice(-2_000);
    throw new Error(`${program} ${args.join(' ')} failed: ${last}`);
  });
}

/** The program `superset`; its environment is made where there is none for these requirements. */
async function installed(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const environment = join(CACHE, `superset-${version}`);
  const program = join(environment, 'bin', 'superset');
  // Written last, so that an installation that was interrupted is repeated.
  const mark = join(environment, 'installed');
  if (existsSync(mark)) return program;
  await rm(environment, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await execute(python(), ['-m', 'venv', environment]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--prefer-binary', '--requirement', REQUIREMENTS];
  await execute(join(environment, 'bin', 'python'), pip);
  await writeFile(mark, '');
  return program;
}

/** Superset on a port of its own, with nothing in it but an administrator; it ends with the test. */
export async function startSuperset(): Promise<Superset> {
  const program = await installed();
  const home = await mkdtemp(join(tmpdir(), 'superset-'));
  const env = {
    ...process.env,
    SUPERSET_HOME: home,
    SUPERSET_CONFIG_PATH: join(FOLDER, 'superset_config.py'),
    SUPERSET_SECRET_KEY: randomBytes(42).toString('base64'),
    FLASK_APP: 'superset',
    // It asks nothing of the network.
    SCARF_ANALYTICS: 'false',
  };
  const administrator = ['--username', USER.username, '--password', USER.password, '--email', 'admin@example.org'];
  await execute(program, ['db', 'upgrade'], env);
  await execute(program, ['fab', 'create-admin', ...administrator, '--firstname', 'A', '--lastname', 'B'], env);
  await execute(program, ['init'], env);
  const port = await freePort();
  const server = spawn(program, ['run', '--with-threads', '--port', String(port)], { env });
  const log = createWriteStream(join(home, 'log'));
  server.stdout.pipe(log);
  server.stderr.pipe(log, { end: false });
  onTestFinished(async ({ task }) => {
    server.kill();
    if (task.result?.state === 'fail') console.error((await readFile(join(home, 'log'), 'utf8')).slice(-4_000));
    await rm(home, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${url}/health`)
      .then(({ ok }) => ok)
      .catch(() => false);
  await expect.poll(isUp, { timeout: 300_000, interval: 1_000 }).toBe(true);
  return { url, user: USER, ...(await signIn(url)) };
}

async function signIn(url: string): Promise<Pick<Superset, 'ask' | 'make'>> {
  const request = async (method: string, path: string, { body, token }: { body?: unknown; token?: string }) => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    expect(response.ok, `${method} ${path} was answered with ${response.status}: ${text.slice(0, 2_000)}`).toBe(true);
    const answer: unknown = JSON.parse(text);
    return answer;
  };
  const login = await request('POST', 'security/login', { body: { ...USER, provider: 'db', refresh: false } });
  const { access_token: token } = z.object({ access_token: z.string() }).parse(login);
  const ask: Superset['ask'] = (method, path, body) => request(method, path, { body, token });
  return { ask, make: async (kind, body) => made.parse(await ask('POST', `${kind}/`, body)).id };
}
