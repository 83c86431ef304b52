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
  type Key,
  type ProofText,
  readProofs,
  readStandings,
  type Standing,
  whyUnavailable,
} from '../postgres/queries/stream-state.ts';
import { nextTick } from '../sync/service/cron.ts';
import { withCards } from './standing.ts';

export interface CertifiedScope {
  readonly stream: string;
  readonly group: Group;
  readonly scope: Scope;
  /** When the oldest list behind the last proof was last read to its end; null while nothing was proven. */
  readonly certifiedAt: Date | null;
  /** Age of that reading, the certificate. */
  readonly ageMs: number | null;
  /** From which age on the certificate is late. */
  readonly limitMs: number;
  /** Age of the data: since the last reading that showed every change. */
  readonly contentAgeMs: number | null;
  /** Since the last run that proved the data complete, or found unchanged what it looked at. */
  readonly lookAgeMs: number | null;
  /** How old the data may get. */
  readonly targetMs: number;
}

/** What gauges are made from, each read for itself. */
interface GaugeReadings {
  certified(): Promise<readonly CertifiedScope[]>;
  quota(): Promise<readonly QuotaState[]>;
  queue(): Promise<readonly QueueDepth[]>;
  /** Number of rejects that wait, for every stream. */
  rejects(): Promise<ReadonlyMap<string, number>>;
  /** Accounts whose credentials rest. */
  suspended(): Promise<ReadonlySet<string>>;
}

/** The last run of a stream in a project that ended. */
export interface LastRun {
  readonly status: string;
  readonly certificate: string | null;
  readonly reason: string | null;
  readonly error: string | null;
  readonly startedAt: Date;
}

export interface ScopeView extends CertifiedScope {
  /** Why it cannot be read: it was never complete, and all of its lists, or those of its parent, are refused. Else null. */
  readonly unavailable: Refusal | null;
  readonly nextRun: Date | null;
  readonly rows: number;
  readonly rejects: number;
  readonly last: LastRun | null;
}

export interface Card {
  readonly view: ScopeView;
  /** How completeness was proven, in words, and what that takes for granted; null while nothing was proven. */
  readonly proof: Pick<ProofText, 'proof_text' | 'premises'> | null;
  /** Newest first. */
  readonly runs: readonly RunMark[];
}

/** A request budget, with the streams that spend it. */
export interface BudgetView extends QuotaState {
  readonly streams: readonly string[];
}

/** The project and the group whose page it is; null for all of them. */
export interface Chosen {
  readonly project: string | null;
  readonly group: Group | null;
}

export interface PageReading {
  readonly at: Date;
  readonly scopes: readonly ScopeView[];
  /** Those that are shown at full length, the worst first. */
  readonly cards: readonly Card[];
  readonly chosen: Chosen;
  readonly quota: readonly BudgetView[];
  readonly queue: readonly QueueDepth[];
  readonly suspended: readonly SuspendedAccount[];
  readonly rejects: readonly RejectSample[];
  readonly drift: readonly DriftSample[];
}

/** What is configured, and what the database says about it. */
export interface Readings {
  /** Names of the configured accounts. */
  readonly accounts: readonly string[];
  /** Whether the database answers; never throws. */
  isUp(): Promise<boolean>;
  readonly gauges: GaugeReadings;
  /** Ids of the configured projects. */
  readonly projects: readonly string[];
  page(chosen: Chosen): Promise<PageReading>;
}

const STRIP_RUNS = 50;
const SAMPLES = 20;
const COUNTS_MAX_AGE_MS = 60_000;

export function createReadings(pool: Pool, config: Config, streams: readonly Stream[]): Readings {
  const pairs = streams.flatMap((stream) => config.scopes.map((scope) => ({ stream, scope })));
  const keys = pairs.map(({ stream, scope }): Key => ({ stream: stream.name, projectId: scope.projectId }));
  const accounts = [...new Set(config.scopes.map(({ account }) => account))];
  const knownAccounts = new Set([...accounts, '*']);
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
    // Counting a million rows costs more than the rest together, and single rows are not what one looks for here.
    const rows = await readRowCounts(pool, streams);
    return new Map(rows.map((row) => [nameOf(row), row.rows]));
  });

  async function statesByName(): Promise<ReadonlyMap<string, Standing>> {
    const states = await readStandings(pool, keys);
    return new Map(states.map((row) => [nameOf({ stream: row.stream, projectId: row.project_id }), row]));
  }

  const certifiedFrom = (states: ReadonlyMap<string, Standing>): readonly CertifiedScope[] =>
    pairs.map(({ stream, scope }) => ({
      stream: stream.name,
      group: stream.group,
      scope,
      limitMs: certificateLimitMsOf(config, stream),
      targetMs: targetMsOf(config, stream),
      ...agesOf(states.get(nameOf({ stream: stream.name, projectId: scope.projectId }))),
    }));

  const quota = async () => (await readQuota(pool)).filter(({ account }) => knownAccounts.has(account));

  return {
    accounts,
    projects,
    isUp: () =>
      pool.query('select 1').then(
        () => true,
        () => false,
      ),
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
      const cards = shown.map(({ stream, scope }): Key => ({ stream, projectId: scope.projectId }));
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
        // With one account, the budget of the address it sends from says the same again.
        quota: budgets
          .filter(({ account }) => account !== '*' || accounts.length > 1)
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

function lastOf(state: Standing | undefined): LastRun | null {
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
  state: Standing | undefined,
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

function nameOf({ stream, projectId }: Key): string {
  return `${stream}/${projectId}`;
}

/**
 * Answers by key, each kept for so long after it was made; callers that come meanwhile share it, also while it is being made.
 * A failure is shared in the same way. What is over is dropped with the next call.
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
