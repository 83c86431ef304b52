import type { Scope } from '../../src/core/account.ts';
import type { Certificate } from '../../src/core/certificate.ts';
import {
  type Conclusion,
  type ListingState,
  type PageResult,
  type PageWrite,
  type RowChange,
  type RunOutcome,
  type RunReport,
  rowChange,
  type StreamRun,
  type SweepBasis,
  type Visit,
} from '../../src/core/store.ts';
import { type Dialect, fixedListings, type Listing } from '../../src/core/stream/endpoint.ts';
import type { Row } from '../../src/core/stream/record.ts';
import type { Parent, Stream } from '../../src/core/stream/stream.ts';
import {
  ALL_ENTERPRISE_PROJECTS,
  certificateAfterSweep,
  confirmedUntil,
  judgeSweep,
  keyBesidesList,
  LEAST_DISTANCE_MS,
  type MissingRow,
  refuted,
  relocatedSince,
  type SweepDecision,
  settlesParts,
} from '../../src/core/sweep.ts';
import type { MemoryStore, Remembered, StoredRow } from './memory-store.ts';

interface RunParts {
  readonly store: MemoryStore;
  readonly stream: Stream;
  readonly scope: Scope;
  readonly now: () => number;
  readonly skipCertifiedSince: Date | null;
  readonly skipWalkedSince: Date | null;
  /** The run failed, or came to its end, whatever it proved. */
  readonly ended: (how: 'failed' | 'whole') => void;
}

