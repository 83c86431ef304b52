import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { rowsIn, type Values } from '../support/view-rows.ts';

const { pool } = await createTestDatabase();
const { insert, query: rows } = rowsIn(pool);

const event = (values: Values) =>
  insert('hss.cluster_events', {
    event_id: 'e1',
    cluster_id: 'c1',
    handle_status: 'unhandled',
    action: 'warn',
    create_time: '@3 hours',
    ...values,
  });

describe('an image vulnerability', () => {
  it.each([
    ['https://www.cve.org/CVERecord?id=CVE-2024-1', 'https://www.cve.org/CVERecord?id=CVE-2024-1'],
    ['HTTP://example.org/a', 'HTTP://example.org/a'],
    ['javascript:alert(document.domain)//https://example.org', null],
    [' https://example.org', null],
    ['data:text/html,<script>alert(1)</script>', null],
    ['/local/path', null],
    ['', null],
    [null, null],
  ])('has a link where its url is an http(s) address, so that %j becomes %j', async (url, link) => {
    await insert('hss.image_vulnerabilities', {
      vul_id: 'v1',
      type: 'linux_vul',
      image_type: 'local',
      handle_status: 'unhandled',
      url,
    });
    expect(await rows('select url from bi.image_vulnerabilities')).toEqual([{ url: link }]);
  });
});

describe('events', () => {
  it('stay when the API no longer lists them, and are no longer called open', async () => {
    await event({ event_id: 'listed' });
    await event({ event_id: 'gone', _deleted_at: '@1 hour' });
    expect(await rows('select event_id, listed from bi.cluster_events order by 1')).toEqual([
      { event_id: 'gone', listed: false },
      { event_id: 'listed', listed: true },
    ]);
    expect(await rows('select event_id from bi.open_cluster_events')).toEqual([{ event_id: 'listed' }]);
  });

  it('have readable texts for known values, keep unknown ones, and always have a place', async () => {
    await event({ event_id: 'known', cluster_name: 'prod', resource_info_namespace: 'shop', action: 'deny' });
    await event({ event_id: 'other', action: 'quarantine', enterprise_project_id: '0' });
    expect(
      await rows(
        'select cluster_name, namespace, action_text, is_critical, enterprise_project from bi.cluster_events order by event_id',
      ),
    ).toEqual([
      { cluster_name: 'prod', namespace: 'shop', action_text: 'Blocked', is_critical: true, enterprise_project: null },
      {
        cluster_name: 'c1',
        namespace: '(cluster-wide)',
        action_text: 'quarantine',
        is_critical: true,
        enterprise_project: 'default',
      },
    ]);
  });

  it('bear the name of their enterprise project where it is known', async () => {
    await event({ event_id: 'a', enterprise_project_id: 'ep1' });
    await event({ event_id: 'b', enterprise_project_id: 'ep2' });
    await pool.query(
      `insert into sync.enterprise_projects values ('default', 'ep1', 'payments', true, now()), ('another', 'ep2', 'secret', true, now())`,
    );
    expect(await rows('select enterprise_project from bi.cluster_events order by event_id')).toEqual([
      { enterprise_project: 'payments' },
      { enterprise_project: 'ep2' },
    ]);
  });

  it('without the time of their creation are dated by their last change, but not after they were first read', async () => {
    const unknown = { create_time: null, _first_seen_at: '@2 hours' };
    await event({ ...unknown, event_id: 'a-read-later', update_time: '@5 hours' });
    await event({ ...unknown, event_id: 'b-handled-since', update_time: '@1 hour', handle_status: 'handled' });
    await event({ ...unknown, event_id: 'c-undated', update_time: null });
    expect(
      await rows(
        'select event_id, round(extract(epoch from now() - event_time) / 3600)::int as ago from bi.cluster_events order by 1',
      ),
    ).toEqual([
      { event_id: 'a-read-later', ago: 5 },
      { event_id: 'b-handled-since', ago: 2 },
      { event_id: 'c-undated', ago: 2 },
    ]);
    expect(await rows('select sum(events)::int as events from bi.cluster_events_hourly')).toEqual([{ events: 3 }]);
    expect(await rows('select event_id, minutes from bi.event_response_times')).toEqual([
      { event_id: 'b-handled-since', minutes: 60 },
    ]);
    expect(await rows('select event_id, age_hours from bi.open_cluster_events order by 1')).toEqual([
      { event_id: 'a-read-later', age_hours: 5 },
      { event_id: 'c-undated', age_hours: 2 },
    ]);
  });

  it('are counted by the hour, whatever the zone of the session', async () => {
    await event({ event_id: 'a' });
    await event({ event_id: 'b', handle_status: 'handled' });
    const sql =
      'select extract(minute from hour)::int as minute, events::int, open_events::int, handled_events::int from bi.cluster_events_hourly';
    const client = await pool.connect();
    await client.query(`set time zone 'Asia/Kolkata'`);
    expect((await client.query(sql)).rows).toEqual([{ minute: 30, events: 2, open_events: 1, handled_events: 1 }]);
    client.release(true);
  });
});

