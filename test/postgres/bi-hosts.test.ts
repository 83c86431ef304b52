import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { rowsIn, type Values } from '../support/view-rows.ts';

const { pool } = await createTestDatabase();
const { insert, query: rows } = rowsIn(pool);

const host = (values: Values) =>
  insert('hss.hosts', {
    host_id: 'h1',
    host_name: 'web-1',
    host_status: 'ACTIVE',
    agent_status: 'online',
    protect_status: 'opened',
    ...values,
  });

const complete = (stream: string, age: string) =>
  insert('sync.runs', {
    stream,
    status: 'succeeded',
    walk: 'full',
    certificate: 'complete',
    started_at: age,
    beat_at: age,
    finished_at: age,
    owner: 'test',
  });

const finding = (values: Values) =>
  insert('hss.host_vulnerabilities', {
    host_id: 'h1',
    vul_id: 'v1',
    type: 'linux_vul',
    status: 'vul_status_unfix',
    first_scan_time: '@3 days',
    ...values,
  });

describe('the protection of a host', () => {
  it.each<readonly [string, boolean, Values]>([
    ['protected', true, {}],
    ['degraded', true, { protect_degradation: 'true' }],
    ['agent offline', false, { agent_status: 'offline' }],
    ['agent offline', false, { agent_status: null }],
    ['shut off', false, { agent_status: 'offline', host_status: 'SHUTOFF' }],
    ['interrupted', false, { protect_interrupt: 'true', agent_status: 'offline' }],
    ['faulty', false, { protect_status: 'protection_exception' }],
    ['faulty', false, { protect_status: 'a state that no document has' }],
    ['unprotected', false, { protect_status: 'closed', agent_status: 'not_installed' }],
    ['unknown', false, { protect_status: null }],
  ])('is called "%s" and counts as on: %s, where the API says %j', async (protection, is_protected, values) => {
    await host(values);
    expect(await rows('select protection, is_protected from bi.hosts')).toEqual([{ protection, is_protected }]);
  });

  it('ends with its quota where quotas are read', async () => {
    await host({ resource_id: 'q1', expire_time: null });
    await insert('hss.quotas', { resource_id: 'q1', quota_status: 'normal', expire_time: '@-5 days' });
    expect(await rows('select quota_status, expires_in_days from bi.hosts')).toEqual([
      { quota_status: 'normal', expires_in_days: 5 },
    ]);
  });

  it('has the number of days until it ends, and null without an end', async () => {
    await host({ host_id: 'h1', expire_time: '@-10 days' });
    await host({ host_id: 'h2', expire_time: '@2 days' });
    await host({ host_id: 'h3', expire_time: null });
    await host({ host_id: 'gone', _deleted_at: '@1 day' });
    expect(await rows('select host_id, expires_in_days from bi.hosts order by 1')).toEqual([
      { host_id: 'h1', expires_in_days: 10 },
      { host_id: 'h2', expires_in_days: -2 },
      { host_id: 'h3', expires_in_days: null },
    ]);
  });
});

describe('weak passwords', () => {
  it('are shown by account, without any password, also where the API gives no account', async () => {
    await insert('hss.weak_passwords', {
      host_id: 'h1',
      host_name: 'web-1',
      weak_pwd_accounts:
        '[{"user_name":"root","service_type":"system","duration":12,"suggestion":"s"},{"user_name":"app","service_type":"oracle","duration":"?"}]',
    });
    await insert('hss.weak_passwords', { host_id: 'h2', weak_pwd_accounts: null });
    await insert('hss.weak_passwords', { host_id: 'h3', weak_pwd_accounts: '[]', _deleted_at: '@1 day' });
    const columns = 'host_name, user_name, service_text, in_use_days';
    expect(await rows(`select ${columns} from bi.weak_passwords order by 1 desc, 2`)).toEqual([
      { host_name: 'web-1', user_name: 'app', service_text: 'oracle', in_use_days: null },
      { host_name: 'web-1', user_name: 'root', service_text: 'Operating system', in_use_days: 12 },
      { host_name: 'h2', user_name: '(unknown)', service_text: null, in_use_days: null },
    ]);
  });
});

