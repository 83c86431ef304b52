import type { Question } from './questions.ts';

/** Stream -> what a security engineer asks of its table. */
export const DBSS_QUESTIONS: Readonly<Record<string, readonly Question[]>> = {
  dbss_audit_instances: [
    {
      ask: 'Which audit instances do not run?',
      sql: `select name, status, task
from dbss.audit_instances
where _deleted_at is null and status <> 'ACTIVE'`,
    },
    {
      ask: 'Which instances expire within 60 days?',
      sql: `select name, remain_days, expired
from dbss.audit_instances
where _deleted_at is null and remain_days ~ '^\\d+$' and remain_days::int <= 60
order by remain_days::int`,
    },
    {
      ask: 'How many databases do they audit, and how many could they?',
      sql: `select name, config_num, database_limit
from dbss.audit_instances
where _deleted_at is null
order by config_num desc nulls last`,
    },
    {
      ask: 'Which instances wait for an upgrade?',
      sql: `select name, version, new_version
from dbss.audit_instances
where _deleted_at is null and new_version <> '' and new_version is distinct from version`,
    },
    {
      ask: 'Which instances made no report in the past two days?',
      sql: `select i.name, max(r.finish_time) as last_report
from dbss.audit_instances i
left join dbss.audit_reports r using (project_id, instance_id)
where i._deleted_at is null
group by i.project_id, i.instance_id, i.name
having max(r.finish_time) is null or max(r.finish_time) < now() - interval '2 days'`,
    },
  ],
  dbss_audit_reports: [
    {
      ask: 'Which reports were finished in the past week?',
      sql: `select finish_time, instance_id, name, type, format
from dbss.audit_reports
where finish_time > now() - interval '7 days'
order by finish_time desc`,
    },
    {
      ask: 'Which reports are not finished?',
      sql: `select instance_id, id, name, type, percentum, end_time
from dbss.audit_reports
where _deleted_at is null and finish_time is null
order by end_time`,
    },
    {
      ask: 'Is there a daily report for each of the past 14 days?',
      sql: `select i.name, day::date
from dbss.audit_instances i
cross join generate_series(now()::date - 14, now()::date - 2, interval '1 day') day
where i._deleted_at is null and not exists (
  select from dbss.audit_reports r
  where r.project_id = i.project_id and r.instance_id = i.instance_id and r.type = 'AUDIT_REPORT_DAY'
    and r.finish_time is not null and r.end_time >= day and r.end_time < day + interval '1 day'
)
order by day, i.name`,
    },
    {
      ask: 'Who asked for reports on demand: which, and over what time?',
      sql: `select end_time, name, template_type, start_time, coalesce(nullif(db_names, ''), '(all)') as databases
from dbss.audit_reports
where type = 'AUDIT_REPORT_REAL_TIME'
order by end_time desc`,
    },
    {
      ask: 'How did the making of a report progress?',
      sql: `select r.name, h._valid_from, h.percentum, r.percentum as percentum_now
from dbss.audit_reports_history h
join dbss.audit_reports r using (project_id, instance_id, id)
order by h._valid_from desc
limit 50`,
    },
  ],
};
