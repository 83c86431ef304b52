import type { Pool } from 'pg';
import { type Config, fingerprintOf } from '../config/config.ts';
import { certificateLimitMsOf, targetMsOf } from '../config/streams.ts';
import type { Scope } from '../core/account.ts';
import type { Refusal } from '../core/errors.ts';
import type { Group, Stream } from '../core/stream/stream.ts';
import {
  type DriftSample,
  type QueueDepth,
  type QuotaState,
  type RejectSample,
  type RunMark,
  readDrift,
  readQueueDepth,
  readQuota,
  readRecentRuns,
  readRejectCounts,
  readRejectSamples,
  readRowCounts,
  readSuspended,
  type SuspendedAccount,
} from '../postgres/queries/overview.ts';
import {
  type ProofText,
  readProofs,
  readStatesOf,
  type StreamProject,
  type StreamStateRow,
  whyUnavailable,
} from '../postgres/queries/stream-state.ts';
import { nextTick } from '../sync/service/cron.ts';
import { withCards } from './standing.ts';

export interface CertifiedScope {
  readonly stream: string;
  readonly group: Group;
  readonly scope: Scope;
  /** When the oldest list behind the last proof was last read completely; null if nothing was ever proven. */
  readonly certifiedAt: Date | null;
  /** Age of that reading, which is the age of the certificate. */
  readonly ageMs: number | null;
  /** Age from which the certificate is late. */
  readonly limitMs: number;
  /** Age of the data: time since the last reading that showed every change. */
  readonly contentAgeMs: number | null;
  /** Time since the last run that proved the data complete, or found unchanged what it read. */
  readonly lookAgeMs: number | null;
  /** Age from which the data is stale. */
  readonly targetMs: number;
}

/** The readings behind the gauges; each can fail separately. */
interface GaugeReadings {
  certified(): Promise<readonly CertifiedScope[]>;
  quota(): Promise<readonly QuotaState[]>;
  queue(): Promise<readonly QueueDepth[]>;
  /** Number of open rejects, for every stream. */
  rejects(): Promise<ReadonlyMap<string, number>>;
  /** Accounts with suspended credentials. */
  suspended(): Promise<ReadonlySet<string>>;
}

/** The last finished run of a stream in a project. */
export interface LastRun {
  readonly status: string;
  readonly certificate: string | null;
  readonly reason: string | null;
  readonly error: string | null;
  readonly startedAt: Date;
}

export interface ScopeView extends CertifiedScope {
  /** Set if the stream was never complete and the API refuses all of its lists, or those of its parent. Else null. */
  readonly unavailable: Refusal | null;
  readonly nextRun: Date | null;
  readonly rows: number;
  readonly rejects: number;
  readonly last: LastRun | null;
}

export interface Card {
  readonly view: ScopeView;
  /** How completeness was proven and under which premises, as text; null if nothing was ever proven. */
  readonly proof: Pick<ProofText, 'proof_text' | 'premises'> | null;
  /** Newest first. */
  readonly runs: readonly RunMark[];
}

/** A request budget and the streams that use it. */
export interface BudgetView extends QuotaState {
  readonly streams: readonly string[];
}

/** The selected project and group; null selects all. */
export interface Selection {
  readonly project: string | null;
  readonly group: Group | null;
}

export interface PageReading {
  readonly at: Date;
  readonly scopes: readonly ScopeView[];
  /** Tables shown in full, worst first. */
  readonly cards: readonly Card[];
  readonly chosen: Selection;
  readonly quota: readonly BudgetView[];
  readonly queue: readonly QueueDepth[];
  readonly suspended: readonly SuspendedAccount[];
  readonly rejects: readonly RejectSample[];
  readonly drift: readonly DriftSample[];
}

