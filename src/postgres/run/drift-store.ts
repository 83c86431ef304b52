import type { ClientBase } from 'pg';
import { toJson } from '../../core/stream/json.ts';
import type { Stream } from '../../core/stream/stream.ts';
import type { Drift } from '../../core/stream/validate.ts';

/** Most differences stored for one stream. The API chooses the names of fields, so their number has no other bound. */
const MOST_DIFFERENCES = 200;

/** Field of the row that counts what is beyond; one for each kind of difference. */
const MORE = '(more fields)';

/**
 * Counts differences from the documents inside the caller's transaction; answers with those that were never met before.
 * Beyond {@link MOST_DIFFERENCES} a stream, only their number is kept.
 */
export async function recordDrift(
  client: ClientBase,
  stream: Stream,
  drifts: readonly Drift[],
): Promise<readonly string[]> {
  if (drifts.length === 0) return [];
  const tally = new Map<string, Drift & { count: number }>();
  for (const drift of drifts) {
    const name = `${drift.field}\u0001${drift.kind}`;
    const entry = tally.get(name) ?? { ...drift, count: 0 };
    entry.count += 1;
    tally.set(name, entry);
  }
  const { rows } = await client.query<{ field: string; kind: string; sample: string | null; is_new: boolean }>(
    `with met as (
       select i.*, d.stream is not null as is_known, row_number() over (partition by d.stream is null order by i.field, i.kind) as place
       from json_to_recordset($2::json) as i(field text, kind text, sample text, count bigint)
       left join sync.api_drift d on d.stream = $1 and d.field = i.field and d.kind = i.kind
     ), placed as (
       select *, is_known or place <= $3 - (select count(*) from sync.api_drift where stream = $1 and field <> $4) as fits from met
     ), counted as (
       select case when fits then field else $4 end as field, kind, min(sample) filter (where fits) as sample, sum(count)::bigint as count
       from placed group by 1, 2
     )
     insert into sync.api_drift as d (stream, field, kind, sample, count, first_seen_at, last_seen_at)
     select $1, field, kind, sample, count, now(), now() from counted order by field, kind
     on conflict (stream, field, kind) do update set count = d.count + excluded.count, last_seen_at = excluded.last_seen_at
     returning d.field, d.kind, d.sample, d.xmax = 0 as is_new`,
    [stream.name, toJson([...tally.values()]), MOST_DIFFERENCES, MORE],
  );
  return rows
    .filter(({ is_new }) => is_new)
    .map(({ field, kind, sample }) => `${kind}: ${field}${sample === null ? '' : ` = ${sample}`}`);
}
