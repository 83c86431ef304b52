import { type App, type AppOptions, type Database, openApp, openDatabase } from '../app.ts';
import type { Config } from '../config.ts';
import type { Account } from '../core/account.ts';
import { DatabaseError } from '../core/errors.ts';
import type { RunReport } from '../core/store.ts';
import { createLogger } from '../logger.ts';
import { inventHistory } from '../postgres/demo-history.ts';
import { withClient } from '../postgres/pool.ts';
import { forgetProject } from '../postgres/reset.ts';
import { DEMO_KEY, DEMO_PROJECT, type Sandbox, startSandbox } from '../sandbox/server.ts';
import { syncOnce } from '../sync/sync-once.ts';
import { type Context, EXIT, type ExitCode } from './context.ts';
import { notListening, portOf } from './sandbox.ts';
import { table } from './table.ts';

const POLL_MS = 5_000;
const CHURN_PER_MINUTE = 30;
const EVENTS = 6_000;

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

/** `security-sync demo`: embedded Postgres, a sandbox that changes, and polling until stopped. */
export async function demo(context: Context, options: Readonly<Record<string, string>>): Promise<ExitCode> {
  const logger = await createLogger({ level: 'error', to: 'stderr' });
  const port = portOf(options.port ?? '0');
  const sandbox = await startSandbox({ port, churn: CHURN_PER_MINUTE, events: EVENTS }).catch((error: unknown) =>
    Promise.reject(notListening(error, '127.0.0.1', port)),
  );
  try {
    const config = configFor(sandbox);
    const database = await openDatabase(config, logger);
    try {
      context.say(
        `Sandbox:  ${sandbox.url} (a local API server with a made-up estate; ${CHURN_PER_MINUTE} changes a minute)`,
      );
      context.say(`Database: ${database.url}`);
      await poll(context, config, database, logger, sandbox.url);
    } finally {
      await database.close();
    }
  } finally {
    await sandbox.close();
  }
  return EXIT.ok;
}

async function poll(
  context: Context,
  config: Config,
  database: Database,
  logger: AppOptions['logger'],
  api: string,
): Promise<void> {
  const app = await openApp({ config, logger, database });
  try {
    await forgetEarlierEstate(app, database);
    for (let round = 0; !context.signal.aborted; round += 1) {
      const reports = await syncOnce(app.engine, app.streams, config.scopes, { signal: context.signal });
      if (round === 0) {
        await inventHistory(database.pool, app.streams, DEMO_PROJECT.id);
        await introduce(context, database, api);
      } else for (const line of changes(reports)) context.say(line);
      await app.engine.clock.sleep(POLL_MS, context.signal).catch(() => {});
    }
  } finally {
    await app.close();
  }
}

/** How long to wait for the locks of a demo that was killed. */
const LOCK_TRIES = 20;

/**
 * The estate is invented anew with every start, around the time of that start. Beside the rows of an earlier one it would look
 * as if everything had changed and been handled twice.
 */
async function forgetEarlierEstate({ engine, streams }: App, { pool }: Database): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const { busy } = await forgetProject(pool, streams, DEMO_PROJECT.id);
    if (busy.length === 0) return;
    if (tries === LOCK_TRIES)
      throw new DatabaseError('another process reads the made-up estate into this database: stop it first');
    await engine.clock.sleep(500);
  }
}

/** The first answers, as soon as the first rows are there. */
async function introduce(context: Context, { pool, url }: Database, api: string): Promise<void> {
  const answers = await withClient(pool, async (client) => {
    const found: { title: string; sql: string; rows: Record<string, string | number | null>[] }[] = [];
    for (const query of QUERIES)
      found.push({ ...query, rows: (await client.query<Record<string, string | number | null>>(query.sql)).rows });
    return found;
  });
  context.answer({ ok: true, database: url, sandbox: api, queries: answers }, () =>
    [
      ...answers.map(({ title, sql, rows }) => `\n-- ${title}\n${sql};\n\n${table(rows)}`),
      `\nPolling every ${POLL_MS / 1000} s; Ctrl-C stops it. Meanwhile: psql "${url}", or npx security-sync status`,
    ].join('\n'),
  );
}

function changes(reports: readonly RunReport[]): readonly string[] {
  const time = new Date().toISOString().slice(11, 19);
  return reports
    .filter(({ inserted, updated, status }) => inserted + updated > 0 || status !== 'succeeded')
    .map(({ stream, inserted, updated, requests, status, reason, error }) =>
      [
        `${time}  ${stream}: ${inserted} new, ${updated} changed, ${requests} ${requests === 1 ? 'request' : 'requests'}`,
        ...(status === 'succeeded' ? [] : [error ?? `${status} (${reason})`]),
      ].join(': '),
    );
}

function configFor({ url }: Sandbox): Config {
  const account: Account = {
    name: 'demo',
    auth: { kind: 'aksk', accessKey: async () => DEMO_KEY.accessKey, secretKey: async () => DEMO_KEY.secretKey },
    endpoints: { hss: url, dbss: url, iam: url, eps: url },
    // The sandbox counts nothing unless told to, so that the first rows do not keep anybody waiting.
    requestsPerMinute: 6_000,
  };
  return {
    file: null,
    database: { url: null },
    accounts: [account],
    scopes: [
      {
        account: account.name,
        region: DEMO_PROJECT.region,
        projectId: DEMO_PROJECT.id,
        enterpriseProjectId: 'all_granted_eps',
      },
    ],
    streams: {},
    server: { enabled: false, host: '127.0.0.1', port: 8080 },
    log: { level: 'warn' },
    fullReads: { everyMs: 900_000, share: 0.5 },
    retention: { runsMs: null, rejectsMs: null, historyMs: null },
    dbssTimeZone: 'UTC',
    pageTimeoutMs: 60_000,
  };
}
