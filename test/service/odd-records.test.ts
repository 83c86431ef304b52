import { describe, expect, test } from 'vitest';
import type { Override } from '../../src/sandbox/server/handle-request.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { ownProjects, shown } from '../support/answers.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Records that are not what the documents promise: each is a row or a reject, and the rest of its page is not touched. */

const database = await createTestDatabase();
const { pool } = database;
const { start } = ownProjects(database, 27);

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

  test('among 1,000 does not affect the others: 999 rows, one reject with payload and reason', async () => {
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

  test('is not caused by odd text, odd names, deep nesting or an emoji at the end of a sample: these are rows', async () => {
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

test('integers beyond 2^53 are stored with every digit: as a number, as text, inside JSON, and in unknown fields', async () => {
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
