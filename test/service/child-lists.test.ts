import { expect, test } from 'vitest';
import { offsetPaging, wholePaging } from '../../src/core/stream/endpoint.ts';
import { flag, instant, int, text } from '../../src/core/stream/fields.ts';
import { childOf, defineStream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { createTableReader } from '../../src/postgres/queries/table-reader.ts';
import type { SandboxRequest } from '../../src/sandbox/server/faults.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { verifyStream } from '../../src/sync/verify/verify-stream.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createTables } from '../support/stream-table.ts';

/** Lists of a parent's rows that are several for each row, with keys and parameters that are no text. */

const database = await createTestDatabase();
const { pool } = database;
const often = { schedule: '* * * * *', reconcileEveryMs: 3_600_000, targetMs: 3_600_000, order: [] };

const hosts = defineStream({
  name: 'test_hosts',
  group: 'hosts',
  about: 'Hosts.',
  document: 'https://example.com',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/cluster-protect/clusters'],
    enterpriseProjects: true,
  },
  paging: wholePaging({ list: 'data_list' }),
  ...often,
  table: { schema: hss, name: 'test_hosts', key: ['host_id'], fields: { host_id: text('Host.') } },
});

const ports = defineStream({
  name: 'test_ports',
  group: 'hosts',
  about: 'Ports of a host, by whether they are open to all.',
  document: 'https://example.com',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/kubernetes/clusters'],
    enterpriseProjects: true,
    names: { is_public: 'public' },
  },
  paging: offsetPaging({ list: 'data_list' }),
  ...often,
  parent: childOf(hosts, { host_id: 'host_id' }, { listings: [{ is_public: 'true' }, { is_public: 'false' }] }),
  table: {
    schema: hss,
    name: 'test_ports',
    key: ['host_id', 'is_public', 'port', 'opened_at', 'container_id'],
    fields: {
      host_id: text('Host.', { optional: true }),
      is_public: flag('Open to all.', { optional: true }),
      port: int('Port.', { min: 1 }),
      opened_at: instant('When it was opened.'),
      container_id: text('Container; empty for a process of the host.', { emptyInKey: true, optional: true }),
      pid: int('Process.', { none: ['-1'], min: 1 }),
    },
  },
});
await createTables(pool, hosts);
await createTables(pool, ports);

const OPENED = 1_700_000_000_123;

test('every parent row has a list for each constant; booleans, numbers and times in keys are stored, swept and verified', async () => {
  const { sandbox, engine } = await startEngine(database);
  const signal = new AbortController().signal;
  let listed = ['a', 'b'];
  let isClosed = false;
  const asked: SandboxRequest['query'][] = [];
  sandbox.override('ListClusterProtectionInfo', () =>
    JSON.stringify({ data_list: listed.map((host_id) => ({ host_id })) }),
  );
  sandbox.override('ListKubernetesClusterDetails', ({ query }) => {
    asked.push(query);
    const records = [
      { port: 22, opened_at: OPENED, pid: 7 },
      // Differs from the one before it in a millisecond of its key, and from the next in its container.
      { port: 22, opened_at: OPENED + 1, pid: -1 },
      { port: 22, opened_at: OPENED + 1, container_id: 'c', pid: 8 },
    ];
    const data_list = query.public === 'true' && !isClosed ? records : records.slice(0, 1);
    return JSON.stringify({ total_num: data_list.length, data_list });
  });
  const run = (stream: typeof ports) =>
    runStream(engine, { stream, scope }, { signal, full: true, acceptShrink: isClosed });
  const live = async () =>
    (
      await pool.query(
        'select host_id, is_public, count(*)::int as n from hss.test_ports where _deleted_at is null group by 1, 2 order by 1, 2',
      )
    ).rows;

  expect(await run(hosts)).toMatchObject({ certificate: 'complete', records: 2 });
  expect(await run(ports)).toMatchObject({ certificate: 'complete', inserted: 8, rejected: 0 });
  expect(asked.map(({ host_id, public: open }) => `${host_id} ${open}`).sort()).toEqual([
    'a false',
    'a true',
    'b false',
    'b true',
  ]);
  expect(asked.every((query) => !('is_public' in query))).toBe(true);
  expect(await live()).toEqual([
    { host_id: 'a', is_public: false, n: 1 },
    { host_id: 'a', is_public: true, n: 3 },
    { host_id: 'b', is_public: false, n: 1 },
    { host_id: 'b', is_public: true, n: 3 },
  ]);
  const { rows: none } = await pool.query(`select container_id, pid from hss.test_ports where pid is null limit 1`);
  expect(none).toEqual([{ container_id: '', pid: null }]);
  const { rows: drift } = await pool.query('select field from sync.api_drift where stream = $1', [ports.name]);
  expect(drift, 'a documented "none" is no drift').toEqual([]);

  expect(await run(ports)).toMatchObject({ inserted: 0, updated: 0, unchanged: 8, deleted: 0 });
  const tables = createTableReader(pool);
  const context = { tables, lists: [], parentProven: true, children: [] };
  const options = { signal, keep: Number.POSITIVE_INFINITY };
  expect(await verifyStream(engine, { stream: ports, scope }, { ...context, ...options })).toMatchObject({
    ok: true,
    compared: 8,
    extra: 0,
  });

  isClosed = true;
  expect(await run(ports)).toMatchObject({ certificate: 'complete', deleted: 4 });
  expect(await live()).toEqual([
    { host_id: 'a', is_public: false, n: 1 },
    { host_id: 'a', is_public: true, n: 1 },
    { host_id: 'b', is_public: false, n: 1 },
    { host_id: 'b', is_public: true, n: 1 },
  ]);
  listed = ['a'];
  expect(await run(hosts)).toMatchObject({ certificate: 'complete', deleted: 1 });
});

