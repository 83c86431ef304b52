import type { Stream } from '../../core/stream/stream.ts';
import { ADVISORY_LOCKS, type Pool, type PoolClient, withClient } from '../connection/pool.ts';
import { qualified, quote } from '../rows/statements.ts';

/**
 * Invents a past for a demonstration: the API shows only the present, so a new database has no earlier versions. Adds
 * scans of three months, and versions of handled events that were still open. Only for made-up estates. Does not change
 * rows that already have a history, or other projects.
 */
export async function inventHistory(pool: Pool, streams: readonly Stream[], projectId: string): Promise<void> {
  const find = (name: string) => streams.find((stream) => stream.name === name);
  await withClient(pool, async (client) => {
    await client.query(SCANS, [projectId]);
    await ageOut(client, find('hss_cluster_events'), projectId);
    for (const past of PAST) {
      const stream = find(past.stream);
      if (stream?.history) await client.query(earlierVersions(stream, past), [projectId]);
    }
  });
}

/** Of four clusters, one becomes slowly worse, one better, one became worse four days ago, and one varies. */
const SCANS = `with past as (
  select r.*, d, hashtextextended(r.report_id || d, 1) as noise,
    case abs(hashtext(r.report_id)) % 4
      when 0 then 1 - d * 0.007
      when 1 then 1 + d * 0.009
      when 2 then case when d > 4 then 0.45 else 1 end
      else 1 + 0.15 * sin(d / 5.0) end as factor
  from hss.cluster_security_reports r, generate_series(1, 89) d
  where r.project_id = $1 and not exists (select from hss.cluster_security_reports_history h where h.project_id = r.project_id and h.report_id = r.report_id)
), numbered as (
  select *, greatest(0, round(local_image_vul_num * factor + noise % 5))::bigint as vulnerabilities,
    greatest(0, round(risk_config_num * factor + noise % 2))::bigint as configurations,
    greatest(0, round(privileged_container_num * factor))::bigint as containers,
    scan_time - d * interval '1 day' + (abs(noise) % 200) * interval '1 minute' as scanned
  from past
), scanned as (
  -- No scans on Sundays, and now and then a scan is missed.
  select * from numbered where extract(dow from scanned) <> 0 and abs(noise) % 11 > 0
)
insert into hss.cluster_security_reports_history (project_id, region, account, report_id, cluster_id, cluster_name,
  cluster_category, severity, local_image_vul_num, risk_config_num, privileged_container_num, scan_time, _valid_from, _valid_to)
select project_id, region, account, report_id, cluster_id, cluster_name, cluster_category,
  case when vulnerabilities + configurations + containers > 0 then 'Insecurity' else 'Security' end,
  vulnerabilities, configurations, containers, scanned, scanned,
  coalesce(lead(scanned) over (partition by project_id, report_id order by scanned), _changed_at)
from scanned`;

