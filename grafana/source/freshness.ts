import { colored, inUnit, named, table } from './panels.ts';
import { inScope } from './sql.ts';

const STATE_COLORS = { fresh: 'green', stale: 'orange', incomplete: 'orange', 'never complete': 'red' } as const;

/** The first panel of a dashboard: completeness and age of its lists (all, unless named). */
export function freshness(height: number, streams?: readonly string[]) {
  const names = streams?.map((name) => `'${name}'`).join(', ');
  return table({
    title: 'Is the data complete, and how old is it?',
    about:
      'One row for each list of the API behind this dashboard. fresh: proven complete within its target age. stale: its content is older, whenever it was last polled. incomplete: the last run proved less than an earlier one; the panels below show what was read.',
    sql: `
select state, stream, project_id, as_of, age_seconds, look_age_seconds, target_seconds, certificate_text, reason_text, last_status_text, last_error
from bi.stream_freshness
where ${inScope}${names === undefined ? '' : `\n  and stream in (${names})`}
order by (state = 'fresh'), stream, project_id`,
    width: 24,
    height,
    empty: 'Nothing was read yet: is the service running?',
    fields: {
      state: [...colored(STATE_COLORS), named('State')],
      stream: [named('Stream')],
      project_id: [named('Project')],
      as_of: [named('Complete as of')],
      age_seconds: [inUnit('dtdurations'), named('Age')],
      look_age_seconds: [inUnit('dtdurations'), named('Last look')],
      target_seconds: [inUnit('dtdurations'), named('Target')],
      certificate_text: [named('Certificate')],
      reason_text: [named('Why not')],
      last_status_text: [named('Last run')],
      last_error: [named('Last error')],
    },
  });
}
