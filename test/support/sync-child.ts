import { systemClock } from '../../src/app.ts';
import { coerceError } from '../../src/core/errors.ts';
import { createPageSource } from '../../src/huawei/requests/read-call.ts';
import { createPool } from '../../src/postgres/connection/pool.ts';
import { createQuota, createSuspensions } from '../../src/postgres/coordination/quota.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { DEMO_KEY, DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';

/**
 * A process that reads one stream once (in full, when its last argument says so), with a pulse fast enough for tests. Prints its report, or the error it ended with
 * and exits with 3.
 */
const [, , databaseUrl = '', sandboxUrl = '', name = '', beatMs = '', staleMs = '', full = ''] = process.argv;
const pool = createPool(databaseUrl, { max: 4, applicationName: 'sync-child' });
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const source = createPageSource({
  accounts: [
    {
      name: 'default',
      auth: { kind: 'aksk', accessKey: async () => DEMO_KEY.accessKey, secretKey: async () => DEMO_KEY.secretKey },
      endpoints: { hss: sandboxUrl, dbss: sandboxUrl },
      requestsPerMinute: 6_000,
    },
  ],
  quota: createQuota(pool, systemClock),
  suspensions: createSuspensions(pool),
  clock: systemClock,
  logger,
});
const store = createStore(pool, { timeZone: 'UTC', heartbeat: { beatMs: Number(beatMs), staleMs: Number(staleMs) } });
const stream = streams.find((one) => one.name === name);
const scope = {
  account: 'default',
  region: DEMO_PROJECT.region,
  projectId: DEMO_PROJECT.id,
  enterpriseProjectId: 'all_granted_eps',
};
try {
  if (stream === undefined) throw new Error(`there is no stream ${name}`);
  const engine = {
    source,
    store,
    clock: systemClock,
    logger,
    timeZone: 'UTC',
    reconcileEveryMs: () => stream.reconcileEveryMs,
  };
  console.log(
    JSON.stringify(
      await runStream(engine, { stream, scope }, { signal: new AbortController().signal, full: full === 'full' }),
    ),
  );
} catch (error) {
  const { name: kind, message } = coerceError(error);
  console.log(JSON.stringify({ error: `${kind}: ${message}` }));
  process.exitCode = 3;
} finally {
  await source.close();
  await pool.end();
}