/** The configuration, and what the database says about it. */
export interface Readings {
  /** Names of the configured accounts. */
  readonly accounts: readonly string[];
  /** Whether the database answers within 8 s. Never throws. */
  isUp(): Promise<boolean>;
  readonly gauges: GaugeReadings;
  /** Ids of the configured projects. */
  readonly projects: readonly string[];
  page(chosen: Selection): Promise<PageReading>;
}

const STRIP_RUNS = 50;
const SAMPLES = 20;
const COUNTS_MAX_AGE_MS = 60_000;

/** By default Prometheus gives a scrape up after 10 s; then the alert would be about the service, not the database. */
const UP_WITHIN_MS = 8_000;

async function answers(pool: Pool): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), UP_WITHIN_MS);
  const asked = pool.query('select 1').then(
    () => true,
    () => false,
  );
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

export function createReadings(pool: Pool, config: Config, streams: readonly Stream[]): Readings {
  const pairs = streams.flatMap((stream) => config.scopes.map((scope) => ({ stream, scope })));
  const keys = pairs.map(({ stream, scope }): StreamProject => ({ stream: stream.name, projectId: scope.projectId }));
  const accounts = [...new Set(config.scopes.map(({ account }) => account))];
  const knownAccounts = new Set(accounts);
  const projects = [...new Set(config.scopes.map(({ projectId }) => projectId))];
  const configuration = fingerprintOf(config, streams);
  const parentNames = new Map(
    pairs.flatMap(({ stream: { name, parent }, scope: { projectId } }) =>
      parent === undefined
        ? []
        : [[nameOf({ stream: name, projectId }), nameOf({ stream: parent.stream.name, projectId })] as const],
    ),
  );
  const rowCounts = createAnswerCache(COUNTS_MAX_AGE_MS, async () => {
    // Cached: counting a million rows costs more than all other readings together.
    const rows = await readRowCounts(pool, streams);
    return new Map(rows.map((row) => [nameOf(row), row.rows]));
  });

  async function statesByName(): Promise<ReadonlyMap<string, StreamStateRow>> {
    const states = await readStatesOf(pool, keys);
    return new Map(states.map((row) => [nameOf({ stream: row.stream, projectId: row.project_id }), row]));
  }

  const certifiedFrom = (states: ReadonlyMap<string, StreamStateRow>): readonly CertifiedScope[] =>
    pairs.map(({ stream, scope }) => ({
      stream: stream.name,
      group: stream.group,
      scope,
      limitMs: certificateLimitMsOf(config, stream),
      targetMs: targetMsOf(config, stream),
      ...agesOf(states.get(nameOf({ stream: stream.name, projectId: scope.projectId }))),
    }));

  const isOwn = ({ account, address }: QuotaState) =>
    address === null ? knownAccounts.has(account) : address === (config.egress ?? '');
  const quota = async () => (await readQuota(pool)).filter(isOwn);

  return {
    accounts,
    projects,
    isUp: () => answers(pool),
    gauges: {
      certified: async () => certifiedFrom(await statesByName()),
      quota,
      queue: () => readQueueDepth(pool, configuration),
      async rejects() {
        const rejects = new Map(streams.map(({ name }) => [name, 0]));
        for (const row of await readRejectCounts(pool, projects)) {
          const before = rejects.get(row.stream);
          if (before !== undefined) rejects.set(row.stream, before + row.rejects);
        }
        return rejects;
      },
      suspended: async () => new Set((await readSuspended(pool)).map(({ account }) => account)),
    },
    async page(chosen) {
      const [rows, rejectCounts, states, budgets, queue, suspended, rejects, drift] = await Promise.all([
        rowCounts(''),
        readRejectCounts(pool, projects),
        statesByName(),
        quota(),
        readQueueDepth(pool, configuration),
        readSuspended(pool),
        readRejectSamples(pool, projects, SAMPLES),
        readDrift(pool, SAMPLES),
      ]);
      const waiting = new Map(rejectCounts.map((row) => [nameOf(row), row.rejects]));
      const nextRuns = new Map(streams.map((stream) => [stream.name, nextRunOf(config, stream)]));
      const scopes = certifiedFrom(states).map((scope): ScopeView => {
        const name = nameOf({ stream: scope.stream, projectId: scope.scope.projectId });
        return {
          ...scope,
          unavailable: whyUnavailable(states.get(name), states.get(parentNames.get(name) ?? '')),
          nextRun: nextRuns.get(scope.stream) ?? null,
          rows: rows.get(name) ?? 0,
          rejects: waiting.get(name) ?? 0,
          last: lastOf(states.get(name)),
        };
      });
      const shown = withCards(scopes, chosen);
      const cards = shown.map(({ stream, scope }): StreamProject => ({ stream, projectId: scope.projectId }));
      const [marks, proofTexts] = await Promise.all([readRecentRuns(pool, cards, STRIP_RUNS), readProofs(pool, cards)]);
      const runs = Map.groupBy(marks, nameOf);
      const proofs = new Map(proofTexts.map((row) => [nameOf({ ...row, projectId: row.project_id }), row]));
      return {
        at: new Date(),
        scopes,
        cards: shown.map((view) => {
          const name = nameOf({ stream: view.stream, projectId: view.scope.projectId });
          return { view, runs: runs.get(name) ?? [], proof: proofs.get(name) ?? null };
        }),
        chosen,
        // With a single account and address, the budget of the address would repeat the same numbers.
        quota: budgets
          .filter(({ address }) => address === null || accounts.length > 1 || config.egress !== null)
          .map((budget) => ({ ...budget, streams: spendersOf(streams, budget.operation) })),
        queue,
        suspended: suspended.filter(({ account }) => knownAccounts.has(account)),
        rejects,
        drift,
      };
    },
  };
}

