import type pg from 'pg';
import {
  type Clock,
  PLENTY_PER_MINUTE,
  type QuotaSlot,
  type SharedQuota,
  type Suspension,
  type Suspensions,
  type Throttle,
} from '../../core/ports.ts';
import { withClient } from '../connection/pool.ts';

/** Options of the quota; all have defaults. */
export interface QuotaOptions {
  /** The server's window, in ms; default 60 s, as documented for HSS. Small in tests. */
  readonly windowMs?: number;
  /** Added to the window, in ms, because the time that requests need to arrive varies. */
  readonly marginMs?: number;
  /** Time in ms after which a request is given up. The slot of a crashed process becomes free one window later. */
  readonly requestDeadlineMs?: number;
  /** Name of the address from which the requests leave, because the API counts per user and per IP; empty if absent. */
  readonly egress?: string;
  /** A virtual clock for tests. By default the database clock applies, which all processes share. */
  readonly now?: () => number;
}

interface SlotDecision {
  readonly buckets: number;
  readonly wait: number;
  /** Time in ms until the accounts of this address may send another request, after this decision. */
  readonly next: number;
  /** The same for the account, from any address. */
  readonly own: number;
  readonly lease: string | null;
}

const UNCOUNTED: QuotaSlot = { done: async () => {} };

/**
 * The request quota in Postgres. `pool` should be a small separate pool, so that writers do not delay a slot. A failure
 * of `done` may be ignored: the slot then becomes free later than possible, never earlier.
 */
export function createQuota(pool: pg.Pool, clock: Clock, options: QuotaOptions = {}): SharedQuota {
  const { windowMs = WINDOW_MS, marginMs = MARGIN_MS, requestDeadlineMs = 60_000, now } = options;
  const egress = `${ADDRESS}${options.egress ?? ''}`;
  const at = () => (now === undefined ? null : new Date(now()));
  const elapsed = now ?? (() => performance.now());
  /** Operation -> time by `elapsed` from which the address has requests again, as far as this process was told. */
  const openAt = new Map<string, number>();
  /** Account and operation -> the same for the account, while it has none left. */
  const ownOpenAt = new Map<string, number>();

  async function ask(account: string, operation: string, budget: number): Promise<SlotDecision> {
    return withClient(pool, async (client) => {
      const values = [account, operation, budget, egress, windowMs, marginMs, requestDeadlineMs, at()];
      const { rows } = await client.query<SlotDecision>(ACQUIRE, values);
      const [verdict] = rows;
      if (verdict?.buckets === 2) {
        openAt.set(operation, elapsed() + Math.min(verdict.next, windowMs + marginMs));
        if (verdict.own > 0)
          ownOpenAt.set(keyOf(account, operation), elapsed() + Math.min(verdict.own, windowMs + marginMs));
        else ownOpenAt.delete(keyOf(account, operation));
        return verdict;
      }
      await client.query(ENSURE, [account, operation, budget, egress]);
      return { buckets: 0, wait: 0, next: 0, own: 0, lease: null };
    });
  }

  function slot(account: string, operation: string, lease: string): QuotaSlot {
    let settled: Promise<void> | undefined;
    const settle = async (throttle?: Throttle) => {
      await withClient(pool, async (client) => {
        await client.query(SETTLE, [account, operation, egress, lease, at()]);
        if (throttle === undefined) return;
        const { retryAfterMs, limit, windowMs: learnt, dimension } = throttle;
        // A limit per IP applies to all accounts behind the address.
        const bucket = dimension === 'ip' || dimension === 'api' ? egress : account;
        const said = [retryAfterMs, limit, learnt, dimension];
        await client.query(THROTTLED, [bucket, operation, ...said, windowMs, marginMs, at()]);
      });
    };
    return {
      done(throttle) {
        settled ??= settle(throttle);
        return settled;
      },
    };
  }

  return {
    async acquire({ account, operation, requestsPerMinute }, signal) {
      if (requestsPerMinute >= PLENTY_PER_MINUTE) return UNCOUNTED;
      for (;;) {
        signal.throwIfAborted();
        const { buckets, wait, lease } = await ask(account, operation, requestsPerMinute);
        if (lease !== null) return slot(account, operation, lease);
        // At most one window at a time, because a hold may be lifted and a limit may recover.
        if (buckets > 0) await clock.sleep(Math.max(1, Math.ceil(Math.min(wait, windowMs + marginMs))), signal);
      }
    },
    waitMs: (operation) => Math.max(0, (openAt.get(operation) ?? 0) - elapsed()),
    accountWaitMs: (account, operation) => Math.max(0, (ownOpenAt.get(keyOf(account, operation)) ?? 0) - elapsed()),
  };
}

