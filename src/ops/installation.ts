import type { Pool } from 'pg';
import { certificateLimitMsOf, targetMsOf } from '../config/target.ts';
import type { Config } from '../config.ts';
import type { Scope } from '../core/account.ts';
import type { Stream } from '../core/stream.ts';
import {
  type DriftSample,
  type Key,
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
} from '../postgres/overview.ts';
import { readStreamStates, type StreamState } from '../postgres/stream-state.ts';
import { nextTick } from '../sync/cron.ts';

export interface CertifiedScope {
  readonly stream: string;
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
  /** How completeness was proven, in words, and what that takes for granted. */
  readonly proof: string | null;
  readonly premises: string | null;
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

export interface ScopeView extends CertifiedScope {
  readonly nextRun: Date | null;
  readonly rows: number;
  readonly rejects: number;
  /** Newest first. */
  readonly runs: readonly RunMark[];
}

export interface PageReading {
  readonly at: Date;
  readonly scopes: readonly ScopeView[];
  readonly quota: readonly QuotaState[];
  readonly queue: readonly QueueDepth[];
  readonly suspended: readonly SuspendedAccount[];
  readonly rejects: readonly RejectSample[];
  readonly drift: readonly DriftSample[];
}

/** What is configured, and what the database says about it. */
export interface Installation {
  /** Names of the configured accounts. */
  readonly accounts: readonly string[];
  /** Whether the database answers; never throws. */
  isUp(): Promise<boolean>;
  readonly gauges: GaugeReadings;
  page(): Promise<PageReading>;
}

const STRIP_RUNS = 50;
const SAMPLES = 20;
const COUNTS_MAX_AGE_MS = 60_000;

export function createInstallation(pool: Pool, config: Config, streams: readonly Stream[]): Installation {
  const pairs = streams.flatMap((stream) => config.scopes.map((scope) => ({ stream, scope })));
  const keys: readonly Key[] = pairs.map(({ stream, scope }) => ({ stream: stream.name, projectId: scope.projectId }));
  const accounts = [...new Set(config.scopes.map(({ account }) => account))];
  const knownAccounts = new Set([...accounts, '*']);
  // Counting a million rows costs more than the rest together, and nobody watches single rows.
  let counts: { readonly at: number; readonly rows: ReadonlyMap<string, number> } | null = null;

  async function rowCounts(): Promise<ReadonlyMap<string, number>> {
    if (counts === null || Date.now() - counts.at > COUNTS_MAX_AGE_MS) {
      const rows = await readRowCounts(pool, streams);
      counts = { at: Date.now(), rows: new Map(rows.map((row) => [nameOf(row), row.rows])) };
    }
    return counts.rows;
  }

  async function certified(): Promise<readonly CertifiedScope[]> {
    const states = await readStreamStates(pool, streams);
    const known = new Map(states.map((row) => [nameOf({ stream: row.stream, projectId: row.project_id }), row]));
    return pairs.map(({ stream, scope }) => ({
      stream: stream.name,
      scope,
      limitMs: certificateLimitMsOf(config, stream),
      targetMs: targetMsOf(config, stream),
      ...agesOf(known.get(nameOf({ stream: stream.name, projectId: scope.projectId }))),
    }));
  }

  const quota = async () => (await readQuota(pool)).filter(({ account }) => knownAccounts.has(account));

  return {
    accounts,
    isUp: () =>
      pool.query('select 1').then(
        () => true,
        () => false,
      ),
    gauges: {
      certified,
      quota,
      queue: () => readQueueDepth(pool),
      async rejects() {
        const rejects = new Map(streams.map(({ name }) => [name, 0]));
        for (const row of await readRejectCounts(pool)) {
          const before = rejects.get(row.stream);
          if (before !== undefined) rejects.set(row.stream, before + row.rejects);
        }
        return rejects;
      },
      suspended: async () => new Set((await readSuspended(pool)).map(({ account }) => account)),
    },
    async page() {
      const rows = await rowCounts();
      const rejects = new Map((await readRejectCounts(pool)).map((row) => [nameOf(row), row.rejects]));
      const runs = Map.groupBy(await readRecentRuns(pool, keys, STRIP_RUNS), nameOf);
      const scopes = (await certified()).map((scope): ScopeView => {
        const name = nameOf({ stream: scope.stream, projectId: scope.scope.projectId });
        const schedule =
          config.streams[scope.stream]?.schedule ?? streams.find((stream) => stream.name === scope.stream)?.schedule;
        return {
          ...scope,
          nextRun: schedule === undefined ? null : nextTick(schedule),
          rows: rows.get(name) ?? 0,
          rejects: rejects.get(name) ?? 0,
          runs: runs.get(name) ?? [],
        };
      });
      return {
        at: new Date(),
        scopes,
        // With one account, the budget of the address it sends from says the same again.
        quota: (await quota()).filter(({ account }) => account !== '*' || accounts.length > 1),
        queue: await readQueueDepth(pool),
        suspended: (await readSuspended(pool)).filter(({ account }) => knownAccounts.has(account)),
        rejects: await readRejectSamples(pool, SAMPLES),
        drift: await readDrift(pool, SAMPLES),
      };
    },
  };
}

function agesOf(state: StreamState | undefined): Omit<CertifiedScope, 'stream' | 'scope' | 'limitMs' | 'targetMs'> {
  const ms = (seconds: number | null | undefined) =>
    seconds === null || seconds === undefined ? null : seconds * 1000;
  return {
    certifiedAt: state?.certified_at ?? null,
    ageMs: ms(state?.certificate_age_seconds),
    contentAgeMs: ms(state?.age_seconds),
    lookAgeMs: ms(state?.look_age_seconds),
    proof: state?.proof_text ?? null,
    premises: state?.premises ?? null,
  };
}

function nameOf({ stream, projectId }: Key): string {
  return `${stream}/${projectId}`;
}
