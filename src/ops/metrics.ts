import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { coerceError, SyncError } from '../core/errors.ts';
import type { PageSource, Quota } from '../core/ports.ts';
import type { RunReport } from '../core/store.ts';
import type { Readings } from './readings.ts';

/**
 * Counters of this process. Gauges of the whole installation are read from the database at each scrape (`readGauges`).
 */
export interface Metrics {
  readonly registry: Registry;
  readonly onReport: (report: RunReport) => void;
  readonly instrumentQuota: (quota: Quota) => Quota;
  readonly watchSource: (source: PageSource) => PageSource;
}

/** Prefix of every metric name. */
export const PREFIX = 'security_sync_';

/** Label values come from the configuration, the stream definitions and this program, never from API responses. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // These gauges are named like counters; `nodejs_active_handles` and its siblings have the same data by kind.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  const runs = counter(registry, {
    name: 'runs_total',
    help: 'Finished runs by status.',
    labelNames: ['stream', 'status'],
  });
  const walks = counter(registry, {
    name: 'walks_total',
    help: 'Finished walks by kind: probe, head or full.',
    labelNames: ['stream', 'walk'],
  });
  const certificates = counter(registry, {
    name: 'certificates_total',
    help: 'Certificates of runs: complete, or incomplete for a reason.',
    labelNames: ['stream', 'certificate', 'reason'],
  });
  const rows = counter(registry, {
    name: 'rows_total',
    help: 'Records read, by outcome.',
    labelNames: ['stream', 'outcome'],
  });
  const durations = new Histogram({
    name: `${PREFIX}run_duration_seconds`,
    help: 'Duration of runs, including waits for quota.',
    labelNames: ['stream'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600],
    registers: [registry],
  });
  const api = apiInstruments(registry);
  return {
    registry,
    instrumentQuota: (quota) => instrumentQuota(quota, api),
    watchSource: (source) => instrumentPageSource(source, api),
    onReport(report) {
      const { stream } = report;
      runs.inc({ stream, status: report.status });
      durations.observe({ stream }, report.duration_ms / 1000);
      if (report.walk !== null) walks.inc({ stream, walk: report.walk });
      if (report.certificate !== null)
        certificates.inc({ stream, certificate: report.certificate, reason: report.reason ?? '' });
      for (const outcome of ['inserted', 'updated', 'unchanged', 'deleted', 'rejected'] as const) {
        if (report[outcome] > 0) rows.inc({ stream, outcome }, report[outcome]);
      }
    },
  };
}

function apiInstruments(registry: Registry): ApiInstruments {
  return {
    requests: counter(registry, {
      name: 'api_requests_total',
      help: 'Requests sent, including retries, by outcome: ok, throttled or failed.',
      labelNames: ['account', 'operation', 'outcome'],
    }),
    durations: new Histogram({
      name: `${PREFIX}api_request_duration_seconds`,
      help: 'Time to a complete response, without waits for quota and retries.',
      labelNames: ['operation'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
      registers: [registry],
    }),
    errors: counter(registry, {
      name: 'api_errors_total',
      help: 'Pages that could not be read after all attempts, by kind of error.',
      labelNames: ['account', 'operation', 'error'],
    }),
    waits: new Histogram({
      name: `${PREFIX}quota_wait_seconds`,
      help: 'Time spent waiting for a request slot.',
      labelNames: ['account', 'operation'],
      buckets: [0.01, 0.1, 1, 5, 15, 30, 61, 120],
      registers: [registry],
    }),
  };
}

function counter<L extends string>(
  registry: Registry,
  { name, help, labelNames }: { readonly name: string; readonly help: string; readonly labelNames: readonly L[] },
): Counter<L> {
  return new Counter({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
}

export interface ApiInstruments {
  readonly requests: Counter<'account' | 'operation' | 'outcome'>;
  readonly durations: Histogram<'operation'>;
  readonly errors: Counter<'account' | 'operation' | 'error'>;
  readonly waits: Histogram<'account' | 'operation'>;
}

/** The same page source, with requests, durations and errors counted. */
export function instrumentPageSource(source: PageSource, { requests, durations, errors }: ApiInstruments): PageSource {
  const count = (labels: { readonly account: string; readonly operation: string }, outcome: string, times: number) => {
    if (times > 0) requests.inc({ ...labels, outcome }, times);
  };
  return {
    isPlentiful: (scope) => source.isPlentiful(scope),
    async read(scope, call, parser) {
      const { account } = scope;
      const { operation } = call;
      try {
        const answer = await source.read(scope, call, parser);
        count({ account, operation }, 'ok', 1);
        count({ account, operation }, 'throttled', answer.throttled);
        count({ account, operation }, 'failed', answer.attempts - answer.throttled - 1);
        durations.observe({ operation }, answer.durationMs / 1000);
        return answer;
      } catch (thrown) {
        const error = coerceError(thrown);
        const attempts = numberOf(error, 'attempts');
        const throttled = numberOf(error, 'throttled');
        count({ account, operation }, 'throttled', throttled);
        count({ account, operation }, 'failed', attempts - throttled);
        if (!parser.signal.aborted)
          errors.inc({ account, operation, error: error instanceof SyncError ? error.name : 'Error' });
        throw thrown;
      }
    },
  };
}

