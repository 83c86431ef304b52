import { expect, test } from 'vitest';
import { systemClock } from '../../src/app.ts';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { int, json, text } from '../../src/core/stream/fields.ts';
import { defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { createTableReader } from '../../src/postgres/queries/table-reader.ts';
import { createRejectStore } from '../../src/postgres/run/reject-store.ts';
import { replayRejects } from '../../src/sync/once.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { verifyStream } from '../../src/sync/verify/verify-stream.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createTables } from '../support/stream-table.ts';

/** Members of records that are declared secret get neither into the database nor into anything that is printed. */

const SECRET = 'Pa55-masked-tail';
const database = await createTestDatabase();
const { pool } = database;

/** As ListWeakPasswordUsers answers: the secret is a member of the elements of a list inside the record. */
const weak = defineStream({
  name: 'test_weak_passwords',
  group: 'baseline',
  about: 'Weak passwords.',
  document: 'https://example.com',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/cluster-protect/clusters'],
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [],
  schedule: '* * * * *',
  reconcileEveryMs: 3_600_000,
  targetMs: 3_600_000,
  history: true,
  secrets: { desensitized_weak_passwords: 'parts of passwords' },
  table: {
    schema: hss,
    name: 'test_weak_passwords',
    key: ['host_id'],
    fields: {
      host_id: text('Id of the host.'),
      cpu: int('CPUs.', { optional: true }),
      weak_pwd_accounts: json('Accounts.'),
    },
  },
});
await createTables(pool, weak);

const account = (user_name: string) => ({ user_name, desensitized_weak_passwords: SECRET });

/** Everything that any table of ours holds, as text. */
async function everything(): Promise<string> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`select t::text as text from ${name} t`);
    texts.push(...rows.map((row) => row.text));
  }
  return texts.join('\n');
}

async function start(records: () => readonly unknown[]) {
  const { sandbox, engine } = await startEngine(database);
  const lines: string[] = [];
  const log = (fields: object, message: string) => lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: log, info: log, warn: log, error: log };
  sandbox.override('ListClusterProtectionInfo', () =>
    JSON.stringify({ total_num: records().length, data_list: records() }),
  );
  const signal = new AbortController().signal;
  const logging = { ...engine, logger };
  return {
    engine: logging,
    lines,
    run: () => runStream(logging, { stream: weak, scope }, { signal, full: true }),
    signal,
  };
}

test('a member declared secret is in no row, reject, drift sample, log line or difference that verify prints', async () => {
  let records: readonly unknown[] = [];
  const { engine, run, lines, signal } = await start(() => records);
  records = [
    { host_id: 'plain', weak_pwd_accounts: [account('root')] },
    // In another spelling, beside the documented place, and inside a field that no definition knows.
    { host_id: 'moved', desensitizedWeakPasswords: SECRET, weak_pwd_accounts: [], news: { list: [account('eve')] } },
    // No row: not a number, no key, not an object.
    { host_id: 'odd', cpu: 'many', weak_pwd_accounts: [account('root')] },
    { weak_pwd_accounts: [account('root')] },
    [account('root')],
    // Postgres refuses the row: its key is longer than an index takes.
    {
      host_id: Array.from({ length: 9_000 }, (_, i) => (i * 7919).toString(36)).join(''),
      desensitized_weak_passwords: SECRET,
    },
  ];
  const report = await run();
  expect(report).toMatchObject({ records: 6, inserted: 2, rejected: 4 });
  records = [{ host_id: 'plain', weak_pwd_accounts: [{ ...account('root'), since: 1 }] }, ...records.slice(1)];
  await run();
  const replayed = await replayRejects(
    { rejects: createRejectStore(pool, { timeZone: 'UTC' }), clock: systemClock, timeZone: 'UTC', signal },
    [weak],
    [],
  );
  records = [{ host_id: 'plain', weak_pwd_accounts: [{ ...account('root'), since: 2 }] }, ...records.slice(2)];
  const tables = createTableReader(pool);
  const context = { tables, lists: [], parentProven: true, children: [] };
  const verification = await verifyStream(
    engine,
    { stream: weak, scope },
    { ...context, ...{ signal, keep: Number.POSITIVE_INFINITY } },
  );
  expect(verification.differences.length).toBeGreaterThan(0);

  const { rows } = await pool.query(
    `select weak_pwd_accounts, _extra from hss.test_weak_passwords order by host_id = 'plain'`,
  );
  expect(rows).toEqual([
    { weak_pwd_accounts: [], _extra: { news: { list: [{ user_name: 'eve' }] } } },
    { weak_pwd_accounts: [{ user_name: 'root', since: 1 }], _extra: null },
  ]);
  const stored = await everything();
  const drift = await pool.query('select field from sync.api_drift where stream = $1', [weak.name]);
  expect(drift.rows, 'the test has a place for a sample').toContainEqual({ field: 'news' });
  expect(stored).toContain('moved');
  const printed = [stored, JSON.stringify({ report, replayed, verification }), ...lines].join('\n');
  expect(printed).not.toContain('Pa55');
  expect(printed).not.toMatch(/desensitized/i);
});

test('a replay removes a secret from a reject of a version that did not know the secret', async () => {
  const { engine, signal } = await start(() => []);
  await pool.query(
    `insert into sync.rejected_records (project_id, stream, fingerprint, account, region, listing, params, key, issues, payload, count, first_seen_at, last_seen_at)
     values ($1, $2, 'f', 'default', 'r', '', '{}', 'old', '[]', $3, 1, now(), now() + interval '1 minute')`,
    [scope.projectId, weak.name, JSON.stringify({ host_id: 'old', weak_pwd_accounts: [account('root')] })],
  );
  const rejects = createRejectStore(pool, { timeZone: engine.timeZone });
  await replayRejects({ rejects, clock: engine.clock, timeZone: engine.timeZone, signal }, [weak], []);
  const { rows } = await pool.query(
    `select weak_pwd_accounts, _extra from hss.test_weak_passwords where host_id = 'old'`,
  );
  expect(rows).toEqual([{ weak_pwd_accounts: [{ user_name: 'root' }], _extra: null }]);
});
