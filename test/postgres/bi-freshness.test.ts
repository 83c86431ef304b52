import { describe, expect, it } from 'vitest';
import { publishProjects } from '../../src/postgres/queries/overview.ts';
import { readStreamStates } from '../../src/postgres/queries/stream-state.ts';
import { streams } from '../../src/streams/index.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { rowsIn, type Values } from '../support/view-rows.ts';

const { pool } = await createTestDatabase();
const { insert, query: rows } = rowsIn(pool);

describe('freshness', () => {
  const run = (values: Values) =>
    insert('sync.runs', {
      stream: 'hss_cluster_events',
      status: 'succeeded',
      certificate: 'complete',
      started_at: '@1 minute',
      finished_at: '@50 seconds',
      beat_at: '@50 seconds',
      owner: 'test',
      ...values,
    });
  const state = async () => (await rows('select state, reason_text, is_stale from bi.stream_freshness'))[0];

  it('is fresh within the target, and stale beyond it', async () => {
    await run({});
    expect(await state()).toMatchObject({ state: 'fresh', is_stale: false });
    await pool.query(`update sync.runs set started_at = now() - interval '3 minutes'`);
    expect(await state()).toMatchObject({ state: 'stale', is_stale: true });
  });

  it('is measured by the target in force, once a service has said it', async () => {
    await run({ started_at: '@10 minutes' });
    const target = async () => (await rows('select target_seconds::int as seconds, state from bi.stream_freshness'))[0];
    expect(await target()).toEqual({ seconds: 120, state: 'stale' });
    const publish = (targetMs: number, projectId = 'p1') =>
      publishProjects(pool, {
        configuration: null,
        scopes: [{ projectId, account: 'a', region: 'r' }],
        targets: { hss_cluster_events: targetMs },
      });
    await publish(900_000);
    await publish(1_000, 'a project of another service');
    expect(await target()).toEqual({ seconds: 900, state: 'fresh' });
    await publish(60_500);
    expect(await target()).toEqual({ seconds: 61, state: 'stale' });
  });

  it('keeps the older proof while a later run proves less, and says why', async () => {
    await run({});
    await run({ status: 'incomplete', certificate: 'incomplete', reason: 'capped', started_at: '@20 seconds' });
    expect(await state()).toMatchObject({
      state: 'incomplete',
      reason_text: 'The API shows only the first rows of the list',
    });
  });

  it('goes by the age of the content, also where a run has just looked at the first page of it', async () => {
    await run({
      started_at: '@1 minute',
      content_at: '@40 minutes',
      proof: 'order',
      evidence: '{"order": "scan_time desc"}',
    });
    const columns = 'state, is_stale, age_seconds > 2000 as old, look_age_seconds < 120 as looked, proof, proof_text';
    expect((await rows(`select ${columns} from bi.stream_freshness`))[0]).toEqual({
      state: 'stale',
      is_stale: true,
      old: true,
      looked: true,
      proof: 'order',
      proof_text: 'Sorted by scan_time desc, without gaps',
    });
  });

  it('tells the command status and the metrics the same ages, state and proof as the view', async () => {
    const evidence = '{"proofs": {"atomic": 2, "quiet": 1}, "premises": ["clocks differ by at most five minutes"]}';
    await run({ content_at: '@30 minutes', certified_at: '@5 hours', proof: 'several', evidence });
    const [state] = await readStreamStates(pool, streams);
    const [view] = await rows(
      'select as_of, looked_at, certified_at, state, is_stale, proof, proof_text, premises from bi.stream_freshness',
    );
    expect(state).toMatchObject(view ?? {});
    expect(state?.proof_text).toBe('Proven in different ways: 2 atomic, 1 quiet');
    expect(state?.premises).toBe('clocks differ by at most five minutes');
    expect(state?.age_seconds).toBeGreaterThanOrEqual(1800);
    expect(state?.certificate_age_seconds).toBeGreaterThanOrEqual(18_000);
    expect(state?.look_age_seconds).toBeLessThan(600);
  });

  it('says how many lists its proof did not ask for, and from when the oldest reading is', async () => {
    await run({ evidence: '{"notAsked": 3}', certified_at: '@2 days' });
    expect(
      await rows(
        'select lists_not_asked::int as lists, now() - certified_at > $$1 day$$ as old from bi.stream_freshness',
      ),
    ).toEqual([{ lists: 3, old: true }]);
  });

  it('is never complete where nothing was proven', async () => {
    await run({ status: 'failed', certificate: null });
    expect(await state()).toMatchObject({ state: 'never complete', is_stale: true });
  });

  it('has a row for every stream and project, with its rows and rejects', async () => {
    await run({});
    await run({ project_id: 'p2' });
    await run({ project_id: 'p2', stream: 'dbss_audit_reports' });
    await insert('hss.cluster_events', { event_id: 'listed' });
    await insert('hss.cluster_events', { event_id: 'gone', _deleted_at: '@1 hour' });
    await insert('sync.rejected_records', {
      stream: 'hss_cluster_events',
      fingerprint: 'f',
      listing: '',
      params: '{}',
      issues: '[{"field":"event_type","message":"not a 64-bit integer"}]',
      payload: 'secret',
      first_seen_at: '@0 s',
      last_seen_at: '@0 s',
    });
    expect(
      await rows('select project_id, stream, rows::int, rejects::int from bi.stream_freshness order by 1, 2'),
    ).toEqual([
      { project_id: 'p1', stream: 'hss_cluster_events', rows: 1, rejects: 1 },
      { project_id: 'p2', stream: 'dbss_audit_reports', rows: 0, rejects: 0 },
      { project_id: 'p2', stream: 'hss_cluster_events', rows: 0, rejects: 0 },
    ]);
    expect(await rows('select field, problem, records::int from bi.sync_rejects')).toEqual([
      { field: 'event_type', problem: 'not a 64-bit integer', records: 1 },
    ]);
  });
});