/** One run on a `MemoryStore`. After a crash nothing of it is committed any more, its end included. */
export class MemoryRun implements StreamRun {
  readonly skipCertifiedSince: Date | null;
  readonly skipWalkedSince: Date | null;
  readonly editedAt = null;
  readonly #parts: RunParts;
  readonly #startedAt: number;
  readonly #table: Map<string, StoredRow>;
  readonly #counts = {
    requests: 0,
    throttled: 0,
    records: 0,
    inserted: 0,
    updated: 0,
    unchanged: 0,
    deleted: 0,
    rejected: 0,
  };
  #death: { readonly error: unknown } | null = null;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.skipCertifiedSince = parts.skipCertifiedSince;
    this.skipWalkedSince = parts.skipWalkedSince;
    this.#startedAt = parts.now();
    this.#table = parts.store.table(parts.stream, parts.scope);
  }

  states(): Promise<ReadonlyMap<string, ListingState>> {
    return this.#parts.store.states(this.#parts.stream, this.#parts.scope);
  }

  async page({
    listing,
    rows,
    rejects,
    requests,
    throttled,
    refuseOlder,
    isOld = false,
  }: PageWrite): Promise<PageResult> {
    this.#commit();
    const { stream, store, now } = this.#parts;
    const { version } = stream;
    const before = { ...this.#counts };
    const changes = new Map<string, RowChange>();
    for (const { key, row, hash } of rows) {
      const stored = this.#table.get(key);
      if (stored !== undefined && stored.hash === hash && stored.deletedAt === null) {
        this.#counts.unchanged += 1;
        continue;
      }
      const versionOf = (one: Row) => (version === undefined ? null : one[version]);
      const known = stored === undefined ? null : { gone: stored.deletedAt !== null, version: versionOf(stored.row) };
      const change = rowChange(known, versionOf(row));
      changes.set(key, change);
      if (refuseOlder && change === 'older') continue;
      if (isOld && version === undefined && stored !== undefined) continue;
      const fresh = { key, row, hash, firstSeenAt: stored?.firstSeenAt ?? now(), deletedAt: null };
      this.#table.set(key, fresh);
      this.#counts[stored === undefined ? 'inserted' : 'updated'] += 1;
      store.onWrite(stream, fresh);
    }
    this.#counts.requests += requests;
    this.#counts.throttled += throttled;
    this.#counts.records += rows.length + rejects.length;
    this.#counts.rejected += rejects.length;
    const inserted = this.#counts.inserted - before.inserted;
    const changed = inserted > 0 || this.#counts.updated > before.updated;
    const { enterpriseProjectId } = this.#parts.scope;
    this.#update(listing, {
      ...(changed ? { changedAt: new Date(now()) } : {}),
      ...(enterpriseProjectId === ALL_ENTERPRISE_PROJECTS ? { enterpriseProjectId } : {}),
    });
    return { inserted, changed: changes, refused: 0, newDrift: [] };
  }

  async conclude({
    listing,
    certificate,
    checkpoint,
    sweep,
    hint,
    tookMs = 0,
    asOf,
  }: Conclusion): Promise<Certificate> {
    this.#commit();
    const { scope, now } = this.#parts;
    const memory = this.#update(listing, {});
    const { enterpriseProjectId } = scope;
    let stored = certificate;
    let settled = true;
    if (certificate.evidence.parts !== undefined) memory.missing = [];
    if (sweep !== null && certificate.kind === 'complete') {
      const { missing, answer } = this.#sweep({ listing, certificate }, sweep, memory);
      memory.missing = answer.doubts;
      stored = certificateAfterSweep(certificate, answer);
      settled = missing === 0 || sweep.acceptShrink || enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
    } else if (sweep !== null && certificate.kind === 'incomplete') {
      memory.missing = refuted(memory.missing, sweep.seen);
    }
    const complete = stored.kind === 'complete';
    this.#update(listing, {
      certificate: stored.kind,
      reason: stored.kind === 'complete' ? null : stored.reason,
      evidence: stored.evidence,
      walkedAt: new Date(now()),
      ...(stored.kind === 'complete'
        ? { certifiedAt: new Date(now()), contentAt: new Date(now() - tookMs), ...asOf, proof: stored.proof }
        : {}),
      ...((certificate.kind === 'complete' || certificate.reason === 'capped' || certificate.reason === 'key') &&
      checkpoint !== null
        ? { checkpoint, certifiedUnder: enterpriseProjectId }
        : {}),
      ...(complete && settled ? { enterpriseProjectId } : {}),
      ...(hint === null || hint === undefined ? {} : { hint }),
    });
    if (settlesParts(this.#parts.stream, listing, stored)) {
      const { store, stream } = this.#parts;
      for (const [key, part] of store.remembered(stream, scope)) if (key !== listing.key) part.missing = [];
    }
    return stored;
  }

  #sweep(
    { listing, certificate }: Pick<Conclusion, 'listing' | 'certificate'>,
    basis: SweepBasis,
    memory: Remembered,
  ): { readonly answer: SweepDecision; readonly missing: number } {
    const { stream, scope, now } = this.#parts;
    const filter = Object.entries(listing.params).filter(([name]) => name in stream.fields);
    const { within } = basis;
    const timeOf = ({ row }: StoredRow) => (within === undefined ? null : row[within.column]);
    const isWithin = (time: unknown) =>
      time instanceof Date && time.getTime() >= (within?.missedFrom ?? 0) && time.getTime() < (within?.rows.end ?? 0);
    const all = [...this.#table.values()].filter(
      (stored) =>
        stored.deletedAt === null &&
        filter.every(([name, value]) => stored.row[name] === value) &&
        (within === undefined || isWithin(timeOf(stored))),
    );
    const oldest = Math.min(...all.filter(({ key }) => basis.seen.has(key)).map((one) => Number(timeOf(one))));
    const live = within?.mayAgeOut === true ? all.filter((one) => Number(timeOf(one)) >= oldest) : all;
    const since = relocatedSince(memory.state.certifiedAt?.getTime() ?? null, basis);
    const own = keyBesidesList(stream);
    const missing = live
      .filter(({ key }) => !basis.seen.has(key))
      .map(
        ({ key, row, firstSeenAt }): MissingRow => ({
          key: key.split('\u0001'),
          enterpriseProjectId: projectOf(row),
          isRelocated:
            own !== null &&
            since !== null &&
            this.#isRelocated(own, row, Math.max(since, firstSeenAt + LEAST_DISTANCE_MS)),
        }),
      );
    if (basis.stored === live.length && missing.length > 0)
      throw new Error('as many rows as it left, and one is missing');
    const liveByEnterprise = new Map<string, number>();
    for (const { row } of live) {
      const project = projectOf(row);
      if (project !== null) liveByEnterprise.set(project, (liveByEnterprise.get(project) ?? 0) + 1);
    }
    const answer = judgeSweep({
      ...basis,
      live: live.length,
      liveByEnterprise,
      missing,
      listed: certificate.evidence.distinct,
      doubts: memory.missing,
      scopeBefore: memory.state.enterpriseProjectId,
      scopeNow: scope.enterpriseProjectId,
      now: now(),
    });
    for (const { key } of answer.sweep) this.#mark(this.#table.get(key.join('\u0001')));
    return { answer, missing: missing.length };
  }

  #isRelocated(own: readonly string[], row: Row, since: number): boolean {
    return [...this.#table.values()].some(
      (other) =>
        other.deletedAt === null && other.firstSeenAt >= since && own.every((name) => other.row[name] === row[name]),
    );
  }

  async recordPoll(listing: Listing, { hint, checkpoint, contentForMs }: Visit): Promise<void> {
    this.#commit();
    this.#update(listing, {
      walkedAt: new Date(this.#parts.now()),
      ...(hint === null ? {} : { hint }),
      ...(checkpoint === null ? {} : { checkpoint: { ...this.#update(listing, {}).state.checkpoint, ...checkpoint } }),
      ...(contentForMs === null ? {} : { contentAt: new Date(this.#parts.now() - contentForMs) }),
    });
  }

  async recordFailure(listing: Listing): Promise<void> {
    this.#commit();
    this.#update(listing, { failedAt: new Date(this.#parts.now()) });
  }

  async forget(listings: readonly string[]): Promise<void> {
    this.#commit();
    const { store, stream, scope } = this.#parts;
    for (const key of listings) store.remembered(stream, scope).delete(key);
  }

  async valuesOf(column: string, when: 'ever' | 'before'): Promise<readonly string[]> {
    const known = [...this.#table.values()].filter(
      ({ firstSeenAt }) => when === 'ever' || firstSeenAt < this.#startedAt,
    );
    return [...new Set(known.flatMap(({ row }) => (row[column] === null ? [] : [String(row[column])])))];
  }

  /** Marks rows of parents that are gone, once the parent's mark is confirmed. */
  async sweepOrphans(): Promise<number> {
    this.#commit();
    const { store, stream, scope } = this.#parts;
    if (stream.parent === undefined) return 0;
    const { stream: from, params } = stream.parent;
    const lists = fixedListings(from).map(({ key }) => {
      const memory = store.remembered(from, scope).get(key);
      if (memory === undefined) return null;
      const { certificate, certifiedAt, evidence } = memory.state;
      const rejects = evidence?.rejects ?? 0;
      return { certificate, certifiedAt: certifiedAt?.getTime() ?? null, doubts: memory.missing, rejects };
    });
    const until = confirmedUntil(lists) ?? Number.NEGATIVE_INFINITY;
    const alive = new Set<string>();
    const settled = new Set<string>();
    const open = new Set<string>();
    for (const { row, deletedAt } of store.table(from, scope).values()) {
      const parent = parentText(params, ([, column]) => row[column]);
      if (deletedAt === null) alive.add(parent);
      else (deletedAt <= until ? settled : open).add(parent);
    }
    let swept = 0;
    for (const row of this.#table.values()) {
      const parent = parentText(params, ([own]) => row.row[own]);
      if (row.deletedAt !== null || alive.has(parent) || open.has(parent) || !settled.has(parent)) continue;
      this.#mark(row);
      swept += 1;
    }
    for (const memory of store.remembered(stream, scope).values()) {
      if (alive.has(parentText(params, ([own]) => memory.params[own]))) continue;
      memory.state = { ...memory.state, certificate: null, checkpoint: null, certifiedUnder: null };
    }
    return swept;
  }

  async countRequests(requests: number, throttled: number): Promise<void> {
    this.#commit();
    this.#counts.requests += requests;
    this.#counts.throttled += throttled;
  }

  async storeDialect(dialect: Dialect): Promise<void> {
    this.#commit();
    this.#parts.store.learn(this.#parts.stream, this.#parts.scope, dialect);
  }

  async finish({ status, certificate, certifiedAt, reason, walk, error }: RunOutcome): Promise<RunReport> {
    this.#commit();
    const { store, stream, scope, now, ended } = this.#parts;
    if (status === 'failed') ended('failed');
    else if (reason !== 'interrupted' || error !== null) ended('whole');
    const report: RunReport = {
      stream: stream.name,
      account: scope.account,
      region: scope.region,
      project_id: scope.projectId,
      status,
      certificate,
      certified_at: certifiedAt?.toISOString() ?? null,
      reason,
      walk,
      ...this.#counts,
      duration_ms: now() - this.#startedAt,
      error: error?.message ?? null,
    };
    store.reports.push(report);
    return report;
  }

  async close(): Promise<void> {}

  #commit(): void {
    if (this.#death !== null) throw this.#death.error;
    try {
      this.#parts.store.arrive();
    } catch (error) {
      this.#death = { error };
      throw error;
    }
  }

  #mark(row: StoredRow | undefined): void {
    if (row === undefined) return;
    row.deletedAt = this.#parts.now();
    this.#counts.deleted += 1;
    this.#parts.store.onWrite(this.#parts.stream, row);
  }

  #update({ key, params }: Listing, change: Partial<ListingState>): Remembered {
    const { store, stream, scope } = this.#parts;
    const remembered = store.remembered(stream, scope);
    const memory = remembered.get(key) ?? { params, state: neverRead(scope), missing: [] };
    remembered.set(key, memory);
    memory.state = { ...memory.state, ...change };
    return memory;
  }
}

function neverRead({ enterpriseProjectId }: Scope): ListingState {
  return {
    certificate: null,
    reason: null,
    certifiedAt: null,
    certifiedSince: null,
    proof: null,
    contentAt: null,
    evidence: null,
    checkpoint: null,
    enterpriseProjectId,
    certifiedUnder: null,
    walkedAt: null,
    failedAt: null,
    changedAt: null,
    hint: null,
  };
}

function parentText(params: Parent['params'], value: (pair: readonly [string, string]) => unknown): string {
  return Object.entries(params)
    .map((pair) => String(value(pair)))
    .join('\u0001');
}

function projectOf({ enterprise_project_id: project }: Row): string | null {
  return typeof project === 'string' ? project : null;
}
