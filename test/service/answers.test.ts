import { describe, expect, test } from 'vitest';
import type { RunReport } from '../../src/core/store.ts';
import type { Override } from '../../src/sandbox/dispatch.ts';
import { DEMO_PROJECT, type SandboxOptions } from '../../src/sandbox/server.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { runStream } from '../../src/sync/run-stream.ts';
import { scope, startEngine } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Answers that are not what the documents promise, and what a run makes of them. */

const database = await createTestDatabase();
const { pool } = database;

let projects = 0;
const SMALL: SandboxOptions = { clusters: 3, events: 30, vulnerabilities: 30, instances: 2, reports: 10 };

/** An engine on a project of its own, so that tests share nothing but the database. */
async function start(options: SandboxOptions = {}) {
  projects += 1;
  const id = `project${projects}`;
  const started = await startEngine(database, { ...SMALL, projects: [{ ...DEMO_PROJECT, id }], ...options });
  const mine = { ...scope, projectId: id };
  return {
    ...started,
    id,
    run: (stream: Parameters<typeof runStream>[1]) =>
      runStream(started.engine, stream, mine, { signal: new AbortController().signal }),
    rows: async (table: string) => {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from ${table} where project_id = $1`,
        [id],
      );
      return rows[0]?.n;
    },
  };
}

/** What people read of a run. */
const shown = ({ status, certificate, records, inserted, rejected }: RunReport) => ({
  status,
  certificate,
  records,
  inserted,
  rejected,
});

describe('an answer that is not the documented JSON is asked for again, and counted', () => {
  test.each(['html', 'truncated', 'no-list', 'reset', 'reset-mid-body', 'bad-gateway'] as const)(
    '%s, once',
    async (kind) => {
      const { run, sandbox } = await start();
      sandbox.faults.add({ kind, operation: 'ListClusterEvents' });
      const report = await run(hssClusterEvents);
      expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 30 });
      expect(report.requests).toBe(sandbox.requests.count('ListClusterEvents'));
      expect(report.requests).toBe(2);
    },
  );

  test('always: the run fails after four attempts and says what came, without the data in it', async () => {
    const kinds = [
      ['html', /HSS gave no usable answer: 200 with \d+ characters of text\/html, saying Sign in: /],
      ['truncated', /HSS gave no usable answer: 200 with \d+ characters of application\/json: .*JSON/],
      ['no-list', /HSS gave no usable answer: .*the answer has no data_list: its keys are total_num/],
    ] as const;
    // The waits between attempts are real, so they pass side by side.
    await Promise.all(
      kinds.map(async ([kind, says]) => {
        const { run, rows, sandbox } = await start();
        sandbox.faults.add({ kind, operation: 'ListClusterEvents', times: Number.POSITIVE_INFINITY });
        const report = await run(hssClusterEvents);
        expect(report).toMatchObject({ status: 'failed', certificate: 'incomplete', requests: 4, records: 0 });
        expect(sandbox.requests.count('ListClusterEvents')).toBe(4);
        expect(report.error).toMatch(says);
        expect(report.error).toContain('/v5/{project_id}/cluster-protect/events, account default, region cn-north-4');
        expect(report.error).not.toContain('event_id');
        expect(await rows('hss.cluster_events')).toBe(0);
      }),
    );
  });
});

describe('an empty list', () => {
  test.each(['[]', 'null'])('written as %s is complete, with no row', async (list) => {
    const { run, sandbox } = await start();
    sandbox.override('ListSecurityCheckClusterReports', () => `{"total_num":0,"data_list":${list}}`);
    expect(shown(await run(hssClusterSecurityReports))).toEqual({
      status: 'succeeded',
      certificate: 'complete',
      records: 0,
      inserted: 0,
      rejected: 0,
    });
  });

  test('that promises rows is not believed', async () => {
    const { run, sandbox } = await start();
    sandbox.override('ListSecurityCheckClusterReports', () => '{"total_num":3,"data_list":null}');
    expect(await run(hssClusterSecurityReports)).toMatchObject({ status: 'failed', certificate: 'incomplete' });
  });
});

describe('a project that may not be read', () => {
  test('fails with the code of the API and advice, and is never the same as an empty list', async () => {
    const { run, engine, sandbox } = await start();
    const signal = new AbortController().signal;
    const unknown = await runStream(engine, hssClusterEvents, { ...scope, projectId: 'unknown' }, { signal });
    expect(unknown).toMatchObject({ status: 'failed', certificate: 'incomplete', reason: 'refused', requests: 1 });
    expect(unknown.error).toMatch(
      /HSS refused permission: 400 HSS\.0013 .*project unknown.*request id [0-9a-f]+.*Give the IAM user a role/,
    );
    expect(shown(await run(hssClusterEvents))).toMatchObject({ status: 'succeeded', inserted: 30 });
    expect(sandbox.requests.count()).toBe(2);
  });

  test('does not take the account or its other projects with it, in DBSS as in HSS', async () => {
    const { run, engine } = await start();
    const signal = new AbortController().signal;
    const refused = await runStream(engine, dbssAuditInstances, { ...scope, projectId: 'nowhere' }, { signal });
    expect(refused).toMatchObject({
      status: 'failed',
      reason: 'refused',
      error: expect.stringContaining('DBSS.10020101'),
    });
    expect(shown(await run(dbssAuditInstances))).toMatchObject({ status: 'succeeded', inserted: 2 });
  });

  test('for one of two instances leaves the other one read, and the whole incomplete', async () => {
    const { run, sandbox } = await start();
    await run(dbssAuditInstances);
    const [refused = '', other = ''] = sandbox.estate.instanceIds();
    sandbox.faults.add({
      kind: 'forbidden',
      operation: 'ListAuditReports',
      instanceId: refused,
      times: Number.POSITIVE_INFINITY,
    });
    const report = await run(dbssAuditReports);
    expect(report).toMatchObject({ status: 'incomplete', certificate: 'incomplete', reason: 'refused' });
    expect(report.error).toContain('DBSS refused permission');
    const { rows } = await pool.query('select distinct instance_id from dbss.audit_reports');
    expect(rows).toEqual([{ instance_id: other }]);
    expect(report.requests).toBe(sandbox.requests.count('ListAuditReports'));
  });
});

describe('which spelling of image_type the handling history accepts', () => {
  test.each([
    ['local_image', 'error'],
    ['local', 'error'],
    ['local_image', 'empty'],
    ['local', 'empty'],
    ['both', 'error'],
  ] as const)(
    '%s, the other one gives an %s: all records arrive, in the stored spelling',
    async (imageTypeSpelling, otherImageType) => {
      const { run, rows, sandbox, id } = await start({ imageTypeSpelling, otherImageType });
      await run(hssImageVulnerabilities);
      const report = await run(hssImageVulnerabilityOperations);
      expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', rejected: 0 });
      const truth = [...sandbox.estate.records('operations')].map(({ request }) => request);
      expect(truth.length).toBeGreaterThan(5);
      expect(await rows('hss.image_vulnerability_operations')).toBe(truth.length);
      const { rows: types } = await pool.query(
        'select image_type, count(*)::int as n from hss.image_vulnerability_operations where project_id = $1 group by 1 order by 1',
        [id],
      );
      const counts = Map.groupBy(truth, ({ image_type }) => image_type);
      expect(types).toEqual(
        [...counts]
          .map(([image_type, all]) => ({ image_type, n: all.length }))
          .sort((a, b) => (String(a.image_type) < String(b.image_type) ? -1 : 1)),
      );
      expect(report.requests).toBe(sandbox.requests.count('ListGeneralImageVulOperations'));
    },
  );

  test('is asked for once: what was learnt outlives the run', async () => {
    const { run, sandbox } = await start({ imageTypeSpelling: 'local' });
    await run(hssImageVulnerabilities);
    await run(hssImageVulnerabilityOperations);
    sandbox.requests.clear();
    await run(hssImageVulnerabilityOperations);
    const asked = sandbox.requests.entries().filter(({ operation }) => operation === 'ListGeneralImageVulOperations');
    expect(asked.filter(({ query }) => query.image_type === 'local_image')).toEqual([]);
    expect(asked.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('the generations of the instance list', () => {
  test.each([
    [['v2', 'v1', 'v1-dbss'], 'instances', 1],
    [['v1', 'v1-dbss'], 'instances', 2],
    [['v1'], 'servers', 2],
    [['v1-dbss'], 'instances', 3],
  ] as const)(
    '%j with %s: the newest that exists is found in %i requests, and remembered',
    async (instanceGenerations, v1InstanceShape, requests) => {
      const { run, rows, sandbox } = await start({ instanceGenerations, v1InstanceShape });
      const report = await run(dbssAuditInstances);
      expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 2, requests });
      expect(await rows('dbss.audit_instances')).toBe(2);
      sandbox.requests.clear();
      expect(await run(dbssAuditInstances)).toMatchObject({ status: 'succeeded', unchanged: 2, requests: 1 });
      expect(sandbox.requests.count()).toBe(1);
    },
  );

  test('none of which exists is a refusal that says so', async () => {
    const { run } = await start({ instanceGenerations: [] });
    const report = await run(dbssAuditInstances);
    expect(report).toMatchObject({ status: 'failed', reason: 'refused', requests: 3 });
    expect(report.error).toMatch(/DBSS knows no such resource: 404 APIG\.0101/);
  });
});

describe('a poison record', () => {
  const poison =
    (change: (record: Record<string, unknown>) => void, id?: string): Override =>
    (request, normal) => {
      const reply = normal();
      const body = JSON.parse(reply.body);
      const index =
        id === undefined ? 0 : body.data_list.findIndex((event: { event_id: string }) => event.event_id === id);
      if (index >= 0 && (id !== undefined || request.query.offset === '0')) change(body.data_list[index]);
      return { ...reply, body: JSON.stringify(body) };
    };

  async function rejectsOf(id: string) {
    const { rows } = await pool.query<{
      key: string | null;
      issues: { field: string; message: string }[];
      payload: string;
      count: number;
    }>('select key, issues, payload, count from sync.rejected_records where project_id = $1', [id]);
    return rows;
  }

  const nth = (sandbox: { estate: { records(list: 'events'): Iterable<{ text: string }> } }, n: number): string =>
    JSON.parse([...sandbox.estate.records('events')][n]?.text ?? '{}').event_id;

  test('among 1,000 costs itself and nothing else: 999 rows, one reject with payload and reason', async () => {
    const { run, rows, sandbox, id } = await start({ events: 1_000 });
    const victim = nth(sandbox, 500);
    sandbox.override(
      'ListClusterEvents',
      poison((record) => {
        record.update_time = 'yesterday';
      }, victim),
    );
    const report = await run(hssClusterEvents);
    expect(shown(report)).toMatchObject({
      status: 'succeeded',
      certificate: 'complete',
      inserted: 999,
    });
    expect(report.rejected).toBeGreaterThanOrEqual(1);
    expect(await rows('hss.cluster_events')).toBe(999);
    const rejects = await rejectsOf(id);
    expect(rejects).toHaveLength(1);
    expect(rejects[0]).toMatchObject({
      key: victim,
      issues: [{ field: 'update_time', message: 'not an instant in milliseconds' }],
    });
    expect(JSON.parse(rejects[0]?.payload ?? '')).toMatchObject({ event_id: victim, update_time: 'yesterday' });
  });

  test('is one reject also when the list moves meanwhile', async () => {
    const { run, rows, sandbox, id } = await start({ events: 1_000 });
    const victim = nth(sandbox, 500);
    const spoiled = poison((record) => {
      record.update_time = 'yesterday';
    }, victim);
    sandbox.override('ListClusterEvents', (request, normal) => {
      if (request.call > 1 && request.call <= 5) sandbox.estate.step(3, 'event');
      return spoiled(request, normal);
    });
    const report = await run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    expect(await rows('hss.cluster_events')).toBe(sandbox.estate.counts().events - 1);
    expect(await rejectsOf(id)).toHaveLength(1);
  });

  test('without a readable key is a reject, too', async () => {
    const { run, rows, sandbox, id } = await start();
    sandbox.override(
      'ListClusterEvents',
      poison((record) => {
        delete record.event_id;
      }),
    );
    expect(shown(await run(hssClusterEvents))).toEqual({
      status: 'succeeded',
      certificate: 'complete',
      records: 30,
      inserted: 29,
      rejected: 1,
    });
    expect(await rejectsOf(id)).toMatchObject([
      { key: null, issues: [{ field: 'event_id', message: 'part of the key is missing' }] },
    ]);
    expect(await rows('hss.cluster_events')).toBe(29);
  });

  test.each([
    [
      'an id too long for any index',
      (record: Record<string, unknown>) => {
        record.event_id = Array.from({ length: 4_000 }, (_, n) => ((n * 7_919) % 1_297).toString(36)).join('');
      },
    ],
    [
      'a cluster id too long for any index',
      (record: Record<string, unknown>) => {
        record.cluster_id = Array.from({ length: 4_000 }, (_, n) => ((n * 7_919) % 1_297).toString(36)).join('');
      },
    ],
    [
      'a number no column can hold',
      (record: Record<string, unknown>) => {
        record.event_content = `{"n":1${'0'.repeat(140_000)}}`;
      },
    ],
    [
      'a time in microseconds',
      (record: Record<string, unknown>) => {
        record.update_time = 1_695_094_500_324_000;
      },
    ],
  ])('with %s does not stop its page', async (_, change) => {
    const { run, rows, sandbox, id } = await start();
    sandbox.override('ListClusterEvents', poison(change));
    const report = await run(hssClusterEvents);
    expect(shown(report)).toMatchObject({ status: 'succeeded', certificate: 'complete', inserted: 29, rejected: 1 });
    expect(await rows('hss.cluster_events')).toBe(29);
    expect((await rejectsOf(id))[0]?.issues[0]?.message).toMatch(/^(Postgres refused it: |not an instant)/);
    expect(await run(hssClusterEvents)).toMatchObject({
      status: 'succeeded',
      inserted: 0,
      rejected: expect.any(Number),
    });
    expect(await rejectsOf(id), 'met again, it is the same reject').toHaveLength(1);
  });

  test('that is none: odd text, odd names, deep nesting, an emoji where a sample is cut, are rows', async () => {
    const { run, rows, sandbox, id } = await start();
    sandbox.override(
      'ListClusterEvents',
      poison((record) => {
        record.event_name = 'a\u0000b\ud800c';
        record.event_content = '['.repeat(2_500) + ']'.repeat(2_500);
        record.policy_name = `${'y'.repeat(118)}😀😀${'z'.repeat(40)}`;
        record['odd\u0000\udc00'] = { 'k\u0000': `${'y'.repeat(110)}😀`.repeat(2) };
      }),
    );
    expect(shown(await run(hssClusterEvents))).toMatchObject({ status: 'succeeded', inserted: 30, rejected: 0 });
    expect(await rows('hss.cluster_events')).toBe(30);
    const { rows: odd } = await pool.query(
      "select event_name, event_content_json, _extra->'odd\ufffd\ufffd' is not null as extra from hss.cluster_events where project_id = $1 and event_name like 'a%c'",
      [id],
    );
    expect(odd).toEqual([{ event_name: 'a\ufffdb\ufffdc', event_content_json: null, extra: true }]);
  });
});

test('integers beyond 2^53 arrive with every digit: as a number, as text, inside JSON, and in unknown fields', async () => {
  const { run, sandbox, id } = await start();
  sandbox.override('ListClusterEvents', (_, normal) => {
    const reply = normal();
    return {
      ...reply,
      body: reply.body
        .replace('"event_type":3009', '"event_type":9007199254740993,"huge":9223372036854775807')
        .replace('"event_content":"{', '"event_content":"{\\"n\\":9007199254740995,'),
    };
  });
  expect(shown(await run(hssClusterEvents))).toMatchObject({ status: 'succeeded', inserted: 30 });
  const { rows } = await pool.query(
    "select event_type::text, _extra->>'huge' as huge, event_content_json->>'n' as inside, event_content from hss.cluster_events where project_id = $1 and event_type > 3009",
    [id],
  );
  expect(rows).toMatchObject([
    { event_type: '9007199254740993', huge: '9223372036854775807', inside: '9007199254740995' },
  ]);
  expect(rows[0].event_content).toContain('9007199254740995');
  expect(await run(hssClusterEvents)).toMatchObject({ inserted: 0, updated: 0 });
});

test('a list that ends short of its count, and a stream whose parent is not certified, are said to be so', async () => {
  const { run, sandbox } = await start();
  sandbox.override('ListClusterProtectionInfo', (_, normal) => ({
    ...normal(),
    body: normal().body.replace('"total_num":3', '"total_num":5'),
  }));
  const clusters = await run(hssProtectedClusters);
  expect(clusters).toMatchObject({ records: expect.any(Number), inserted: 3 });
  sandbox.faults.add({ kind: 'forbidden', operation: 'ListAuditInstancesLast', times: Number.POSITIVE_INFINITY });
  await run(dbssAuditInstances);
  expect(await run(dbssAuditReports)).toMatchObject({
    status: 'incomplete',
    certificate: 'incomplete',
    reason: 'parents',
    requests: 0,
  });
});
