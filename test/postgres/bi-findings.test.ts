import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { rowsIn, type Values } from '../support/view-rows.ts';

const { pool } = await createTestDatabase();
const { insert, query: rows } = rowsIn(pool);

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

describe('rules of configuration checks', () => {
  const rule = { standard: 'cn_standard', check_type: 'SSH', check_rule_id: '1.1' };
  const was = (values: Values) => insert('hss.baseline_rules_history', { ...rule, ...values });
  const is = (values: Values) => insert('hss.baseline_rules', { ...rule, ...values });
  const daily = async () =>
    (
      await rows(
        `select ((now() at time zone 'UTC')::date - (day at time zone 'UTC')::date) as ago, passed::int, failed::int, accepted::int, pass_rate
         from bi.baseline_pass_rate_daily order by day`,
      )
    ).map(({ ago, passed, failed, accepted, pass_rate }) => [ago, passed, failed, accepted, pass_rate]);

  it('have the pass rate that was known at the end of each day', async () => {
    await was({ statistics_scan_result: 'failed', _valid_from: '@3 days', _valid_to: '@1 day' });
    await is({ statistics_scan_result: 'pass', _changed_at: '@1 day' });
    await is({ check_rule_id: '1.2', statistics_scan_result: 'failed', _changed_at: '@2 days' });
    await is({ check_rule_id: '1.3', statistics_scan_result: 'processed', _changed_at: '@2 days' });
    await complete('hss_baseline_rules', '@0 s');
    expect(await daily()).toEqual([
      [3, 0, 1, 0, 0],
      [2, 0, 2, 1, 0],
      [1, 1, 1, 1, 0.5],
      [0, 1, 1, 1, 0.5],
    ]);
  });

  it('have no pass rate for days since the list was last read, nor where it never was', async () => {
    await is({ statistics_scan_result: 'pass', _changed_at: '@5 days' });
    expect(await daily()).toEqual([]);
    await complete('hss_baseline_rules', '@4 days');
    expect(await daily()).toEqual([
      [5, 1, 0, 0, 1],
      [4, 1, 0, 0, 1],
    ]);
  });

  it('have no pass rate where none passed or failed, and leave out what is listed no longer', async () => {
    await is({ statistics_scan_result: 'processed', _changed_at: '@0 s' });
    await is({ check_rule_id: '1.2', statistics_scan_result: 'pass', _changed_at: '@2 days', _deleted_at: '@1 day' });
    await complete('hss_baseline_rules', '@0 s');
    expect(await daily()).toEqual([
      [2, 1, 0, 0, 1],
      [0, 0, 0, 1, null],
    ]);
    expect(await rows('select rule_id, result_text from bi.baseline_rules')).toEqual([
      { rule_id: '1.1', result_text: 'Ignored or allowed' },
    ]);
  });
});

