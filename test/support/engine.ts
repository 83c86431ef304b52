import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/app.ts';
import type { Account, Scope } from '../../src/core/account.ts';
import type { Logger } from '../../src/core/ports.ts';
import type { RunReport } from '../../src/core/store.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { createPageSource } from '../../src/huawei/requests/read-call.ts';
import { createQuota, createSuspensions } from '../../src/postgres/coordination/quota.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import {
  DEMO_KEY,
  DEMO_PROJECT,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import type { TestDatabase } from './postgres.ts';

export const quietLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export const scope: Scope = {
  account: 'default',
  region: DEMO_PROJECT.region,
  projectId: DEMO_PROJECT.id,
  enterpriseProjectId: 'all_granted_eps',
};

export function accountOn(sandbox: Pick<Sandbox, 'url'>, settings: Partial<Account> = {}): Account {
  return {
    name: 'default',
    auth: {
      kind: 'aksk',
      accessKey: async () => DEMO_KEY.accessKey,
      secretKey: async () => DEMO_KEY.secretKey,
    },
    endpoints: { hss: sandbox.url, dbss: sandbox.url, iam: sandbox.url, eps: sandbox.url },
    requestsPerMinute: 6_000,
    ...settings,
  };
}

/** What a service reads that names no groups. */
export const READ_BY_DEFAULT = inOrder(streams.filter(({ onByDefault = true }) => onByDefault));

/**
 * One stream of every kind, for statements about the engine: a short list, a long one in the order of time that is read in parts
 * beyond the cap, one with a history, one of several lists, and two whose lists belong to the rows of another. What is said of
 * every list is tested with `READ_BY_DEFAULT`.
 */
export const OF_EVERY_KIND = READ_BY_DEFAULT.filter(({ name }) =>
  [
    'hss_protected_clusters',
    'hss_cluster_events',
    'hss_cluster_security_reports',
    'hss_image_vulnerabilities',
    'hss_image_vulnerability_operations',
    'dbss_audit_instances',
    'dbss_audit_reports',
  ].includes(name),
);

/** As few as show more than one of everything: every host has five lists of vulnerabilities. */
export const HOSTS = 6;

export interface TestEngine {
  readonly sandbox: Sandbox;
  readonly engine: Engine;
  run(stream: Stream): Promise<RunReport>;
  /** Every stream that is read by default once, or those that are given, parents first. */
  runAll(which?: readonly Stream[]): Promise<readonly RunReport[]>;
}

/** The real engine against a sandbox of its own, on the given database; both end with the test. */
export async function startEngine(
  database: TestDatabase,
  options: SandboxOptions = {},
  account: Partial<Account> = {},
): Promise<TestEngine> {
  const sandbox = await startSandbox({ hosts: HOSTS, ...options });
  const source = createPageSource({
    accounts: [accountOn(sandbox, account)],
    quota: createQuota(database.pool, systemClock),
    suspensions: createSuspensions(database.pool),
    clock: systemClock,
    logger: quietLogger,
  });
  onTestFinished(async () => {
    await source.close();
    await sandbox.close();
  });
  const engine: Engine = {
    source,
    store: createStore(database.pool, { timeZone: 'UTC' }),
    clock: systemClock,
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => stream.reconcileEveryMs,
  };
  const run = (stream: Stream) => runStream(engine, { stream, scope }, { signal: new AbortController().signal });
  return {
    sandbox,
    engine,
    run,
    async runAll(which = READ_BY_DEFAULT) {
      const reports: RunReport[] = [];
      for (const stream of which) reports.push(await run(stream));
      return reports;
    },
  };
}