function keyOf(account: string, operation: string): string {
  return `${account} ${operation}`;
}

/** Begins the names of addresses in `sync.api_quota`; no account can have a name that begins so. */
const ADDRESS = '*';

/** The documented window of HSS and the margin, both in ms. */
export const WINDOW_MS = 60_000;
export const MARGIN_MS = 1_000;

/**
 * SQL for the limits of budgets and their use, shared by the decision about a request and by its display. Needs a table
 * expression `bucket` (rows of `sync.api_quota` with the time `t` and `granted_budget`). Defines `limits`, each with
 * `n` requests within `span` ms, and `used`, which adds the times within that span at which requests count, in order.
 * `window` and `margin` are SQL for ms.
 */
export function quotaLimits(window: string, margin: string): string {
  return `limits as (
  select account, operation, t, recent, least(granted_budget, reduced_limit
      + floor(greatest(0, extract(epoch from t - reduced_at) * 1000) / (${window} + ${margin}))::integer) as n,
    ${window} + ${margin} as span
  from bucket
  union all
  -- Expires after a day, so that a raised quota is noticed at the cost of one throttled request.
  select account, operation, t, recent, greatest(1, learnt_limit), learnt_window_ms + ${margin} from bucket
  where learnt_limit is not null and learnt_window_ms is not null and last_throttled_at > t - interval '1 day'
), used as (
  select limits.*, (
    -- A request in flight is treated as answered now, the earliest possible time.
    select coalesce(array_agg(least(r, t) order by r), '{}') from unnest(recent) r where r > t - span * interval '1 ms') as busy
  from limits
)`;
}

/**
 * The decision about a request, in one statement. The row locks are the mutex of all processes, and a caller that
 * waited for one sees the newest version of the row.
 *
 * `recent` stores for each request the latest time at which the server can have counted it: the time of its answer or,
 * while it is running, the time at which it will be given up. A request is admitted while fewer than `n` of these are
 * within the last window plus margin, so the limit holds in every sliding window of the server. Rejected: a log of send
 * times, which exceeds the limit because the server counts arrivals; a fixed window, which allows twice the limit at
 * its edge.
 *
 * An address may send as much as the account that may send most from there. An account counts for the address of its
 * last request, so that a raised limit of one does not apply to another address; elsewhere it keeps the budget of an
 * address as it is.
 *
 * $1 account, $2 operation, $3 requests a minute, $4 egress bucket, $5 window in ms, $6 margin in ms, $7 deadline of a
 * request in ms, $8 now or null for the server's clock.
 */
