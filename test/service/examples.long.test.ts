import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { EXAMPLE_INSTANCE_ID, EXAMPLE_VULNERABILITY_ID, startSandbox } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { directoryFor, runCli } from '../support/cli.ts';
import { READ_BY_DEFAULT as streams } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** The published responses, served byte for byte, read by the command as people run it. Expected values are by hand. */

const database = await createTestDatabase();

async function syncExamples(eventsDocument: 'en' | 'zh') {
  const sandbox = await startSandbox({ examples: true, eventsDocument });
  onTestFinished(() => sandbox.close());
  const cwd = await directoryFor({ sandbox, databaseUrl: database.url });
  return runCli(['sync', '--json'], { cwd });
}

/** Every column, with 64-bit integers as text; what the writer adds is checked and taken out. */
async function rowsOf(table: string, key: string) {
  const { rows } = await database.pool.query<Record<string, unknown>>(`select * from ${table} order by ${key}`);
  return rows.map(({ _hash, _first_seen_at, _changed_at, _deleted_at, ...row }) => {
    expect(_hash).toHaveLength(16);
    expect(_first_seen_at).toBeInstanceOf(Date);
    expect(_changed_at).toEqual(_first_seen_at);
    expect(_deleted_at).toBeNull();
    return row;
  });
}

const SCOPE = { account: 'test', region: 'cn-north-4', project_id: '84b5266c14ae489fa6549827f032dc62', _extra: null };

const CONTENT_165 =
  '{"enforcementAction":"warn","group":"","kind":"Pod","message":"hit label a4, vul image nginx can not startup.","name":"deny11","namespace":"test-lby","version":"v1"}';
const CONTENT_241 =
  '{"enforcementAction":"warn","group":"","kind":"Pod","message":"hit label a4, vul image swr.cn-north-7.myhuaweicloud.com/scc_cgs_f00418753/nginx:test can not startup.","name":"nginx-test-65d79f9d9f-jmmn4","namespace":"default","version":"v1"}';

const FIRST_EVENT = {
  ...SCOPE,
  event_id: '03368dc5-80ae-482f-8fa8-e62d778bb29f',
  event_class_id: 'clusterprotect_1001',
  event_name: null,
  event_type: 3009,
  event_content: CONTENT_165,
  event_content_json: {
    enforcementAction: 'warn',
    group: '',
    kind: 'Pod',
    message: 'hit label a4, vul image nginx can not startup.',
    name: 'deny11',
    namespace: 'test-lby',
    version: 'v1',
  },
  action: 'warn',
  handle_status: 'unhandled',
  create_time: null,
  update_time: new Date('2023-09-19T03:35:00.324Z'),
  cluster_id: '44753d6c-415e-11ee-834b-0255ac1001b2',
  cluster_name: null,
  enterprise_project_id: '0',
  policy_id: '4636a2d6-1b8c-44d3-863d-7d881348d32a',
  policy_name: 'lbytest-warn',
  resource_info_enforcement_action: 'warn',
  resource_info_group: '',
  resource_info_kind: 'Pod',
  resource_info_message: 'hit label a4, vul image nginx can not startup.',
  resource_info_name: 'deny11',
  resource_info_namespace: 'test-lby',
  resource_info_resource_name: null,
  resource_info_version: 'v1',
};

const SECOND_EVENT = {
  ...FIRST_EVENT,
  event_id: 'cbbf88ab-385f-4ecc-a3b2-b933bdbd467f',
  event_content: CONTENT_241,
  event_content_json: {
    enforcementAction: 'warn',
    group: '',
    kind: 'Pod',
    message: 'hit label a4, vul image swr.cn-north-7.myhuaweicloud.com/scc_cgs_f00418753/nginx:test can not startup.',
    name: 'nginx-test-65d79f9d9f-jmmn4',
    namespace: 'default',
    version: 'v1',
  },
  resource_info_message:
    'hit label a4, vul image swr.cn-north-7.myhuaweicloud.com/scc_cgs_f00418753/nginx:test can not startup.',
  resource_info_name: 'nginx-test-65d79f9d9f-jmmn4',
  resource_info_namespace: 'default',
};

test('the published documents hold what is expected here: their lengths are the documented 165 and 241', () => {
  const file = new URL('../fixtures/published/hss-cluster-protect-events.zh.json', import.meta.url);
  const { data_list } = JSON.parse(readFileSync(file, 'utf8'));
  expect([data_list[0].event_content, data_list[1].event_content]).toEqual([CONTENT_165, CONTENT_241]);
  expect([CONTENT_165.length, CONTENT_241.length]).toEqual([165, 241]);
});

