import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Logger as Pino } from 'pino';
import { type App, openApp } from '../app.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { ConfigurationError, DatabaseError } from '../core/errors.ts';
import type { RunReport } from '../core/store.ts';
import type { Stream } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { type Database, openDatabase } from '../database.ts';
import { createLogger } from '../logger.ts';
import { createMetrics, type Metrics } from '../ops/metrics.ts';
import { type OpsServer, startOpsServer } from '../ops/server.ts';
import { withClient } from '../postgres/connection/pool.ts';
import { installQueue } from '../postgres/coordination/lane-queue.ts';
import { inventHistory, whileAlone } from '../postgres/maintenance/demo-database.ts';
import { forgetProject } from '../postgres/maintenance/reset.ts';
import { migrate } from '../postgres/schema/migrate.ts';
import { DEMO_PROJECT, type Sandbox, startSandbox } from '../sandbox/server/server.ts';
import { streams } from '../streams/index.ts';
import { type FailedRun, syncOnce } from '../sync/once.ts';
import type { Progress } from '../sync/run/page-flow.ts';
import { type Context, EXIT, type ExitCode } from './context.ts';
import { table } from './output.ts';
import { notListening, portOf, sizesOf, yamlFor } from './sandbox.ts';

const POLL_MS = 5_000;
const CHURN_PER_MINUTE = 30;