describe('response times', () => {
  const earlier = (values: Values) =>
    insert('hss.cluster_events_history', {
      event_id: 'e1',
      handle_status: 'unhandled',
      _valid_from: '@3 hours',
      _valid_to: '@2 hours',
      ...values,
    });

  it('end with the first handling that was seen', async () => {
    await event({ handle_status: 'handled', create_time: '@3 hours', update_time: '@1 hour' });
    await earlier({ handle_status: 'unhandled', update_time: '@3 hours' });
    await earlier({ handle_status: 'handled', update_time: '@2 hours', _valid_from: '@2 hours', _valid_to: '@1 hour' });
    expect(await rows('select minutes, basis, reopened from bi.event_response_times')).toEqual([
      { minutes: 60, basis: 'seen', reopened: false },
    ]);
  });

  it('fall back on the last change of an event that was handled before it was first read', async () => {
    await event({ handle_status: 'handled', create_time: '@3 hours', update_time: '@2.5 hours' });
    expect(await rows('select minutes, basis from bi.event_response_times')).toEqual([
      { minutes: 30, basis: 'last change' },
    ]);
  });

  it('have an event that was reopened, and no event that was never handled', async () => {
    await event({ handle_status: 'unhandled' });
    await event({ event_id: 'never' });
    await earlier({ handle_status: 'handled', update_time: '@2 hours' });
    expect(await rows('select event_id, minutes, reopened from bi.event_response_times')).toEqual([
      { event_id: 'e1', minutes: 60, reopened: true },
    ]);
  });
});

describe('risk by day', () => {
  const report = { report_id: 'r1', cluster_id: 'c1', cluster_name: 'prod', severity: 'Insecurity' };
  const daily = async () =>
    (
      await rows(
        `select ((now() at time zone 'UTC')::date - (day at time zone 'UTC')::date) as ago, risks::int, carried_forward from bi.cluster_risk_daily order by day`,
      )
    ).map(({ ago, risks, carried_forward }) => [ago, risks, carried_forward]);

  it('repeats the last scan on days without one, up to today', async () => {
    await insert('hss.cluster_security_reports_history', {
      ...report,
      risk_config_num: 5,
      scan_time: '@4 days',
      _valid_from: '@4 days',
      _valid_to: '@1 day',
    });
    await insert('hss.cluster_security_reports', {
      ...report,
      risk_config_num: 8,
      scan_time: '@1 day',
      _changed_at: '@1 day',
    });
    expect(await daily()).toEqual([
      [4, 5, false],
      [3, 5, true],
      [2, 5, true],
      [1, 8, false],
      [0, 8, true],
    ]);
  });

  it('counts a scan from when it was made, not from when it was read', async () => {
    await insert('hss.cluster_security_reports', { ...report, risk_config_num: 8, scan_time: '@2 days' });
    expect(await daily()).toEqual([
      [2, 8, false],
      [1, 8, true],
      [0, 8, true],
    ]);
  });

  it('shows nothing for the days when the cluster was not listed', async () => {
    await insert('hss.cluster_security_reports_history', {
      ...report,
      risk_config_num: 5,
      scan_time: '@5 days',
      _valid_from: '@5 days',
      _valid_to: '@3 days',
    });
    await insert('hss.cluster_security_reports', {
      ...report,
      risk_config_num: 8,
      scan_time: '@1 day',
      _changed_at: '@1 day',
      _deleted_at: '@0 days',
    });
    expect(await daily()).toEqual([
      [5, 5, false],
      [4, 5, true],
      [1, 8, false],
    ]);
    expect(await rows('select * from bi.cluster_risk')).toEqual([]);
  });
});