describe('sync --json over the published responses', () => {
  test('succeeds, and says so in one document', async () => {
    const { code, stdout } = await syncExamples('en');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ ok: true, runs: streams.map(() => ({ status: 'succeeded' })) });
    const records = answer.runs.map((run: Record<string, unknown>) => [run.stream, run.records, run.inserted]);
    expect(Object.fromEntries(records.map(([stream, , inserted]: unknown[]) => [stream, inserted]))).toMatchObject({
      hss_protected_clusters: 2,
      hss_kubernetes_clusters: 2,
      hss_cluster_events: 1,
      hss_cluster_security_reports: 1,
      hss_image_vulnerabilities: 1,
      hss_image_vulnerability_operations: 1,
      dbss_audit_instances: 1,
      dbss_audit_reports: 1,
    });
    expect(Object.keys(answer.runs[0]).sort()).toEqual(
      'account certificate certified_at deleted duration_ms error inserted project_id reason records region rejected requests status stream throttled unchanged updated walk'.split(
        ' ',
      ),
    );
  });

  test('fills every column of the events of the English document', async () => {
    expect(await rowsOf('hss.cluster_events', 'event_id')).toEqual([FIRST_EVENT]);
  });

  test('fills every column of the cluster reports', async () => {
    expect(await rowsOf('hss.cluster_security_reports', 'report_id')).toEqual([
      {
        ...SCOPE,
        report_id: '288d4f2e-8c4e-438a-8c14-be350a',
        cluster_id: '43411c30-450b-11f0-a624-0251b7',
        cluster_name: 'clusterName',
        cluster_category: 'CCE',
        severity: 'Insecurity',
        local_image_vul_num: 1,
        risk_config_num: 0,
        privileged_container_num: 0,
        scan_time: new Date('2025-08-18T08:21:13.836Z'),
      },
    ]);
  });

  test('fills every column of the handling history: the numeric image id as text, values outside the enums', async () => {
    expect(await rowsOf('hss.image_vulnerability_operations', 'operation_key')).toEqual([
      {
        ...SCOPE,
        vul_id: EXAMPLE_VULNERABILITY_ID,
        image_type: 'local_image',
        operation_key: 'b5c6977050d00d364429e10678fe7540aeac9e705a37b02f360709ab25aeac72',
        image_id: '123456',
        image_name: 'image',
        image_version: 'xxx',
        image_digest: 'xxx',
        agent_id: 'xxx',
        app_name: 'async-http-client',
        app_version: '1.7.17',
        app_path: '/usr/local/bin/mysqld',
        user_name: 'scc_hss_g00840938_01',
        handle_type: 'manual_repair',
        handle_time: new Date('2025-01-10T01:42:23.218Z'),
        status: 'vul_status_fixed',
        remark: 'One application vulnerability has been fixed.',
      },
    ]);
  });

  test('fills every column of the audit reports, their times read as UTC', async () => {
    expect(await rowsOf('dbss.audit_reports', 'id')).toEqual([
      {
        ...SCOPE,
        instance_id: EXAMPLE_INSTANCE_ID,
        id: 'ocdwy5gBPj4d6CRt90sh',
        name: 'Database Security General Report',
        type: 'AUDIT_REPORT_REAL_TIME',
        format: 'pdf',
        template_type: 'COMPREHENSIVE',
        percentum: 100,
        start_time: new Date('2025-08-20T16:00:00Z'),
        end_time: new Date('2025-08-21T07:03:31Z'),
        finish_time: new Date('2025-08-21T07:03:56Z'),
        db_ids: '',
        db_names: '',
        url: '/results/ocdwy5gBPj4d6CRt90sh/download-report',
      },
    ]);
  });

  test('has compared every column there is', () => {
    const written = [...Object.keys(FIRST_EVENT), '_hash', '_first_seen_at', '_changed_at', '_deleted_at'].sort();
    expect(hssClusterEvents.table.columns.map(({ name }) => name).sort()).toEqual(written);
  });

  test('differs nowhere from what the documents together say', async () => {
    const { rows } = await database.pool.query('select stream, field, kind, sample from sync.api_drift');
    expect(rows).toEqual([]);
  });

  test('finds nothing new in the camelCase of the Chinese document but the event that only it has', async () => {
    const { code, stdout } = await syncExamples('zh');
    expect(code).toBe(0);
    const run = JSON.parse(stdout).runs.find(({ stream }: { stream: string }) => stream === 'hss_cluster_events');
    expect(run).toMatchObject({ records: 2, inserted: 1, updated: 0, unchanged: 1, rejected: 0 });
    expect(await rowsOf('hss.cluster_events', 'event_id')).toEqual([FIRST_EVENT, SECOND_EVENT]);
  });

  test('fills every column of the Chinese document on its own as well', async () => {
    await database.pool.query('truncate hss.cluster_events, sync.listings');
    expect((await syncExamples('zh')).code).toBe(0);
    expect(await rowsOf('hss.cluster_events', 'event_id')).toEqual([FIRST_EVENT, SECOND_EVENT]);
  });
});