export const ACQUIRE = `
with locked as materialized (
  select * from sync.api_quota where operation = $2 and account in ($1, $4) order by account for update
), clock as materialized (
  select coalesce($8::timestamptz, clock_timestamp()) as t from (select count(*) from locked) after_the_locks
), bucket as (
  select l.*, c.t,
    case when l.account = $1 then $3::integer else greatest($3::integer, (
      select max(case when o.egress = $4 then o.budget else least(o.budget, l.budget) end) from sync.api_quota o
      where o.operation = $2 and o.account not like '*%' and o.last_used_at > c.t - interval '1 day')) end as granted_budget
  from locked l, clock c
), ${quotaLimits('$5::float8', '$6::float8')}, waits as (
  select account, case when cardinality(busy) < n then 0
    else extract(epoch from busy[cardinality(busy) - n + 1] - t) * 1000 + span end as wait,
    case when cardinality(busy) + 1 < n then 0 when n = 1 then span
    else extract(epoch from busy[cardinality(busy) - n + 2] - t) * 1000 + span end as after_this
  from used
  union all
  select account, extract(epoch from held_until - t) * 1000, 0 from bucket where held_until > t
), verdict as materialized (
  select (select count(*) from locked) as buckets, greatest(0, max(wait))::float8 as wait,
    greatest(0, case when max(wait) > 0 then max(wait) filter (where account = $4)
      else max(after_this) filter (where account = $4) end)::float8 as next,
    greatest(0, case when max(wait) > 0 then max(wait) filter (where account = $1)
      else max(after_this) filter (where account = $1) end)::float8 as own
  from waits
), granted as (
  update sync.api_quota q
  set recent = array(
        select r from unnest(b.recent) r
        where r > b.t - greatest($5::float8, b.learnt_window_ms) * interval '1 ms' - $6::float8 * interval '1 ms'
      ) || (b.t + $7::float8 * interval '1 ms'),
    budget = b.granted_budget, used = q.used + 1, last_used_at = b.t, egress = $4
  from bucket b, verdict v
  where q.account = b.account and q.operation = b.operation and v.wait = 0 and v.buckets = 2
  returning q.account, (b.t + $7::float8 * interval '1 ms')::text as lease
)
select v.buckets::integer as buckets, coalesce(v.wait, 0) as wait, coalesce(v.next, 0) as next, coalesce(v.own, 0) as own,
  (select lease from granted limit 1) as lease from verdict v`;

/** $1 account, $2 operation, $3 requests a minute, $4 egress bucket. Takes no lock if the rows exist. */
export const ENSURE = `
insert into sync.api_quota (account, operation, budget, egress) values ($1, $2, $3, $4), ($4, $2, $3, $4)
on conflict (account, operation) do nothing`;

/** The answer arrived, so its slot counts from now. $1 account, $2 operation, $3 egress bucket, $4 lease, $5 now. */
export const SETTLE = `
with locked as materialized (
  select * from sync.api_quota where operation = $2 and account in ($1, $3) order by account for update
)
update sync.api_quota q
set recent = case when p is null then l.recent else l.recent[:p - 1] || l.recent[p + 1:] end
  || coalesce($5::timestamptz, clock_timestamp())
from locked l, lateral (select array_position(l.recent, $4::timestamptz) as p) place
where q.account = l.account and q.operation = l.operation`;

/**
 * The API throttled: hold the budget that it named until its window has room again, continue with one request a window
 * less, and store what it said. A limit per API counts the requests from all addresses. $1 bucket, $2 operation,
 * $3 Retry-After in ms, $4 limit, $5 window in ms, $6 dimension, $7 default window in ms, $8 margin in ms, $9 now.
 */
export const THROTTLED = `
with locked as materialized (
  select *, coalesce($9::timestamptz, clock_timestamp()) as t from sync.api_quota
  where operation = $2 and (account = $1 or ($6::text = 'api' and account = egress)) order by account for update
), told as (
  select l.*, coalesce($5::integer, l.learnt_window_ms, $7::float8) as window_ms,
    least(l.budget, coalesce($4::integer, l.learnt_limit), l.reduced_limit
      + floor(greatest(0, extract(epoch from l.t - l.reduced_at) * 1000) / ($7::float8 + $8::float8))::integer) as n
  from locked l
), hold as (
  select told.*, greatest(held_until, t + case when $3::float8 > 0 then $3::float8 * interval '1 ms' else
    (window_ms + $8::float8) * interval '1 ms' - (t - coalesce((
      select min(least(r, t)) from unnest(recent) r where r > t - (window_ms + $8::float8) * interval '1 ms'), t)) end) as until
  from told
)
update sync.api_quota q
set throttled = q.throttled + 1, last_throttled_at = h.t, held_until = h.until, reduced_at = h.until,
  reduced_limit = greatest(1, h.n - 1),
  learnt_limit = coalesce($4::integer, q.learnt_limit),
  learnt_window_ms = coalesce($5::integer, q.learnt_window_ms),
  learnt_dimension = coalesce($6::text, q.learnt_dimension)
from hold h
where q.account = h.account and q.operation = h.operation`;

