import type { Certificate } from '../../core/certificate.ts';
import type { Conclusion } from '../../core/store.ts';
import { toJson } from '../../core/stream/json.ts';
import {
  ALL_ENTERPRISE_PROJECTS,
  certificateAfterSweep,
  type Doubt,
  judgeSweep,
  refuted,
  relocatedSince,
  settlesParts,
} from '../../core/sweep.ts';
import type { StreamConnection } from '../rows/row-writer.ts';
import type { ListingRow, RunRow } from '../schema/tables.ts';
import { addCounts, type ListingChange, NO_COUNTS, recordDrift, settleRejects, touchListing } from './bookkeeping.ts';
import { findMissing, readDoubts, sweepRows, withRelocated } from './sweep.ts';

interface StoredListing {
  readonly missing: ListingRow['missing'];
  readonly scope: ListingRow['enterprise_project_id'] | null;
  readonly certified: ListingRow['certified_at'];
  readonly now: Date;
  /** The stream has rejects that are not settled. */
  readonly hasRejects: boolean;
  /** Start of the run. */
  readonly began: RunRow['started_at'] | null;
}

function missingText(doubts: readonly Doubt[]): string | null {
  return doubts.length === 0 ? null : toJson(doubts);
}

/**
 * Stores what a walk proved and sweeps the rows that are gone, in one transaction. `certificate` is what the walk
 * proved. The certificate that is stored and returned can be less: the sweep withholds it if too many rows are missing.
 */
export async function conclude(
  at: StreamConnection,
  runId: number,
  { listing, certificate, checkpoint, sweep, hint = null, tookMs = 0, asOf }: Conclusion,
): Promise<Certificate> {
  const { client, stream, scope } = at;
  const { rows } = await client.query<StoredListing>(
    `select l.missing, l.enterprise_project_id as scope, l.certified_at as certified, now() as now,
       (select started_at from sync.runs where id = $4) as began,
       exists (select from sync.rejected_records where project_id = $1 and stream = $2 and replayed_at is null) as "hasRejects"
     from (select 1) one left join sync.listings l on l.project_id = $1 and l.stream = $2 and l.listing = $3`,
    [scope.projectId, stream.name, listing.key, runId],
  );
  const nothing = { missing: null, scope: null, certified: null, began: null, hasRejects: true };
  const before = rows[0] ?? { ...nothing, now: new Date() };
  let stored = certificate;
  let scopeSettled = true;
  // If a list was read in parts, its parts have the doubts.
  let memory: Record<string, string | null> = certificate.evidence.parts === undefined ? {} : { missing: null };
  if (sweep !== null && certificate.kind === 'complete') {
    const absence = await findMissing(at, listing, sweep);
    const missing = await withRelocated(
      at,
      relocatedSince(before.certified?.getTime() ?? null, sweep),
      absence.missing,
    );
    const answer = judgeSweep({
      ...absence,
      missing,
      ...sweep,
      listed: certificate.evidence.distinct,
      doubts: readDoubts(before.missing),
      scopeBefore: before.scope,
      scopeNow: scope.enterpriseProjectId,
      now: before.now.getTime(),
    });
    const deleted = await sweepRows(at, answer.sweep);
    if (deleted > 0) await addCounts(client, runId, { ...NO_COUNTS, deleted });
    stored = certificateAfterSweep(certificate, answer);
    // A narrower setting is adopted only with `--accept-shrink`. Until then, absent rows prove nothing.
    scopeSettled =
      absence.missing.length === 0 ||
      sweep.acceptShrink ||
      before.scope === null ||
      scope.enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
    memory = { missing: missingText(answer.doubts) };
  } else if (sweep !== null && certificate.kind === 'incomplete') {
    memory = { missing: missingText(refuted(readDoubts(before.missing), sweep.seen)) };
  }
  const complete = stored.kind === 'complete';
  const columns: ListingChange['columns'] = {
    certificate: stored.kind,
    reason: stored.kind === 'complete' ? null : stored.reason,
    evidence: toJson(stored.evidence),
    walked_at: before.now,
    progress: null,
    ...memory,
    ...(hint === null ? {} : { hint: toJson(hint) }),
    ...(complete
      ? {
          certified_at: asOf?.certifiedAt ?? before.now,
          certified_since: asOf?.contentAt ?? before.began,
          content_at: asOf?.contentAt ?? new Date(before.now.getTime() - tookMs),
          proof: stored.kind === 'complete' ? stored.proof : null,
        }
      : {}),
    // All listed rows were read, even if the list is capped or the certificate is withheld because of missing rows or
    // the key.
    ...((certificate.kind === 'complete' || certificate.reason === 'capped' || certificate.reason === 'key') &&
    checkpoint !== null
      ? { certified: toJson({ ...checkpoint, enterpriseProjectId: scope.enterpriseProjectId }) }
      : {}),
  };
  await touchListing(at, listing, { columns, certified: complete && scopeSettled });
  if (settlesParts(stream, listing, stored)) {
    await client.query(
      `update sync.listings set missing = null
       where project_id = $1 and stream = $2 and listing <> $3 and params @> $4::jsonb and missing is not null`,
      [scope.projectId, stream.name, listing.key, toJson(listing.params)],
    );
  }
  const { totalContradicted, totalLast, distinct } = stored.evidence;
  if (totalContradicted === true) {
    const sample = `${totalLast ?? 'no'} for ${distinct} rows`;
    await recordDrift(client, stream, [{ field: stream.paging.total, kind: 'wrong total', sample }]);
  }
  // A narrower setting hides rejects as well as rows.
  if (complete && scopeSettled && before.hasRejects) {
    // If a list was read window by window, each window settles its own rejects.
    const everywhere = stored.evidence.parts !== undefined && stream.window === undefined;
    await settleRejects(at, { listing, runId, everywhere });
  }
  return stored;
}