const counted = defineStream({
  ...often,
  name: 'test_files',
  group: 'hosts',
  about: 'Files, with the number of their risks.',
  document: 'https://example.com',
  endpoint: hosts.endpoint,
  paging: wholePaging({ list: 'data_list' }),
  table: {
    schema: hss,
    name: 'test_files',
    key: ['file_id'],
    fields: { file_id: text('File.'), risk_num: int('Number of its risks.', { optional: true }) },
  },
});

const risks = defineStream({
  ...often,
  name: 'test_risks',
  group: 'hosts',
  about: 'Risks of a file.',
  document: 'https://example.com',
  endpoint: { ...hosts.endpoint, paths: ['/v5/{project_id}/kubernetes/clusters'] },
  paging: offsetPaging({ list: 'data_list' }),
  parent: childOf(counted, { file_id: 'file_id' }, { hot: { risk_num: { above: 0 } } }),
  table: {
    schema: hss,
    name: 'test_risks',
    key: ['file_id', 'risk_id'],
    fields: { file_id: text('File.', { optional: true }), risk_id: text('Risk.') },
  },
});
await createTables(pool, counted);
await createTables(pool, risks);

test('the list of a parent row with count 0 is read once, and polled after the count has risen', async () => {
  const { sandbox, engine } = await startEngine(database);
  const signal = new AbortController().signal;
  let files: readonly Readonly<Record<string, unknown>>[] = [
    { file_id: 'none', risk_num: 0 },
    { file_id: 'some', risk_num: 2 },
    { file_id: 'unknown' },
  ];
  let asked: string[] = [];
  sandbox.override('ListClusterProtectionInfo', () => JSON.stringify({ data_list: files }));
  sandbox.override('ListKubernetesClusterDetails', ({ query }) => {
    asked.push(String(query.file_id));
    return JSON.stringify({ total_num: 0, data_list: [] });
  });
  const round = async () => {
    asked = [];
    await runStream(engine, { stream: counted, scope }, { signal });
    const { certificate } = await runStream(engine, { stream: risks, scope }, { signal });
    return { certificate, asked: [...new Set(asked)].sort() };
  };
  expect(await round()).toEqual({ certificate: 'complete', asked: ['none', 'some', 'unknown'] });
  expect(await round()).toEqual({ certificate: 'complete', asked: ['some', 'unknown'] });
  files = files.map((one) => ({ ...one, risk_num: 1 }));
  expect(await round()).toEqual({ certificate: 'complete', asked: ['none', 'some', 'unknown'] });
});
