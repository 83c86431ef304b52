import type { ClientBase } from 'pg';
import { z } from 'zod';
import type { Scope } from '../../core/account.ts';
import { coerceError } from '../../core/errors.ts';
import type { PendingReject, RejectStore, Replayed } from '../../core/ports.ts';
import { inZone } from '../../core/stream/endpoint.ts';
import { originOf } from '../../core/stream/record.ts';
import type { Stream } from '../../core/stream/stream.ts';
import { driftOf, SAME_KEY, type ValidRow } from '../../core/stream/validate.ts';
import { type Pool, readStored, withClient, withTransaction } from '../connection/pool.ts';
import { refusesData } from '../rows/page-writer.ts';
import { writeRows } from '../rows/row-writer.ts';
import { qualified, quote } from '../rows/statements.ts';
import type { RejectRow } from '../schema/tables.ts';
import { CERTIFIED_SINCE, recordDrift } from './bookkeeping.ts';
import { withStreamLock } from './lock.ts';

const SLICE = 500;

export interface RejectStoreOptions {
  /** Zone of times without one. */
  readonly timeZone: string;
}

/** The stored rejects, for replaying. */
export function createRejectStore(pool: Pool, { timeZone }: RejectStoreOptions): RejectStore {
  return {
    count: async () => {
      const { rows } = await withClient(pool, (client) =>
        client.query<{ stream: RejectRow['stream']; projectId: RejectRow['project_id']; rejects: number }>(
          `select stream, project_id as "projectId", count(*)::int as rejects from sync.rejected_records
           where replayed_at is null group by 1, 2 order by 1, 2`,
        ),
      );
      return rows;
    },
    open: (stream, projectId, work) =>
      withStreamLock(pool, { stream, scope: { projectId } }, (client) =>
        work({
          pending: (after) => pending({ client, stream, projectId }, after),
          write: (reject, row) => write({ client, stream, timeZone }, reject, row),
        }),
      ),
  };
}

interface RejectScope {
  readonly client: ClientBase;
  readonly stream: Stream;
}

async function pending(
  { client, stream, projectId }: RejectScope & { readonly projectId: string },
  after: PendingReject | null,
): Promise<readonly PendingReject[]> {
  const { rows } = await client.query<PendingRow>(
    `select fingerprint, account, region, listing, params, payload, last_seen_at, ${zoneSql(stream)} as zone,
       exists (select from jsonb_array_elements(issues) i where i->>'message' = '${SAME_KEY}') as rival
     from sync.rejected_records r where project_id = $1 and stream = $2 and replayed_at is null
       and ($3::timestamptz is null or (last_seen_at, fingerprint) < ($3, $4))
     order by last_seen_at desc, fingerprint desc limit ${SLICE}`,
    [projectId, stream.name, after?.lastSeenAt ?? null, after?.fingerprint ?? null],
  );
  return rows.map(({ fingerprint, account, region, listing, params, payload, last_seen_at, zone, rival }) => ({
    fingerprint,
    account,
    region,
    projectId,
    listing: { key: listing, params: readStored(paramsSchema, params) ?? {}, ...inZone(zone) },
    payload,
    lastSeenAt: last_seen_at,
    hasDuplicateKey: rival,
  }));
}

interface PendingRow
  extends Pick<RejectRow, 'fingerprint' | 'account' | 'region' | 'listing' | 'params' | 'payload' | 'last_seen_at'> {
  readonly zone: string | null;
  readonly rival: boolean;
}

/** Parameters of a list. Without them, a record that needs them for its key stays a reject. */
const paramsSchema = z.record(z.string(), z.string());

/** SQL for the zone that the parent row of a reject's listing names. */
function zoneSql({ parent }: Stream): string {
  if (parent?.timeZone === undefined) return 'null';
  const match = Object.entries(parent.params).map(
    ([name, column]) => `p.${quote(column)}::text = r.params->>'${name}'`,
  );
  return `(select max(p.${quote(parent.timeZone)}) from ${qualified(parent.stream.table)} p
    where p.project_id = r.project_id and ${match.join(' and ')})`;
}

async function write(
  { client, stream, timeZone }: RejectScope & RejectStoreOptions,
  reject: PendingReject,
  row: ValidRow,
): Promise<Replayed> {
  const { account, region, projectId, listing } = reject;
  const scope: Scope = { account, region, projectId, enterpriseProjectId: '' };
  try {
    return await withTransaction(client, async () => {
      const { newer, live } = await stored({ client, stream }, reject, row);
      // Only a walk, which sees both records, decides which one is the row. With a corrected key there is no such row.
      if (reject.hasDuplicateKey && live) return { kind: 'refused', reason: SAME_KEY };
      const { inserted, updated } = newer
        ? { inserted: 0, updated: 0 }
        : await writeRows({ client, stream, scope }, [row], { refuseOlder: true });
      const isWritten = inserted + updated > 0;
      const origin = originOf(reject, listing, timeZone);
      await recordDrift(client, stream, isWritten ? driftOf(stream, row.record, origin) : []);
      await client.query(
        'update sync.rejected_records set replayed_at = now() where project_id = $1 and stream = $2 and fingerprint = $3',
        [projectId, stream.name, reject.fingerprint],
      );
      return { kind: isWritten ? 'written' : 'superseded' };
    });
  } catch (error) {
    if (!refusesData(error)) throw error;
    return { kind: 'refused', reason: `Postgres refused it: ${coerceError(error).message}` };
  }
}

/**
 * The stored row with the key: whether it is live, and whether it is newer than the reject. It is newer if it changed
 * or disappeared after the reject was last seen, or if its list was read completely afterwards without the reject; then
 * even a row that never changed was seen later.
 */
async function stored(
  { client, stream }: RejectScope,
  { projectId, listing, lastSeenAt }: PendingReject,
  { row }: ValidRow,
): Promise<{ readonly newer: boolean; readonly live: boolean }> {
  const { rows } = await client.query<{ newer: boolean | null; live: boolean }>(
    `select t._deleted_at is null as live, greatest(t._changed_at, t._deleted_at, (select ${CERTIFIED_SINCE} from sync.listings l
       where l.project_id = $1 and l.stream = $2 and l.listing = $3)) >= $4 as newer
     from ${qualified(stream.table)} t
     where t.project_id = $1 and ${stream.key.map((name, index) => `t.${quote(name)} = $${index + 5}`).join(' and ')}`,
    [projectId, stream.name, listing.key, lastSeenAt, ...stream.key.map((name) => row[name])],
  );
  return { newer: rows[0]?.newer === true, live: rows[0]?.live === true };
}
