import { Gauge, Registry } from 'prom-client';
import { PREFIX } from './metrics.ts';
import type { Readings } from './readings.ts';

type Make = <L extends string>(name: string, help: string, labelNames?: readonly L[]) => Gauge<L>;

/**
 * The state of the whole installation as gauges, read from the database for one scrape: every replica says the same. Each
 * reading stands for itself: one that fails takes its own gauges along, so that nothing old passes for current, and is
 * named by `reading_failed`. Without the database only `database_up 0` is left.
 */
export async function readGauges(installation: Readings): Promise<Registry> {
  const registry = new Registry();
  const make: Make = (name, help, labelNames = []) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const isUp = await installation.isUp();
  make('database_up', 'Whether the database answers.').set(isUp ? 1 : 0);
  if (!isUp) return registry;
  const failed = make('reading_failed', '1 for each reading whose gauges could not be read this time.', ['reading']);
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
    'When the stream was last proven complete in the scope; absent while it never was.',
    scopeLabels,
  );
  const age = make(
    'certificate_age_seconds',
    'Age of the last proof of completeness; absent while there is none.',
    scopeLabels,
  );
  const certificateLimit = make('certificate_limit_seconds', 'Age from which on a certificate is late.', scopeLabels);
  const contentAge = make(
    'content_age_seconds',
    'Age of the data: since the last reading that showed every change; absent while nothing was proven.',
    scopeLabels,
  );
  const lookAge = make(
    'look_age_seconds',
    'Since the last run that proved the data complete or found unchanged what it looked at; absent while there is none.',
    scopeLabels,
  );
  const target = make('target_seconds', 'How old the data may get before it is stale.', scopeLabels);
  const missing = make(
    'certificate_missing',
    '1 while the stream was never proven complete in the scope.',
    scopeLabels,
  );
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

/** The budget that all accounts of one address share has metrics of its own: a sum over accounts stays a sum over accounts. */
async function quota({ gauges }: Readings, make: Make): Promise<void> {
  const reading = await gauges.quota();
  const left = make('quota_left_requests', 'Requests that could be sent right now.', ['account', 'operation']);
  const limit = make('quota_limit_requests', 'Requests a minute that are held to at present.', [
    'account',
    'operation',
  ]);
  const sharedLeft = make(
    'address_quota_left_requests',
    'Requests that all accounts together could send from this address right now.',
    ['operation'],
  );
  const sharedLimit = make(
    'address_quota_limit_requests',
    'Requests a minute that all accounts together are held to at present.',
    ['operation'],
  );
  for (const { account, operation, ...bucket } of reading) {
    if (account === '*') {
      sharedLeft.set({ operation }, bucket.left);
      sharedLimit.set({ operation }, bucket.limit);
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
  const waiting = make('rejected_records', 'Records that wait for a definition that understands them.', ['stream']);
  for (const [stream, count] of reading) waiting.set({ stream }, count);
}

async function accounts({ gauges, accounts: names }: Readings, make: Make): Promise<void> {
  const reading = await gauges.suspended();
  const suspended = make('account_suspended', '1 while the credentials of the account rest after a refusal.', [
    'account',
  ]);
  for (const account of names) suspended.set({ account }, reading.has(account) ? 1 : 0);
}
