import { bars, colored, inUnit, limits, named, SEVERITY_COLORS, series, stat, table } from './panels.ts';
import { inScope, NONE_READ, NOT_READ, onceRead } from './sql.ts';

const ALARMS = 'hss_alarms';
const OCCURRED = `$__timeFilter(alarm_time)\n  and ${inScope}`;

const number = { width: 6, height: 4 } as const;
const openOnes = (what: string) =>
  onceRead(ALARMS, `select count(*) from bi.alarms where is_open and ${what} and ${inScope}`);

const timeToHandle = (share: number) =>
  `select percentile_cont(${share}) within group (order by minutes) from bi.alarms where minutes is not null and ${OCCURRED}`;

const numbers = [
  stat({ ...number, title: 'Open alarms', about: 'However old.', sql: openOnes('true'), empty: NOT_READ }),
  stat({
    ...number,
    title: 'Open alarms, critical and high',
    about: 'However old.',
    sql: openOnes("severity in ('Critical', 'High')"),
    empty: NOT_READ,
    limits: limits(1, 20),
  }),
  stat({
    ...number,
    title: 'Time to handle an alarm, median',
    about: 'Of the alarms of the chosen time that were handled since.',
    sql: timeToHandle(0.5),
    unit: 'm',
    empty: 'None handled',
    limits: limits(1440, 4320),
  }),
  stat({
    ...number,
    title: 'Time to handle an alarm, 90 %',
    about: 'Nine of ten handled alarms took no longer.',
    sql: timeToHandle(0.9),
    unit: 'm',
    empty: 'None handled',
    limits: limits(4320, 10_080),
  }),
];

const byAge = bars({
  title: 'Open alarms by severity and age',
  sql: `
select severity, count(*) filter (where age_hours < 24) as "under a day", count(*) filter (where age_hours >= 24 and age_hours < 168) as "1 to 7 days",
  count(*) filter (where age_hours >= 168) as "7 days and more"
from bi.alarms
where is_open and ${inScope}
group by severity order by min(severity_rank)`,
  width: 8,
  height: 8,
  name: 'severity',
  empty: NONE_READ,
});

const byAttack = bars({
  title: 'Open alarms by what they show',
  sql: `
select coalesce(attack_tag_text, '(unknown)') as attack, count(*) filter (where severity in ('Critical', 'High')) as critical_or_high,
  count(*) filter (where severity not in ('Critical', 'High')) as lower
from bi.alarms
where is_open and ${inScope}
group by 1 order by count(*) desc`,
  width: 8,
  height: 8,
  name: 'attack',
  empty: NONE_READ,
});

const overTime = series({
  title: 'Alarms by severity',
  sql: `
select $__timeGroupAlias(alarm_time, '$__interval', 0), severity as metric, count(*) as alarms
from bi.alarms
where ${OCCURRED}
group by 1, 2 order by 1`,
  width: 8,
  height: 8,
  bars: true,
  empty: 'No alarms in this time',
});

const open = table({
  title: 'Open alarms, most severe first, then oldest',
  sql: `
select severity, age_hours, host_name, private_ip, asset_value, container_name, alarm_name, attack_tag_text, what_happened, recommendation, alarm_time, event_id
from bi.alarms
where is_open and ${inScope}
order by severity_rank, alarm_time limit 500`,
  width: 24,
  height: 10,
  empty: NONE_READ,
  fields: {
    severity: [named('Severity'), ...colored(SEVERITY_COLORS)],
    age_hours: [named('Age'), inUnit('h')],
    host_name: [named('Host')],
    private_ip: [named('Address')],
    asset_value: [named('Importance')],
    container_name: [named('Container')],
    alarm_name: [named('Alarm')],
    attack_tag_text: [named('Shows')],
    what_happened: [named('What happened')],
    recommendation: [named('What to do')],
    alarm_time: [named('When')],
    event_id: [named('Id')],
  },
});

const handlings = table({
  title: 'Who handled alarms, and how',
  sql: `
select user_name, operation_text, count(*) as operations, percentile_cont(0.5) within group (order by minutes) as median_minutes, max(operation_time) as latest
from bi.alarm_operations
where $__timeFilter(operation_time) and ${inScope}
group by 1, 2 order by operations desc limit 100`,
  width: 24,
  height: 8,
  empty: 'None handled in this time',
  fields: {
    user_name: [named('Who')],
    operation_text: [named('What')],
    operations: [named('Operations')],
    median_minutes: [named('Time to handle, median'), inUnit('m')],
    latest: [named('Latest')],
  },
});

/** The alarm panels of the dashboard Hosts. */
export const alarmPanels = [
  { title: 'Alarms', panels: numbers },
  { panels: [byAge, byAttack, overTime] },
  { panels: [open] },
  { panels: [handlings] },
];
