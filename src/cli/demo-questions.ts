import type { Database } from '../app.ts';
import { withClient } from '../postgres/connection/pool.ts';
import type { Context } from './context.ts';
import { table } from './table.ts';

/** Where the parts of a running demo are: two URLs and a file. */
export interface Places {
  readonly sandbox: string;
  readonly status: string;
  readonly config: string;
}

const QUERIES: readonly { readonly title: string; readonly sql: string }[] = [
  {
    title: 'Which policies fire most, and how much of it is still open?',
    sql: `select policy_name, count(*)::int as events, (count(*) filter (where handle_status = 'unhandled'))::int as open, to_char(max(update_time), 'YYYY-MM-DD HH24:MI') as latest
from hss.cluster_events where _deleted_at is null group by policy_name order by events desc limit 5`,
  },
  {
    title: 'Which clusters are at risk now?',
    sql: `select cluster_name, severity, local_image_vul_num::int as vulnerabilities, risk_config_num::int as risks, privileged_container_num::int as privileged
from hss.cluster_security_reports where _deleted_at is null order by severity, vulnerabilities desc limit 5`,
  },
  {
    title: 'Who handled image vulnerabilities lately, and how?',
    sql: `select to_char(handle_time, 'YYYY-MM-DD HH24:MI') as handled, user_name, handle_type, image_name, app_name
from hss.image_vulnerability_operations order by handle_time desc limit 5`,
  },
];

/** The first answers, as soon as the first rows are there. */
export async function introduce(context: Context, { pool, url }: Database, places: Places): Promise<void> {
  const answers = await withClient(pool, async (client) => {
    const found: { title: string; sql: string; rows: Record<string, string | number | null>[] }[] = [];
    for (const query of QUERIES)
      found.push({ ...query, rows: (await client.query<Record<string, string | number | null>>(query.sql)).rows });
    return found;
  });
  context.answer({ ok: true, database: url, ...places, queries: answers }, () =>
    [
      ...answers.map(({ title, sql, rows }) => `\n-- ${title}\n${sql};\n\n${table(rows)}`),
      `\nPolling every few seconds; Ctrl-C stops it. Meanwhile, in another terminal:`,
      `  psql "${url}"`,
      ...['status', 'check', 'plan', 'verify', 'replay'].map(
        (name) => `  npx security-sync ${name} --config '${places.config}'`,
      ),
      '',
    ].join('\n'),
  );
}