describe('findings on hosts', () => {
  it('are one row where the urgent list has them as well', async () => {
    await finding({ type: 'linux_vul' });
    await finding({ type: 'urgent_vul' });
    await finding({ type: 'urgent_vul', vul_id: 'v2' });
    await finding({ type: 'linux_vul', vul_id: 'v2', _deleted_at: '@1 hour' });
    expect(await rows('select vul_id, type, is_urgent from bi.host_vulnerabilities order by 1')).toEqual([
      { vul_id: 'v1', type: 'linux_vul', is_urgent: true },
      { vul_id: 'v2', type: 'urgent_vul', is_urgent: true },
    ]);
  });

  it('have the severity of their vulnerability, else that of the score of their CVEs, else none', async () => {
    const scored = (cvss: string) => `[{"cve_id":"CVE-2","cvss":1},{"cve_id":"CVE-1","cvss":${cvss}}]`;
    await insert('hss.vulnerabilities', {
      vul_id: 'v1',
      type: 'linux_vul',
      handle_status: 'unhandled',
      severity_level: 'Low',
    });
    await finding({ vul_id: 'v1', cve_list: scored('9.8') });
    await finding({ vul_id: 'v2', cve_list: scored('9.8') });
    await finding({ vul_id: 'v3', cve_list: scored('"high"') });
    await finding({ vul_id: 'v4', cve_list: null });
    expect(
      await rows(
        'select vul_id, severity, severity_rank, cves, max_cvss_score from bi.host_vulnerabilities order by 1',
      ),
    ).toEqual([
      { vul_id: 'v1', severity: 'Low', severity_rank: 4, cves: 'CVE-1, CVE-2', max_cvss_score: 9.8 },
      { vul_id: 'v2', severity: 'Critical', severity_rank: 1, cves: 'CVE-1, CVE-2', max_cvss_score: 9.8 },
      { vul_id: 'v3', severity: 'Low', severity_rank: 4, cves: 'CVE-1, CVE-2', max_cvss_score: 1 },
      { vul_id: 'v4', severity: 'Unknown', severity_rank: 5, cves: null, max_cvss_score: null },
    ]);
  });

  it('count as open unless repaired or ignored: findings that wait for a restart and undocumented states are open', async () => {
    const states = ['unfix', 'ignored', 'verified', 'fixing', 'fixed', 'reboot', 'failed', 'fix_after_reboot', 'other'];
    for (const state of states) await finding({ vul_id: state, status: `vul_status_${state}` });
    await finding({ vul_id: 'none', status: null });
    const closed = await rows('select vul_id from bi.host_vulnerabilities where not is_open order by 1');
    expect(closed.map(({ vul_id }) => vul_id)).toEqual(['fixed', 'ignored']);
  });
});

