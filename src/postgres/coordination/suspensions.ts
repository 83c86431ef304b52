import type pg from 'pg';
import type { Suspension, Suspensions } from '../../core/ports.ts';
import { withClient } from '../connection/pool.ts';

const FIND = `
select until, reason, server_time + (t - last_failed_at) as "serverNow"
from sync.suspended_credentials, (select coalesce($3::timestamptz, clock_timestamp()) as t) clock
where account = $1 and fingerprint = $2 and until > t`;

/** Requests that were under way together fail together: while suspended, that is one failure. */
const SUSPEND = `
insert into sync.suspended_credentials as s (account, fingerprint, failures, reason, until, last_failed_at, server_time)
select $1, $2, 1, $3, t + interval '10 minutes', t, $5::timestamptz from (select coalesce($4::timestamptz, clock_timestamp()) as t) clock
on conflict (account, fingerprint) do update
set failures = case when s.until > excluded.last_failed_at then s.failures else s.failures + 1 end,
  until = case when s.until > excluded.last_failed_at then s.until
    else excluded.last_failed_at + least(interval '1 day', interval '10 minutes' * 2 ^ least(s.failures, 10)) end,
  reason = excluded.reason, last_failed_at = excluded.last_failed_at, server_time = excluded.server_time
returning until, reason, server_time as "serverNow"`;

/** What was rotated away long ago goes along, so the table stays as small as the list of accounts. */
const LIFT = `
delete from sync.suspended_credentials
where account = $1 and (fingerprint = $2 or until < coalesce($3::timestamptz, clock_timestamp()) - interval '7 days')`;

/**
 * Refused credentials rest for 10 minutes, twice as long after every further failure up to a day, in all processes.
 * Changed credentials have another fingerprint and start afresh. `now` is a virtual clock for tests; otherwise the
 * database's clock decides.
 */
export function createSuspensions(pool: pg.Pool, now?: () => number): Suspensions {
  const at = () => (now === undefined ? null : new Date(now()));
  return {
    async find(account, fingerprint) {
      return withClient(pool, async (client) => {
        const { rows } = await client.query<Suspension>(FIND, [account, fingerprint, at()]);
        return rows[0] ?? null;
      });
    },
    async suspend(account, fingerprint, { reason, serverTime }) {
      return withClient(pool, async (client) => {
        const { rows } = await client.query<Suspension>(SUSPEND, [account, fingerprint, reason, at(), serverTime]);
        const [suspension] = rows;
        if (suspension === undefined) throw new Error('an upsert that returns no row');
        return suspension;
      });
    },
    async lift(account, fingerprint) {
      await withClient(pool, (client) => client.query(LIFT, [account, fingerprint, at()]));
    },
  };
}
