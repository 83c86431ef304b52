import type { ClientBase } from 'pg';
import type { Scope } from '../../core/account.ts';
import type { Evidence, Proof, Reason } from '../../core/certificate.ts';
import type { Checkpoint, Hint, ListingState } from '../../core/store.ts';
import type { Stream } from '../../core/stream/stream.ts';

interface ListingRow {
  readonly listing: string;
  readonly certificate: 'complete' | 'incomplete' | null;
  readonly reason: Reason | null;
  readonly certified_at: Date | null;
  readonly proof: Proof | null;
  readonly content_at: Date | null;
  readonly evidence: Evidence | null;
  readonly certified: Checkpoint | null;
  readonly enterprise_project_id: string;
  readonly certified_under: string | null;
  readonly walked_at: Date | null;
  readonly changed_at: Date | null;
  readonly hint: Hint | null;
}

/** Everything remembered of a stream's listings in a scope, by key. */
export async function readStates(
  client: ClientBase,
  stream: Stream,
  scope: Scope,
): Promise<ReadonlyMap<string, ListingState>> {
  const { rows } = await client.query<ListingRow>(
    `select listing, certificate, reason, certified_at, proof, content_at, evidence, certified, enterprise_project_id, walked_at, changed_at, hint,
       certified->>'enterpriseProjectId' as certified_under
     from sync.listings where project_id = $1 and stream = $2`,
    [scope.projectId, stream.name],
  );
  return new Map(
    rows.map((row) => [
      row.listing,
      {
        certificate: row.certificate,
        reason: row.reason,
        certifiedAt: row.certified_at,
        proof: row.proof,
        contentAt: row.content_at ?? row.certified_at,
        evidence: row.evidence,
        checkpoint: row.certified,
        enterpriseProjectId: row.enterprise_project_id,
        certifiedUnder: row.certified_under,
        walkedAt: row.walked_at,
        changedAt: row.changed_at,
        hint: row.hint,
      },
    ]),
  );
}