/** Earlier versions to invent: for which rows `e`, and which columns differ. */
interface Past {
  readonly stream: string;
  readonly where: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** When a settled finding was settled: at some time between its first scan and now. */
const SETTLED =
  'e.first_scan_time + (e._first_seen_at - e.first_scan_time) * (abs(hashtext(e.vul_id || e.host_id)) % 100 / 100.0)';

/** Half of the rules that pass now had failed until some day of the past two months. */
const IMPROVED = "e.statistics_scan_result = 'pass' and hashtext(e.standard || e.check_rule_id) % 2 = 0";
const IMPROVED_AT = "e._first_seen_at - (1 + abs(hashtext(e.check_rule_id || e.check_type)) % 55) * interval '1 day'";
const TWO_MONTHS_AGO = "e._first_seen_at - interval '60 days'";

const PAST: readonly Past[] = [
  {
    // A handled event was open from its creation until its last change.
    stream: 'hss_cluster_events',
    where: "e.handle_status = 'handled' and e.update_time > e.create_time",
    columns: {
      handle_status: "'unhandled'",
      update_time: 'e.create_time',
      _valid_from: 'e.create_time',
      _valid_to: 'e.update_time',
    },
  },
  {
    // A report was seen at some percent between the end of its period and its finish.
    stream: 'dbss_audit_reports',
    where: "e.type = 'AUDIT_REPORT_REAL_TIME' and e.finish_time > e.end_time",
    columns: {
      percentum: '5 + abs(hashtext(e.id)) % 90',
      finish_time: 'null',
      url: "''",
      _valid_from: 'e.end_time',
      _valid_to: 'e.finish_time',
    },
  },
  {
    stream: 'hss_host_vulnerabilities',
    where: "e.status in ('vul_status_fixed', 'vul_status_ignored') and e.first_scan_time < e._first_seen_at",
    columns: { status: "'vul_status_unfix'", _valid_from: 'e.first_scan_time', _valid_to: SETTLED },
  },
  {
    stream: 'hss_baseline_rules',
    where: IMPROVED,
    columns: { statistics_scan_result: "'failed'", _valid_from: TWO_MONTHS_AGO, _valid_to: IMPROVED_AT },
  },
  {
    stream: 'hss_baseline_rules',
    where: IMPROVED,
    columns: { _valid_from: IMPROVED_AT, _valid_to: 'e._first_seen_at' },
  },
  {
    stream: 'hss_baseline_rules',
    where: `not (${IMPROVED})`,
    columns: { _valid_from: TWO_MONTHS_AGO, _valid_to: 'e._first_seen_at' },
  },
];

/** The columns of an event that aged out before the demonstration began, where they differ from the one `e` that it is like. */
const AGED_OUT: Readonly<Record<string, string>> = {
  event_id: "md5(e.event_id || 'aged out')",
  create_time: "e.create_time - interval '90 days'",
  update_time: "e.update_time - interval '90 days'",
  _first_seen_at: "e.create_time - interval '90 days'",
  _changed_at: 'e.create_time',
  _deleted_at: 'e.create_time',
};

/**
 * Adds unhandled events that have aged out: copies of those of the past week, dated 90 days earlier, the time for which
 * the sandbox keeps events.
 */
async function ageOut(client: PoolClient, stream: Stream | undefined, projectId: string): Promise<void> {
  if (stream === undefined) return;
  const names = stream.table.columns.map(({ name }) => name);
  await client.query(
    `insert into ${qualified(stream.table)} (${names.map(quote).join(', ')})
select ${names.map((name) => AGED_OUT[name] ?? `e.${quote(name)}`).join(', ')}
from ${qualified(stream.table)} e
where e.project_id = $1 and e.handle_status = 'unhandled' and e._deleted_at is null
  and e.create_time > e._first_seen_at - interval '7 days'
on conflict do nothing`,
    [projectId],
  );
}

function earlierVersions({ table, history }: Stream, { where, columns }: Past): string {
  if (history === null) return 'select';
  const names = history.columns.map(({ name }) => name);
  return `insert into ${qualified(history)} (${names.map(quote).join(', ')})
select ${names.map((name) => columns[name] ?? `e.${quote(name)}`).join(', ')}
from ${qualified(table)} e
where e.project_id = $1 and ${where}
on conflict do nothing`;
}

/** A killed process keeps its lock until the server notices. */
const TRIES = 20;

/**
 * Runs `work` unless another process does the same on this database; then returns `not alone`. Throws what `work`
 * throws.
 */
export function whileAlone<T>(pool: Pool, work: () => Promise<T>): Promise<T | 'not alone'> {
  return withClient(pool, async (client) => {
    for (let tries = 1; ; tries += 1) {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [
        ADVISORY_LOCKS.demo,
      ]);
      if (rows[0]?.mine === true) break;
      if (tries === TRIES) return 'not alone';
      await client.query('select pg_sleep(0.1)');
    }
    const result = await work();
    await client.query('select pg_advisory_unlock($1)', [ADVISORY_LOCKS.demo]);
    return result;
  });
}