describe('alarms', () => {
  const alarm = (values: Values) =>
    insert('hss.alarms', {
      event_id: 'a',
      category: 'host',
      host_id: 'h1',
      severity: 'High',
      occur_time: '@3 hours',
      ...values,
    });

  it('are open until they are handled, while they are listed, and have an age only while they are open', async () => {
    await alarm({ event_id: 'a', handle_status: 'unhandled' });
    await alarm({ event_id: 'b', handle_status: 'handled', handle_time: '@1 hour' });
    await alarm({ event_id: 'c', handle_status: 'unhandled', _deleted_at: '@1 hour' });
    await alarm({ event_id: 'd', handle_status: null, occur_time: null, _first_seen_at: '@2 hours' });
    expect(await rows('select event_id, is_open, age_hours, minutes from bi.alarms order by 1')).toEqual([
      { event_id: 'a', is_open: true, age_hours: 3, minutes: null },
      { event_id: 'b', is_open: false, age_hours: null, minutes: 120 },
      { event_id: 'c', is_open: false, age_hours: null, minutes: null },
      { event_id: 'd', is_open: true, age_hours: 2, minutes: null },
    ]);
  });

  it('whose handling the API does not date were handled when they were last seen open, or at a time that is not known', async () => {
    await alarm({ event_id: 'a', handle_status: 'handled' });
    await insert('hss.alarms_history', {
      event_id: 'a',
      category: 'host',
      handle_status: 'unhandled',
      _valid_from: '@3 hours',
      _valid_to: '@2 hours',
    });
    await alarm({ event_id: 'b', handle_status: 'handled' });
    expect(await rows('select event_id, minutes from bi.alarms order by 1')).toEqual([
      { event_id: 'a', minutes: 60 },
      { event_id: 'b', minutes: null },
    ]);
  });

  it('keep a value without a readable text, and a severity that no other finding has', async () => {
    await alarm({ severity: 'Security', attack_tag: 'attack_success' });
    await alarm({ event_id: 'b', severity: '', attack_tag: 'something_new' });
    expect(await rows('select severity, attack_tag_text from bi.alarms order by event_id')).toEqual([
      { severity: 'Security', attack_tag_text: 'Attack succeeded' },
      { severity: 'Unknown', attack_tag_text: 'something_new' },
    ]);
  });

  it('add to the risk of their host by severity', async () => {
    await insert('hss.hosts', { host_id: 'h1', agent_status: 'online', protect_status: 'opened' });
    for (const severity of ['Critical', 'High', 'Medium', 'Low', 'Security'])
      await alarm({ event_id: severity, severity, handle_status: 'unhandled' });
    await alarm({ event_id: 'handled', severity: 'Critical', handle_status: 'handled' });
    await complete('hss_alarms', '@0 s');
    expect(await rows('select score::int, open_alarms::int from bi.host_risk')).toEqual([
      { score: 65, open_alarms: 5 },
    ]);
  });
});

describe('handlings of alarms', () => {
  it('have the user and the response time, and the time of the first reading if the API gives none', async () => {
    const operation = { operate_type: 'isolate_and_kill', user_name: 'ann', severity: 'High' };
    await insert('hss.alarm_operations', {
      ...operation,
      operation_key: 'a',
      occur_time: '@3 hours',
      handle_time: '@1 hour',
    });
    await insert('hss.alarm_operations', { ...operation, operation_key: 'b', user_name: '', severity: 'Security' });
    expect(
      await rows(
        'select user_name, operation_text, severity, minutes, operation_time is null as undated from bi.alarm_operations order by operation_key',
      ),
    ).toEqual([
      { user_name: 'ann', operation_text: 'Isolated and killed', severity: 'High', minutes: 120, undated: false },
      {
        user_name: '(unknown)',
        operation_text: 'Isolated and killed',
        severity: 'Security',
        minutes: null,
        undated: false,
      },
    ]);
  });
});

describe('malware', () => {
  it('is open until it is handled, while it is listed', async () => {
    const found = { resource_info_host_id: 'h1', occur_time: '@2 days' };
    await insert('hss.antivirus_results', { ...found, result_id: 'a', handle_status: 'unhandled' });
    await insert('hss.antivirus_results', { ...found, result_id: 'b', handle_status: 'handled' });
    await insert('hss.antivirus_results', { ...found, result_id: 'c', handle_status: null, _deleted_at: '@1 day' });
    await insert('hss.antivirus_results', { result_id: 'd', handle_status: null, _first_seen_at: '@1 day' });
    expect(await rows('select result_id, host_name, is_open, age_days from bi.malware order by 1')).toEqual([
      { result_id: 'a', host_name: 'h1', is_open: true, age_days: 2 },
      { result_id: 'b', host_name: 'h1', is_open: false, age_days: 2 },
      { result_id: 'c', host_name: 'h1', is_open: false, age_days: 2 },
      { result_id: 'd', host_name: '(unknown)', is_open: true, age_days: 1 },
    ]);
  });

  it('adds to the risk of its host', async () => {
    await insert('hss.hosts', { host_id: 'h1', agent_status: 'online', protect_status: 'opened' });
    await insert('hss.antivirus_results', { result_id: 'a', resource_info_host_id: 'h1', handle_status: 'unhandled' });
    await complete('hss_antivirus_results', '@0 s');
    expect(await rows('select score::int, open_malware::int from bi.host_risk')).toEqual([
      { score: 40, open_malware: 1 },
    ]);
  });
});
