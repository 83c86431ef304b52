import type { Pool } from 'pg';

/** What an attacker would write into names that end up in these tables. */
export const POISON = {
  script: '<script>window.hacked = true</script>',
  image: '"><img src=x onerror="window.hacked = true">',
  payload: 'the-payload-of-a-rejected-record',
  unknownField: 'the-value-of-an-unknown-field',
  enumValue: 'not_documented',
} as const;

const { script, image, payload, unknownField, enumValue } = POISON;

/** Runs, rejects, drift and quota of the project of `ops.test.ts`, full of markup; and some of a project that is not configured. */
export async function addPoison(pool: Pool): Promise<void> {
  await pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, walk, certificate, certified_at, reason, started_at, beat_at, finished_at, owner, error, records, inserted)
     select s.stream, 'default', 'cn-north-4', '11111111111111111111111111111111', case when n = 1 then s.status when n % 9 = 0 then 'failed' when n % 7 = 0 then 'incomplete' else 'succeeded' end,
       'full', case when n = 1 then s.certificate when n % 9 = 0 or n % 7 = 0 then 'incomplete' else 'complete' end, now() - make_interval(hours => n), case when n % 7 = 0 then 'moving' end,
       now() - make_interval(hours => n), now(), now() - make_interval(hours => n) + interval '90 seconds', 'test', case when n = 1 then s.error end, n * 10, n
     from (values ('hss_cluster_events', 'succeeded', 'complete', null), ('hss_protected_clusters', 'failed', 'incomplete', 'HSS failed: ' || $1::text), ('dbss_audit_instances', 'incomplete', 'incomplete', $2::text)) s(stream, status, certificate, error),
       generate_series(1, 60) n`,
    [script, image],
  );
  await pool.query(
    `insert into sync.runs (stream, account, region, project_id, status, started_at, beat_at, owner) values ('hss_cluster_events', 'somebody_elses', 'r', 'p2', 'succeeded', now(), now(), 'test')`,
  );
  await pool.query(
    `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, issues, payload, first_seen_at, last_seen_at)
     select '11111111111111111111111111111111', 'hss_cluster_events', n::text, 'default', 'cn-north-4', '', '{}', jsonb_build_array(jsonb_build_object('field', $1::text, 'message', 'not an instant')), $2, now(), now()
     from generate_series(1, 2) n`,
    [image, payload],
  );
  await pool.query(
    `insert into sync.api_drift (stream, field, kind, sample, count, first_seen_at, last_seen_at) values
     ('hss_cluster_events', $1, 'unknown field', $2, 3, now(), now()), ('hss_cluster_events', 'severity', 'undocumented value', $3, 3, now(), now())`,
    [script, unknownField, enumValue],
  );
  await pool.query(
    `insert into sync.api_quota (account, egress, operation, budget, recent, used) values
     ('default', '*', 'GET /v5/{project_id}/cluster-protect/events', 5, array[now(), now() - interval '30 seconds', now() - interval '2 minutes'], 9),
     ('*', '*', 'GET /v5/{project_id}/cluster-protect/events', 5, array[now()], 9),
     ('*somebody_elses', '*somebody_elses', 'GET /x', 5, '{}', 0), ('somebody_elses', '*somebody_elses', 'GET /x', 5, '{}', 0)`,
  );
}