function nextRunOf(config: Config, stream: Stream): Date | null {
  return nextTick(config.streams[stream.name]?.schedule ?? stream.schedule);
}

function spendersOf(streams: readonly Stream[], operation: string): readonly string[] {
  return streams
    .filter(({ endpoint }) => endpoint.paths.some((path) => `${endpoint.method} ${path}` === operation))
    .map(({ name }) => name);
}

function lastOf(state: StreamStateRow | undefined): LastRun | null {
  if (state === undefined || state.ended_status === null || state.ended_at === null) return null;
  return {
    status: state.ended_status,
    certificate: state.certificate,
    reason: state.reason,
    error: state.ended_error,
    startedAt: state.ended_at,
  };
}

function agesOf(
  state: StreamStateRow | undefined,
): Omit<CertifiedScope, 'stream' | 'group' | 'scope' | 'limitMs' | 'targetMs'> {
  const ms = (seconds: number | null | undefined) =>
    seconds === null || seconds === undefined ? null : seconds * 1000;
  return {
    certifiedAt: state?.certified_at ?? null,
    ageMs: ms(state?.certificate_age_seconds),
    contentAgeMs: ms(state?.age_seconds),
    lookAgeMs: ms(state?.look_age_seconds),
  };
}

function nameOf({ stream, projectId }: StreamProject): string {
  return `${stream}/${projectId}`;
}

/**
 * Caches answers by key for `keptMs` after each was made. Concurrent callers share one answer, including one in
 * progress and failures. Each call drops expired answers.
 */
export function createAnswerCache<A>(keptMs: number, make: (key: string) => Promise<A>): (key: string) => Promise<A> {
  const entries = new Map<string, { readonly answer: Promise<A>; doneAt: number }>();
  return (key) => {
    const now = performance.now();
    for (const [name, { doneAt }] of entries) if (now - doneAt > keptMs) entries.delete(name);
    const kept = entries.get(key);
    if (kept !== undefined) return kept.answer;
    const answer = make(key);
    const entry = { answer, doneAt: Number.POSITIVE_INFINITY };
    entries.set(key, entry);
    const done = () => {
      entry.doneAt = performance.now();
    };
    answer.then(done, done);
    return answer;
  };
}
