import { Gauge, Registry } from 'prom-client';
import type { QuotaState } from '../postgres/overview.ts';
import type { Installation } from './installation.ts';
import { PREFIX } from './metrics.ts';

type MakeGauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) => Gauge<L>;

/**
 * The state of the whole installation as gauges, read from the database for one scrape: every replica says the same. Without
 * the database only `database_up 0` is left, so that nothing old passes for current.
 */
export async function readGauges(installation: Installation): Promise<Registry> {
  const registry = new Registry();
  const gauge: MakeGauge = (name, help, labelNames) =>
    new Gauge({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const up = gauge('database_up', 'Whether the database answers.', []);
  const reading = await installation.gauges().catch(() => null);
  up.set(reading === null ? 0 : 1);
  if (reading === null) return registry;

  const scopeLabels = ['stream', 'account', 'region', 'project_id'] as const;
  const certifiedAt = gauge(
    'certified_timestamp_seconds',
    'When the stream was last proven complete in the scope; absent while it never was.',
    scopeLabels,
  );
  const age = gauge(
    'certificate_age_seconds',
    'Age of the last proof of completeness; absent while there is none.',
    scopeLabels,
  );
  const certificateLimit = gauge('certificate_limit_seconds', 'Age from which on a certificate is late.', scopeLabels);
  const contentAge = gauge(
    'content_age_seconds',
    'Age of the data: since the last reading that showed every change; absent while nothing was proven.',
    scopeLabels,
  );
  const lookAge = gauge(
    'look_age_seconds',
    'Since the last run that proved the data complete or found unchanged what it looked at; absent while there is none.',
    scopeLabels,
  );
  const target = gauge('target_seconds', 'How old the data may get before it is stale.', scopeLabels);
  const missing = gauge(
    'certificate_missing',
    '1 while the stream was never proven complete in the scope.',
    scopeLabels,
  );
  for (const { stream, scope, certifiedAt: at, ageMs, limitMs, ...ages } of reading.certified) {
    const labels = { stream, account: scope.account, region: scope.region, project_id: scope.projectId };
    if (at !== null) certifiedAt.set(labels, at.getTime() / 1000);
    if (ageMs !== null) age.set(labels, ageMs / 1000);
    certificateLimit.set(labels, limitMs / 1000);
    if (ages.contentAgeMs !== null) contentAge.set(labels, ages.contentAgeMs / 1000);
    if (ages.lookAgeMs !== null) lookAge.set(labels, ages.lookAgeMs / 1000);
    target.set(labels, ages.targetMs / 1000);
    missing.set(labels, at === null ? 1 : 0);
  }
  setQuota(gauge, reading.quota);
  const jobs = gauge('queue_jobs', 'Lanes in the queue: created, retry or active.', ['state']);
  for (const { state, jobs: count } of reading.queue) jobs.set({ state }, count);
  const rejects = gauge('rejected_records', 'Records that wait for a definition that understands them.', ['stream']);
  for (const [stream, count] of reading.rejects) rejects.set({ stream }, count);
  const suspended = gauge('account_suspended', '1 while the credentials of the account rest after a refusal.', [
    'account',
  ]);
  for (const account of reading.accounts) suspended.set({ account }, reading.suspended.has(account) ? 1 : 0);
  return registry;
}

/** The budget that all accounts of one address share has metrics of its own: a sum over accounts stays a sum over accounts. */
function setQuota(gauge: MakeGauge, states: readonly QuotaState[]): void {
  const left = gauge('quota_left_requests', 'Requests that could be sent right now.', ['account', 'operation']);
  const limit = gauge('quota_limit_requests', 'Requests a minute that are held to at present.', [
    'account',
    'operation',
  ]);
  const sharedLeft = gauge(
    'address_quota_left_requests',
    'Requests that all accounts together could send from this address right now.',
    ['operation'],
  );
  const sharedLimit = gauge(
    'address_quota_limit_requests',
    'Requests a minute that all accounts together are held to at present.',
    ['operation'],
  );
  for (const { account, operation, ...quota } of states) {
    if (account === '*') {
      sharedLeft.set({ operation }, quota.left);
      sharedLimit.set({ operation }, quota.limit);
    } else {
      left.set({ account, operation }, quota.left);
      limit.set({ account, operation }, quota.limit);
    }
  }
}