/** A quota that measures the time that requests wait for it. */
export function instrumentQuota(quota: Quota, { waits }: ApiInstruments): Quota {
  return {
    async acquire(budget, signal) {
      const stop = waits.startTimer({ account: budget.account, operation: budget.operation });
      const slot = await quota.acquire(budget, signal);
      stop();
      return slot;
    },
  };
}

function numberOf(error: Error, name: 'attempts' | 'throttled'): number {
  const value = error instanceof SyncError ? error.context[name] : 0;
  return typeof value === 'number' ? value : 0;
}

type Make = <L extends string>(name: string, help: string, labelNames?: readonly L[]) => Gauge<L>;

/**
 * The state of the whole installation as gauges, read from the database for one scrape: every replica reports the same.
 * A reading that fails omits its own gauges, so that old values do not pass for current, and is named in
 * `reading_failed`. Without the database only `database_up 0` is reported.
 */
export async function readGauges(installation: Readings): Promise<Registry> {
  const registry = new Registry();
  const make: Make = (name, help, labelNames = []) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const isUp = await installation.isUp();
  make('database_up', 'Whether the database answers.').set(isUp ? 1 : 0);
  if (!isUp) return registry;
  const failed = make('reading_failed', '1 for each reading that failed in this scrape.', ['reading']);
  await Promise.all(
    READINGS.map(async ([reading, read]) => {
      try {
        await read(installation, make);
      } catch {
        failed.set({ reading }, 1);
      }
    }),
  );
  return registry;
}

const READINGS: readonly (readonly [name: string, read: (from: Readings, make: Make) => Promise<void>])[] = [
  ['certificates', certificates],
  ['quota', quota],
  ['queue', queue],
  ['rejects', rejects],
  ['accounts', accounts],
];

async function certificates({ gauges }: Readings, make: Make): Promise<void> {
  const reading = await gauges.certified();
  const scopeLabels = ['stream', 'account', 'region', 'project_id'] as const;
  const certifiedAt = make(
    'certified_timestamp_seconds',
    'When the stream was last proven complete in the scope; absent if never.',
    scopeLabels,
  );
  const age = make(
    'certificate_age_seconds',
    'Age of the last proof of completeness; absent if there is none.',
    scopeLabels,
  );
  const certificateLimit = make('certificate_limit_seconds', 'Age from which a certificate is late.', scopeLabels);
  const contentAge = make(
    'content_age_seconds',
    'Age of the data: time since the last reading that showed every change; absent if nothing was proven.',
    scopeLabels,
  );
  const lookAge = make(
    'look_age_seconds',
    'Time since the last run that proved the data complete or found no change; absent if there is none.',
    scopeLabels,
  );
  const target = make('target_seconds', 'Age from which the data is stale.', scopeLabels);
  const missing = make('certificate_missing', '1 if the stream was never proven complete in the scope.', scopeLabels);
  for (const { stream, scope, certifiedAt: at, ageMs, limitMs, ...ages } of reading) {
    const labels = { stream, account: scope.account, region: scope.region, project_id: scope.projectId };
    if (at !== null) certifiedAt.set(labels, at.getTime() / 1000);
    if (ageMs !== null) age.set(labels, ageMs / 1000);
    certificateLimit.set(labels, limitMs / 1000);
    if (ages.contentAgeMs !== null) contentAge.set(labels, ages.contentAgeMs / 1000);
    if (ages.lookAgeMs !== null) lookAge.set(labels, ages.lookAgeMs / 1000);
    target.set(labels, ages.targetMs / 1000);
    missing.set(labels, at === null ? 1 : 0);
  }
}

/**
 * The request budget shared by all accounts of an address has metrics of its own, so that sums over accounts stay
 * correct.
 */
async function quota({ gauges }: Readings, make: Make): Promise<void> {
  const reading = await gauges.quota();
  const left = make('quota_left_requests', 'Requests that could be sent right now.', ['account', 'operation']);
  const limit = make('quota_limit_requests', 'Current limit of requests per minute.', ['account', 'operation']);
  const sharedLeft = make(
    'address_quota_left_requests',
    'Requests that all accounts together could send from this address right now.',
    ['operation', 'egress'],
  );
  const sharedLimit = make(
    'address_quota_limit_requests',
    'Current limit of requests per minute of all accounts together.',
    ['operation', 'egress'],
  );
  for (const { account, address: egress, operation, ...bucket } of reading) {
    if (egress !== null) {
      sharedLeft.set({ operation, egress }, bucket.left);
      sharedLimit.set({ operation, egress }, bucket.limit);
    } else {
      left.set({ account, operation }, bucket.left);
      limit.set({ account, operation }, bucket.limit);
    }
  }
}

async function queue({ gauges }: Readings, make: Make): Promise<void> {
  const reading = await gauges.queue();
  const jobs = make('queue_jobs', 'Lanes in the queue: created, retry or active.', ['state']);
  for (const { state, jobs: count } of reading) jobs.set({ state }, count);
}

async function rejects({ gauges }: Readings, make: Make): Promise<void> {
  const reading = await gauges.rejects();
  const waiting = make('rejected_records', 'Rejected records that are not yet replayed.', ['stream']);
  for (const [stream, count] of reading) waiting.set({ stream }, count);
}

async function accounts({ gauges, accounts: names }: Readings, make: Make): Promise<void> {
  const reading = await gauges.suspended();
  const suspended = make('account_suspended', '1 while the credentials of the account are suspended after a refusal.', [
    'account',
  ]);
  for (const account of names) suspended.set({ account }, reading.has(account) ? 1 : 0);
}
