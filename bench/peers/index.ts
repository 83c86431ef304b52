import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEMO_PASSWORD_USER, DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import type { BenchServer } from '../support/database.ts';
import { median } from '../support/median.ts';
import type { Line } from '../support/report.ts';
import { openSandbox } from '../support/sandbox.ts';
import { runSync, type SyncPlace } from '../support/sync.ts';

const run = promisify(execFile);

const EVENTS = Number(process.env.BENCH_EVENTS ?? 50_000);
const TURNS = Number(process.env.BENCH_TURNS ?? 5);
const WALKS = ['first load', 'unchanged', '10 % changed'] as const;
const OURS = 'security-sync';

const ROOT = join(import.meta.dirname, '..', '..');

/** Scripts in this folder. Those in Python have a file with their packages, installed in an environment of their own. */
const PEERS = ['plain-node.ts', 'plain_python.py', 'dlt_default.py', 'dlt_arrow.py'] as const;

/** One walk of one tool: the whole command, with its start. */
interface Measured {
  readonly tool: string;
  readonly walk: (typeof WALKS)[number];
  readonly turn: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMb: number;
  readonly walMb: number;
}

type Usage = Pick<Measured, 'cpuMs' | 'peakMb'>;
type Command = (place: SyncPlace) => Promise<Usage>;

/**
 * Runs `sync` and other ways of reading the same list, all with the same events, sandbox and server, in turns: a first
 * load into an empty table, again unchanged, and after a tenth of the events has changed. The list has no cap, because
 * the others cannot read beyond one; each reads 250 pages of 200. Prints medians, and what ours takes in relation to
 * each of them: median, least and most of the turns. BENCH_TURNS (5) and BENCH_EVENTS (50,000) change the size,
 * BENCH_PEERS (`plain-node.ts,plain_python.py`) selects.
 */
export async function peers(server: BenchServer): Promise<readonly Line[]> {
  const folder = await mkdtemp(join(tmpdir(), 'security-sync-package-'));
  const tools = await availableTools(await packaged(folder));
  const all: Measured[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) all.push(...(await oneTurn(server, tools, turn)));
  await rm(folder, { recursive: true });
  return [...tools.keys()].flatMap((tool) => WALKS.map((walk) => lineOf(all, tool, walk)));
}

async function oneTurn(
  server: BenchServer,
  tools: ReadonlyMap<string, Command>,
  turn: number,
): Promise<readonly Measured[]> {
  const directory = await mkdtemp(join(tmpdir(), 'security-sync-peers-'));
  const estate = { events: EVENTS, clusters: 12, noisyCluster: false, eventCap: EVENTS * 2 };
  const sandbox = await openSandbox(estate);
  try {
    return await server.withDatabase(async (pool, url) => {
      const place = { directory, databaseUrl: url, sandboxUrl: sandbox.url };
      const position = async (): Promise<number> => {
        const { rows } = await pool.query<{ at: number }>(`select (pg_current_wal_insert_lsn() - '0/0')::float8 as at`);
        return rows[0]?.at ?? 0;
      };
      await runSync(place, 'hss_protected_clusters');
      const all: Measured[] = [];
      for (const walk of WALKS) {
        if (walk === '10 % changed') await sandbox.handle(EVENTS / 10);
        for (const [tool, command] of rotated([...tools], turn)) {
          const before = await position();
          const started = performance.now();
          const usage = await command(place);
          const wallMs = performance.now() - started;
          all.push({ tool, walk, turn, wallMs, ...usage, walMb: ((await position()) - before) / 2 ** 20 });
          // Otherwise Postgres does it during one of the next walks.
          await pool.query('vacuum analyze');
        }
      }
      return all;
    });
  } finally {
    await sandbox.close();
    await rm(directory, { recursive: true });
  }
}

/** The first tool of a turn reads from a sandbox that has not compiled its code yet, so each turn begins with another. */
function rotated<T>(all: readonly T[], turn: number): readonly T[] {
  const first = turn % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

function lineOf(all: readonly Measured[], tool: string, walk: Measured['walk']): Line {
  const its = all.filter((one) => one.tool === tool && one.walk === walk);
  const ours = all.filter((one) => one.tool === OURS && one.walk === walk);
  const middle = (pick: (one: Measured) => number) => Number(median(its.map(pick)).toPrecision(3));
  const ratio = (pick: (one: Measured) => number) => spread(its.map((one, at) => pick(ours[at] ?? one) / pick(one)));
  const figures = {
    's wall': middle(({ wallMs }) => wallMs / 1000),
    's CPU': middle(({ cpuMs }) => cpuMs / 1000),
    'MB peak': middle(({ peakMb }) => peakMb),
    'MB WAL': middle(({ walMb }) => walMb),
  };
  if (tool === OURS) return { benchmark: `${tool}, ${walk}`, figures };
  const ratios = {
    'ours / its wall': ratio(({ wallMs }) => wallMs),
    'ours / its CPU': ratio(({ cpuMs }) => cpuMs),
  };
  return { benchmark: `${tool}, ${walk}`, figures: { ...figures, ...ratios } };
}

/** `0.85 (0.80 to 0.91)`: median, least and most. */
function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
}

/** Ours as users of the package and the image have it: one bundle, without the sources. Returns the command's file. */
async function packaged(folder: string): Promise<string> {
  await run(process.execPath, [join(ROOT, 'scripts', 'build.ts'), '--bundle']);
  for (const part of ['dist', 'package.json']) await symlink(join(ROOT, part), join(folder, part));
  const command = join(folder, 'bin', 'security-sync.js');
  await mkdir(join(folder, 'bin'));
  await copyFile(join(ROOT, 'bin', 'security-sync.js'), command);
  return command;
}

async function availableTools(main: string): Promise<ReadonlyMap<string, Command>> {
  const tools = new Map<string, Command>([
    [OURS, async (place) => await runSync({ ...place, main }, 'hss_cluster_events', '--full')],
  ]);
  for (const script of PEERS.filter((one) => (process.env.BENCH_PEERS ?? one).includes(one))) {
    const program = script.endsWith('.py') ? await environment(script) : process.execPath;
    if (program !== null) tools.set(script, (place) => runScript(program, script, place));
  }
  return tools;
}

/** The Python of a script's virtual environment; null, with a message, if it cannot be created. */
async function environment(script: string): Promise<string | null> {
  const name = script.replace('.py', '');
  const directory = join(tmpdir(), `security-sync-bench-${userInfo().uid}`, name);
  const python = join(directory, 'bin', 'python');
  const packages = join(import.meta.dirname, `${name}.requirements.txt`);
  try {
    await mkdir(join(directory, '..'), { recursive: true });
    await run('python3', ['-m', 'venv', directory]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '-r', packages], { timeout: 600_000 });
    return python;
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    console.error(`${script} skipped: it needs python3 and PyPI (${reason})`);
    return null;
  }
}

async function runScript(program: string, script: string, place: SyncPlace): Promise<Usage> {
  const { directory, databaseUrl, sandboxUrl } = place;
  const token = await tokenOf(sandboxUrl);
  const args = [
    join(import.meta.dirname, script),
    sandboxUrl,
    DEMO_PROJECT.id,
    token,
    databaseUrl,
    join(directory, script),
  ];
  const env = { ...process.env, RUNTIME__DLTHUB_TELEMETRY: 'false', PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await run(program, args, { env, maxBuffer: 16 * 2 ** 20 });
  const { rows, ...usage }: Usage & { readonly rows: number } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  if (rows !== EVENTS) throw new Error(`${script} has ${rows} of ${EVENTS} rows`);
  return usage;
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