/** `security-sync demo`: starts embedded Postgres and a sandbox that changes, and polls until stopped. */
export async function demo(context: Context, options: Readonly<Record<string, string>>): Promise<ExitCode> {
  const ports = { sandbox: portOf(options.port), status: portOf(options.statusPort, 'status-port') };
  const sizes = sizesOf(options);
  const directory = resolve(options.directory ?? '');
  const logger = await createLogger({ level: 'error', to: context.io.stderr });
  // Closing the terminal window must stop the server too.
  process.once('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  context.say(`Starting Postgres in ${directory} ...`);
  const database = await openDatabase(null, logger, { directory: join(directory, 'postgres') });
  const stopNow = () => database.stopNow();
  process.once('exit', stopNow);
  try {
    const result = await whileAlone(database.pool, () => show({ context, database, directory, logger, ports, sizes }));
    if (result === 'not alone') {
      process.off('exit', stopNow);
      throw new ConfigurationError(
        `a demo is already running in ${directory}: stop it, or choose another directory (--directory PATH)`,
      );
    }
    return EXIT.ok;
  } finally {
    await database.close();
    process.off('exit', stopNow);
    if (context.signal.aborted) {
      const size = Math.ceil((await bytesIn(directory)) / 1_000_000);
      context.say(
        `Stopped. The data of the demo stays in ${directory} (${size} MB); to remove it: rm -rf '${directory}'`,
      );
    }
  }
}

interface DemoParts {
  readonly context: Context;
  readonly database: Database;
  readonly directory: string;
  readonly logger: Pino;
  readonly ports: { readonly sandbox: number; readonly status: number };
  readonly sizes: ReturnType<typeof sizesOf>;
}

/**
 * Starts everything except the database: the sandbox, a configuration file for other commands, the status page and
 * polling.
 */
async function show({ context, database, directory, logger, ports, sizes }: DemoParts): Promise<void> {
  const { signal } = context;
  const sandbox = await startSandbox({ ...sizes, port: ports.sandbox, churn: CHURN_PER_MINUTE }).catch(
    (error: unknown) => Promise.reject(notListening(error, '127.0.0.1', ports.sandbox)),
  );
  try {
    const config = await writeConfig(directory, database, sandbox);
    signal.throwIfAborted();
    context.say('Creating the tables ...');
    await migrate(database.pool);
    await installQueue(database.url);
    signal.throwIfAborted();
    const metrics = createMetrics();
    const ops = await openStatusPage({ config, database, logger, metrics, signal, port: ports.status });
    try {
      const { instrumentQuota, watchSource } = metrics;
      const app = await openApp({ config, logger, database, instrumentQuota, watchSource });
      try {
        const addresses = { sandbox: sandbox.url, status: ops.url ?? '', config: config.file ?? '' };
        sayWhere(context, database, addresses);
        await poll({ context, app, metrics, addresses });
      } finally {
        await app.close();
      }
    } finally {
      await ops.close();
    }
  } finally {
    await sandbox.close();
  }
}

function sayWhere(context: Context, { url }: Database, { sandbox, status, config }: DemoAddresses): void {
  context.say(`Sandbox:  ${sandbox} (a local API server with generated data; ${CHURN_PER_MINUTE} changes a minute)`);
  context.say('          It has no quota, so the demo sends many requests; Huawei Cloud allows 5 a minute.');
  context.say(`Database: ${url}`);
  context.say(`Status:   ${status}`);
  context.say(`Config:   ${config}`);
}

/** Writes a configuration file with which `status`, `check`, `plan`, `verify` and `replay` work beside the demo. */
async function writeConfig(directory: string, { url }: Database, sandbox: Sandbox): Promise<Config> {
  const file = join(directory, 'security-sync.yaml');
  const lines = [
    '# Written by security-sync demo; it works while the demo runs.',
    `database: { url: "${url}" }`,
    'streams: { groups: [all] }',
  ];
  await mkdir(directory, { recursive: true });
  await writeFile(file, `${[...lines, yamlFor(sandbox)].join('\n')}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
  return loadConfig({ streams, file, env: {} });
}

interface StatusPage {
  readonly config: Config;
  readonly database: Database;
  readonly logger: Pino;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  readonly port: number;
}

/** Listens on the given port, or on a free one if it is in use. */
async function openStatusPage({ config, database, logger, metrics, signal, port }: StatusPage): Promise<OpsServer> {
  const open = (on: number) =>
    startOpsServer({
      config: { ...config, server: { ...config.server, port: on } },
      pool: database.pool,
      streams,
      logger,
      metrics,
      state: () => (signal.aborted ? 'stopping' : 'running'),
    });
  return open(port).catch((error: unknown) => {
    if (error instanceof ConfigurationError) return open(0);
    throw error;
  });
}

interface PollInput {
  readonly context: Context;
  readonly app: App;
  readonly metrics: Metrics;
  readonly addresses: DemoAddresses;
}

async function poll({ context, app, metrics, addresses }: PollInput): Promise<void> {
  const { signal } = context;
  const { database } = app;
  await forgetEarlierEstate(app, database);
  context.say(`Reading ${counted(app.streams.length, 'stream')} for the first time ...`);
  const progress = sayProgress(context);
  await syncOnce(
    app.engine,
    { streams: app.streams, scopes: app.config.scopes },
    {
      signal,
      watch: progress.watch,
      onReport: (report) => {
        metrics.onReport(report);
        progress.done(report);
      },
      onFailure: (failure) => {
        progress.failed(failure);
        context.say(`  ${failed(failure)}`);
      },
    },
  ).finally(progress.stop);
  signal.throwIfAborted();
  await inventHistory(database.pool, app.streams, DEMO_PROJECT.id);
  await introduce(context, database, addresses);
  for (;;) {
    await app.engine.clock.sleep(POLL_MS, signal);
    let changed = false;
    await syncOnce(
      app.engine,
      { streams: app.streams, scopes: app.config.scopes },
      {
        signal,
        onReport: (report) => {
          metrics.onReport(report);
          if (!isNews(report) || signal.aborted) return;
          changed = true;
          context.say(`${timeNow()}  ${news(report)}`);
        },
        onFailure: (failure) => {
          changed = true;
          context.say(`${timeNow()}  ${failed(failure)}`);
        },
      },
    );
    signal.throwIfAborted();
    if (!changed) context.say(`${timeNow()}  nothing changed`);
  }
}

/** Prints a line for each stream that was read, and every few seconds the progress of longer runs. */
function sayProgress(context: Context) {
  const reading = new Map<string, { lists: number; begun: Set<string>; pages: number }>();
  const timer = setInterval(() => {
    const rest = [...reading].map(([name, { lists, begun, pages }]) =>
      lists > 1 ? `${name} (${begun.size} of ${lists} lists)` : `${name} (${counted(pages, 'page')})`,
    );
    if (rest.length > 0) context.say(`  ... ${rest.join(', ')}`);
  }, POLL_MS);
  return {
    watch: ({ name }: Stream) => {
      const line = { lists: 1, begun: new Set<string>(), pages: 0 };
      reading.set(name, line);
      return {
        onListings: (listings: readonly unknown[]) => {
          line.lists = listings.length;
        },
        onPage: ({ listing }: Progress) => {
          // The windows of a list have the same parameters.
          line.begun.add(JSON.stringify(listing.params));
          line.pages += 1;
        },
      };
    },
    done({ stream, records, requests, duration_ms }: RunReport) {
      reading.delete(stream);
      const seconds = (duration_ms / 1000).toFixed(1);
      context.say(`  ${stream}: ${counted(records, 'record')} in ${seconds} s, ${counted(requests, 'request')}`);
    },
    failed: ({ stream }: FailedRun) => void reading.delete(stream.name),
    stop: () => clearInterval(timer),
  };
}

/** How often to try for the locks of a demo that was killed. */
const LOCK_TRIES = 20;

/**
 * Every start generates a new estate around the current time. Next to the rows of an earlier one, everything would
 * appear changed and handled twice.
 */
async function forgetEarlierEstate({ engine, streams: all }: App, { pool }: Database): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const { busy } = await forgetProject(pool, all, DEMO_PROJECT.id);
    if (busy.length === 0) return;
    if (tries === LOCK_TRIES)
      throw new DatabaseError('another process is writing the generated data to this database; stop it first');
    await engine.clock.sleep(500);
  }
}

function timeNow(): string {
  return new Date().toISOString().slice(11, 19);
}

function isNews({ inserted, updated, status }: RunReport): boolean {
  return inserted + updated > 0 || status !== 'succeeded';
}

function news({ stream, inserted, updated, requests, status, reason, error }: RunReport): string {
  return [
    `${stream}: ${inserted} new, ${updated} changed, ${counted(requests, 'request')}`,
    ...(status === 'succeeded' ? [] : [error ?? `${status} (${reason})`]),
  ].join(': ');
}

function failed({ stream, error }: FailedRun): string {
  return `${stream.name}: ${error.message}; it is read again in a few seconds`;
}

/** Total bytes of all files below a directory. Files that disappear meanwhile or may not be read are skipped. */
async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => null)));
  return sizes.reduce((sum, entry) => sum + (entry?.isFile() === true ? entry.size : 0), 0);
}

/** Addresses of a running demo: two URLs and a file. */
export interface DemoAddresses {
  readonly sandbox: string;
  readonly status: string;
  readonly config: string;
}

const QUERIES: readonly { readonly title: string; readonly sql: string }[] = [
  {
    title: 'Which policies fire most, and how much of it is still open?',
    sql: `select policy_name, count(*)::int as events, (count(*) filter (where handle_status = 'unhandled'))::int as open, to_char(max(update_time), 'YYYY-MM-DD HH24:MI') as latest
from hss.cluster_events where _deleted_at is null group by policy_name order by events desc limit 5`,
  },
  {
    title: 'Which clusters are at risk now?',
    sql: `select cluster_name, severity, local_image_vul_num::int as vulnerabilities, risk_config_num::int as risks, privileged_container_num::int as privileged
from hss.cluster_security_reports where _deleted_at is null order by severity, vulnerabilities desc limit 5`,
  },
  {
    title: 'Who handled image vulnerabilities lately, and how?',
    sql: `select to_char(handle_time, 'YYYY-MM-DD HH24:MI') as handled, user_name, handle_type, image_name, app_name
from hss.image_vulnerability_operations order by handle_time desc limit 5`,
  },
];

/** Prints example queries with their answers as soon as there are rows. */
export async function introduce(context: Context, { pool, url }: Database, addresses: DemoAddresses): Promise<void> {
  const answers = await withClient(pool, async (client) => {
    const found: { title: string; sql: string; rows: Record<string, string | number | null>[] }[] = [];
    for (const query of QUERIES)
      found.push({ ...query, rows: (await client.query<Record<string, string | number | null>>(query.sql)).rows });
    return found;
  });
  context.answer({ ok: true, database: url, ...addresses, queries: answers }, () =>
    [
      ...answers.map(({ title, sql, rows }) => `\n-- ${title}\n${sql};\n\n${table(rows)}`),
      `\nPolling every few seconds; Ctrl-C stops it. Meanwhile, in another terminal:`,
      `  psql "${url}"`,
      ...['status', 'check', 'plan', 'verify', 'replay'].map(
        (name) => `  npx security-sync ${name} --config '${addresses.config}'`,
      ),
      '',
    ].join('\n'),
  );
}
