import type { ClientBase } from 'pg';
import type { Scope } from '../core/account.ts';
import type { Certificate } from '../core/certificate.ts';
import { toJson } from '../core/json.ts';
import type { Conclusion } from '../core/store.ts';
import type { Stream } from '../core/stream.ts';
import { type Agreement, judgeSweep, WIDEST } from '../core/sweep.ts';
import { addCounts, NO_COUNTS, settleRejects, touchListing } from './ledger.ts';
import { findMissing, sweepRows } from './sweep.ts';

interface Remembered {
  readonly missing: string[] | null;
  readonly shrink: Agreement | null;
  readonly scope: string | null;
  readonly now: Date;
}

/** Writes down what a walk proved and, with it, which rows are gone: one transaction, so neither is there without the other. */
export async function conclude(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
  runId: number,
  { listing, certificate, checkpoint, sweep, hint = null, tookMs = 0 }: Conclusion,
): Promise<Certificate> {
  const { rows } = await client.query<Remembered>(
    `select l.missing, l.shrink, l.enterprise_project_id as scope, now() as now
     from (select 1) one left join sync.listings l on l.project_id = $1 and l.stream = $2 and l.listing = $3`,
    [scope.projectId, stream.name, listing.key],
  );
  const before = rows[0] ?? { missing: null, shrink: null, scope: null, now: new Date() };
  let standing = certificate;
  let scopeSettled = true;
  let memory: Record<string, string | null> = {};
  if (sweep !== null && certificate.kind === 'complete') {
    const absence = await findMissing(client, stream, scope, listing, sweep);
    const answer = judgeSweep({
      ...absence,
      ...sweep,
      missingBefore: new Set(before.missing ?? []),
      scopeBefore: before.scope,
      scopeNow: scope.enterpriseProjectId,
      agreement: before.shrink,
      now: before.now.getTime(),
    });
    const deleted = await sweepRows(client, stream, scope, answer.sweep);
    if (deleted > 0) await addCounts(client, runId, { ...NO_COUNTS, deleted });
    if (answer.suspicious)
      standing = { kind: 'incomplete', reason: 'suspicious-shrink', evidence: certificate.evidence };
    // A narrower setting is adopted only when somebody accepts what it hides; until then its absences prove nothing.
    scopeSettled =
      absence.missing.length === 0 ||
      sweep.acceptShrink ||
      before.scope === null ||
      scope.enterpriseProjectId === WIDEST;
    memory = {
      missing: answer.remember.length === 0 ? null : toJson(answer.remember),
      shrink: answer.agreement === null ? null : toJson(answer.agreement),
    };
  }
  const complete = standing.kind === 'complete';
  const columns = {
    certificate: standing.kind,
    reason: standing.kind === 'complete' ? null : standing.reason,
    evidence: toJson(standing.evidence),
    walked_at: before.now,
    progress: null,
    ...memory,
    ...(hint === null ? {} : { hint: toJson(hint) }),
    ...(complete
      ? {
          certified_at: before.now,
          content_at: new Date(before.now.getTime() - tookMs),
          proof: standing.kind === 'complete' ? standing.proof : null,
        }
      : {}),
    // Of a capped list everything in sight was read, and the next look goes on from there.
    ...((complete || (standing.kind === 'incomplete' && standing.reason === 'capped')) && checkpoint !== null
      ? { certified: toJson({ ...checkpoint, enterpriseProjectId: scope.enterpriseProjectId }) }
      : {}),
  };
  await touchListing(client, stream, scope, listing, columns, complete && scopeSettled);
  // A narrower setting hides rejects as it hides rows.
  if (complete && scopeSettled) {
    const everywhere = standing.evidence.parts !== undefined;
    await settleRejects(client, stream, scope, { listing, runId, everywhere });
  }
  return standing;
}
