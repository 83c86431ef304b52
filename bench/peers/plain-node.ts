import pg from 'pg';

/**
 * Cluster events with `fetch` and pg: one multi-row upsert for each page, as a user would write it. Arguments: base URL
 * of the sandbox, project id, token, database URL. Prints its figures as JSON.
 */
const COLUMNS = {
  event_id: 'text primary key',
  event_class_id: 'text',
  event_name: 'text',
  event_type: 'int',
  event_content: 'text',
  action: 'text',
  handle_status: 'text',
  create_time: 'bigint',
  update_time: 'bigint',
  cluster_id: 'text',
  cluster_name: 'text',
  enterprise_project_id: 'text',
  policy_id: 'text',
  policy_name: 'text',
  resource_info: 'jsonb',
} as const;

interface EventPage {
  readonly total_num: number;
  readonly data_list: readonly Readonly<Record<string, unknown>>[];
}

const TABLE = 'plain_node.cluster_events';
const [base = '', project = '', token = '', database = ''] = process.argv.slice(2);
const names = Object.keys(COLUMNS);
const client = new pg.Client({ connectionString: database });
await client.connect();
const types = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
await client.query(`create schema if not exists plain_node; create table if not exists ${TABLE} (${types.join(', ')})`);

for (let offset = 0, total = 1; offset < total; ) {
  const address = `${base}/v5/${project}/cluster-protect/events?enterprise_project_id=all_granted_eps&limit=200&offset=${offset}`;
  const answer = await fetch(address, { headers: { 'X-Auth-Token': token, region: 'cn-north-4' } });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page: EventPage = JSON.parse(await answer.text());
  if (page.data_list.length === 0) break;
  const values = page.data_list.flatMap((row) => names.map((name) => row[name]));
  const places = page.data_list.map(
    (_, row) => `(${names.map((_, at) => `$${row * names.length + at + 1}`).join(',')})`,
  );
  await client.query(
    `insert into ${TABLE} (${names.join(', ')}) values ${places.join(',')}
     on conflict (event_id) do update set ${names
       .slice(1)
       .map((name) => `${name} = excluded.${name}`)
       .join(', ')}`,
    values,
  );
  offset += page.data_list.length;
  total = page.total_num;
}

const { rows } = await client.query<{ rows: number }>(`select count(*)::int as rows from ${TABLE}`);
await client.end();
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const figures = { rows: rows[0]?.rows, cpuMs: (userCPUTime + systemCPUTime) / 1000, peakMb: maxRSS / 1024 };
console.log(JSON.stringify(figures));