const FIND = `
select until, reason, server_time + (t - last_failed_at) as "serverNow"
from sync.suspended_credentials, (select coalesce($3::timestamptz, clock_timestamp()) as t) clock
where account = $1 and fingerprint = $2 and until > t`;

/** Concurrent requests fail together; while suspended, they count as one failure. */
const SUSPEND = `
insert into sync.suspended_credentials as s (account, fingerprint, failures, reason, until, last_failed_at, server_time)
select $1, $2, 1, $3, t + interval '10 minutes', t, $5::timestamptz from (select coalesce($4::timestamptz, clock_timestamp()) as t) clock
on conflict (account, fingerprint) do update
set failures = case when s.until > excluded.last_failed_at then s.failures else s.failures + 1 end,
  until = case when s.until > excluded.last_failed_at then s.until
    else excluded.last_failed_at + least(interval '1 day', interval '10 minutes' * 2 ^ least(s.failures, 10)) end,
  reason = excluded.reason, last_failed_at = excluded.last_failed_at, server_time = excluded.server_time
returning until, reason, server_time as "serverNow"`;

/** Also deletes entries of credentials that were replaced more than 7 days ago, so that the table stays small. */
const LIFT = `
delete from sync.suspended_credentials
where account = $1 and (fingerprint = $2 or until < coalesce($3::timestamptz, clock_timestamp()) - interval '7 days')`;

/**
 * How long the result "not suspended" is cached, in ms. A suspension by another process takes effect within this time,
 * one by this process at once. Without the cache, these queries would be half of all statements of a walk.
 */
const CLEAR_MS = 5_000;

/**
 * Suspensions of refused credentials: for 10 minutes, then twice as long after every further failure up to a day, in
 * all processes. New credentials have another fingerprint and start without failures. `now` is a virtual clock for
 * tests; by default the database clock applies.
 */
export function createSuspensions(pool: pg.Pool, now?: () => number): Suspensions {
  const at = () => (now === undefined ? null : new Date(now()));
  const elapsed = now ?? (() => performance.now());
  /** Account and fingerprint -> when a query last found no suspension, in ms by `elapsed`. */
  const clear = new Map<string, number>();
  /** Counts suspensions by this process: a query sent before the latest one must not be cached. */
  let suspended = 0;
  return {
    async find(account, fingerprint) {
      const key = `${account}\u0001${fingerprint}`;
      const sinceMs = elapsed() - (clear.get(key) ?? Number.NEGATIVE_INFINITY);
      if (sinceMs >= 0 && sinceMs < CLEAR_MS) return null;
      return withClient(pool, async (client) => {
        const [asked, before] = [elapsed(), suspended];
        const { rows } = await client.query<Suspension>(FIND, [account, fingerprint, at()]);
        const [suspension] = rows;
        if (suspension !== undefined) return suspension;
        for (const [other, since] of clear) if (asked - since >= CLEAR_MS) clear.delete(other);
        if (suspended === before) clear.set(key, asked);
        return null;
      });
    },
    async suspend(account, fingerprint, { reason, serverTime }) {
      suspended += 1;
      clear.clear();
      return withClient(pool, async (client) => {
        const { rows } = await client.query<Suspension>(SUSPEND, [account, fingerprint, reason, at(), serverTime]);
        suspended += 1;
        clear.clear();
        const [suspension] = rows;
        if (suspension === undefined) throw new Error('Postgres returned no row for a suspension');
        return suspension;
      });
    },
    async lift(account, fingerprint) {
      await withClient(pool, (client) => client.query(LIFT, [account, fingerprint, at()]));
    },
  };
}