describe('findings by week', () => {
  const was = (values: Values) =>
    insert('hss.host_vulnerabilities_history', {
      host_id: 'h1',
      vul_id: 'v1',
      type: 'linux_vul',
      status: 'vul_status_unfix',
      ...values,
    });
  const old = { first_scan_time: '@90 days', _first_seen_at: '@21 days' };
  const weekly = () =>
    rows(`select ((date_bin('7 days', now(), '2000-01-03 00:00:00+00') - week) / 7)::text as ago, open_at_start::int,
      found::int, fixed::int, ignored::int, gone::int, open_at_end::int, round(fix_rate::numeric, 2)::float8 as fix_rate, is_over
      from bi.host_vulnerabilities_weekly order by week`);
  const week = (ago: number, counts: Readonly<Record<string, number | boolean | null>>) => ({
    ago: ago === 0 ? '00:00:00' : `${ago} day${ago === 1 ? '' : 's'}`,
    found: 0,
    fixed: 0,
    ignored: 0,
    gone: 0,
    is_over: ago > 0,
    ...counts,
  });

  it('count what was repaired out of what was open, also in weeks in which nothing was', async () => {
    await host({});
    await finding({ ...old, vul_id: 'open' });
    await finding({ ...old, vul_id: 'repaired', status: 'vul_status_fixed' });
    await was({ vul_id: 'repaired', _valid_from: '@21 days', _valid_to: '@7 days' });
    await finding({ ...old, vul_id: 'not-found-any-more', _deleted_at: '@7 days' });
    await finding({ ...old, vul_id: 'ignored', status: 'vul_status_ignored' });
    await was({ vul_id: 'ignored', _valid_from: '@21 days', _valid_to: '@7 days' });
    await finding({ ...old, vul_id: 'of-a-host-that-is-gone', host_id: 'h2', _deleted_at: '@7 days' });
    await complete('hss_host_vulnerabilities', '@0 s');
    expect(await weekly()).toEqual([
      week(3, { open_at_start: 5, open_at_end: 5, fix_rate: 0 }),
      week(2, { open_at_start: 5, open_at_end: 5, fix_rate: 0 }),
      week(1, { open_at_start: 5, fixed: 2, ignored: 1, gone: 1, open_at_end: 1, fix_rate: 0.4 }),
      week(0, { open_at_start: 1, open_at_end: 1, fix_rate: 0 }),
    ]);
  });

  it('say nothing of weeks before the list was read, nor of those since it was last read', async () => {
    await finding({ ...old, first_scan_time: '@21 days' });
    await complete('hss_host_vulnerabilities', '@14 days');
    expect(await weekly()).toEqual([
      week(3, { open_at_start: 0, found: 1, open_at_end: 1, fix_rate: 0 }),
      week(2, { open_at_start: 1, open_at_end: 1, fix_rate: 0 }),
    ]);
  });

  it('leave out a finding that was settled before it was first read', async () => {
    await finding({ ...old, status: 'vul_status_fixed' });
    await complete('hss_host_vulnerabilities', '@0 s');
    expect(await weekly()).toEqual([]);
  });

  it('count a finding that was repaired twice once, for the second time', async () => {
    await finding({ ...old, status: 'vul_status_fixed' });
    await was({ _valid_from: '@21 days', _valid_to: '@20 days' });
    await was({ status: 'vul_status_fixed', _valid_from: '@20 days', _valid_to: '@10 days' });
    await was({ _valid_from: '@10 days', _valid_to: '@0 s' });
    await complete('hss_host_vulnerabilities', '@0 s');
    expect(await rows('select sum(fixed)::int as fixed from bi.host_vulnerabilities_weekly')).toEqual([{ fixed: 1 }]);
    expect((await weekly()).at(-1)).toMatchObject({ ago: '00:00:00', fixed: 1, fix_rate: 1 });
  });
});

describe('the risk of a host', () => {
  it('names the lists that were never read, and counts nothing in them', async () => {
    await host({});
    await complete('hss_weak_passwords', '@1 hour');
    expect(
      await rows('select score::int, weak_passwords::int, open_vulnerabilities, not_read from bi.host_risk'),
    ).toEqual([
      { score: 0, weak_passwords: 0, open_vulnerabilities: null, not_read: expect.stringMatching(/^vulnerabilities/) },
    ]);
  });

  it('adds up what is open, twice for an important host and half for one of a test', async () => {
    for (const host_id of ['important', 'common', 'test']) {
      await host({ host_id, asset_value: host_id, protect_status: 'closed' });
      await finding({ host_id, cve_list: '[{"cve_id":"CVE-1","cvss":9.8}]' });
      await finding({ host_id, vul_id: 'v2', cve_list: '[{"cve_id":"CVE-1","cvss":7}]' });
      await finding({ host_id, vul_id: 'v3', status: 'vul_status_fixed', cve_list: '[{"cve_id":"CVE-1","cvss":9.8}]' });
      await insert('hss.weak_passwords', { host_id, weak_pwd_accounts: '[{"user_name":"root"},{"user_name":"app"}]' });
    }
    // 30 without protection, 10 and 3 for the vulnerabilities, 20 for each of two passwords.
    expect(await rows('select host_id, score::int from bi.host_risk order by score desc')).toEqual([
      { host_id: 'important', score: 166 },
      { host_id: 'common', score: 83 },
      { host_id: 'test', score: 42 },
    ]);
  });
});