it('joins an operation with the listed one of several rows of its vulnerability', async () => {
  const vulnerability = { vul_id: 'v1', image_type: 'registry', type: 'app_vul' };
  await insert('hss.image_vulnerabilities', {
    ...vulnerability,
    handle_status: 'unhandled',
    severity_level: 'Low',
    _deleted_at: '@1 hour',
  });
  await insert('hss.image_vulnerabilities', {
    ...vulnerability,
    handle_status: 'handled',
    severity_level: 'Critical',
    max_cvss_score: 9.8,
    cve_list: '[{"cve_id":"CVE-2"},{"cve_id":"CVE-1"}]',
  });
  const operation = { image_type: 'registry', handle_type: 'ignore', handle_time: '@1 hour' };
  await insert('hss.image_vulnerability_operations', { ...operation, vul_id: 'v1', operation_key: 'k1' });
  await insert('hss.image_vulnerability_operations', {
    ...operation,
    vul_id: 'v2',
    operation_key: 'k2',
    _deleted_at: '@0 s',
  });
  expect(
    await rows('select vul_id, severity, cves, user_name, listed from bi.image_vulnerability_operations order by 1'),
  ).toEqual([
    { vul_id: 'v1', severity: 'Critical', cves: 'CVE-1, CVE-2', user_name: '(unknown)', listed: true },
    { vul_id: 'v2', severity: 'Unknown', cves: null, user_name: '(unknown)', listed: false },
  ]);
  expect(await rows('select sum(operations)::int as operations from bi.vulnerability_handling_daily')).toEqual([
    { operations: 2 },
  ]);
});

it('dates handlings and reports without a time of their own by when they were first read', async () => {
  const read = { _first_seen_at: '@3 hours' };
  await insert('hss.image_vulnerability_operations', {
    ...read,
    image_type: 'registry',
    vul_id: 'v1',
    operation_key: 'k1',
    handle_time: null,
  });
  await insert('dbss.audit_reports', { ...read, instance_id: 'i1', id: 'r1', end_time: null, percentum: 10 });
  const ago = (column: string) => `round(extract(epoch from now() - ${column}) / 3600)::int as ago`;
  expect(await rows(`select ${ago('operation_time')} from bi.image_vulnerability_operations`)).toEqual([{ ago: 3 }]);
  expect(await rows('select operations::int from bi.vulnerability_handling_daily')).toEqual([{ operations: 1 }]);
  expect(await rows(`select ${ago('report_time')} from bi.audit_reports`)).toEqual([{ ago: 3 }]);
  expect(await rows('select waiting_hours from bi.audit_report_jobs')).toEqual([{ waiting_hours: 3 }]);
});

it('has whether the protection is enabled, and whether it has a policy', async () => {
  const all = ['protected with policy', 'protected without policy', 'unprotected', 'plugin error', 'uninstall'];
  for (const status of all) await insert('hss.protected_clusters', { cluster_id: status, protect_status: status });
  expect(await rows('select protect_status, is_protected, has_policy from bi.clusters order by 1')).toEqual([
    { protect_status: 'plugin error', is_protected: false, has_policy: false },
    { protect_status: 'protected with policy', is_protected: true, has_policy: true },
    { protect_status: 'protected without policy', is_protected: true, has_policy: false },
    { protect_status: 'uninstall', is_protected: false, has_policy: false },
    { protect_status: 'unprotected', is_protected: false, has_policy: false },
  ]);
});

it('tells audit reports that are stuck from those being made', async () => {
  const report = { instance_id: 'i1', percentum: 37, type: 'AUDIT_REPORT_DAY' };
  await insert('dbss.audit_reports', {
    ...report,
    id: 'a-done',
    percentum: 100,
    end_time: '@2 hours',
    finish_time: '@1.5 hours',
  });
  await insert('dbss.audit_reports', { ...report, id: 'b-late', end_time: '@25 hours' });
  await insert('dbss.audit_reports', { ...report, id: 'c-still', end_time: '@3 hours', _changed_at: '@2 hours' });
  await insert('dbss.audit_reports', { ...report, id: 'd-moving', end_time: '@3 hours', _changed_at: '@10 minutes' });
  await insert('dbss.audit_reports', { ...report, id: 'e-gone', end_time: '@9 days', _deleted_at: '@1 day' });
  expect(await rows('select report_id, state, is_stuck, minutes from bi.audit_report_jobs order by 1')).toEqual([
    { report_id: 'a-done', state: 'finished', is_stuck: false, minutes: 30 },
    { report_id: 'b-late', state: 'stuck', is_stuck: true, minutes: null },
    { report_id: 'c-still', state: 'stuck', is_stuck: true, minutes: null },
    { report_id: 'd-moving', state: 'running', is_stuck: false, minutes: null },
    { report_id: 'e-gone', state: 'gone', is_stuck: false, minutes: null },
  ]);
});
