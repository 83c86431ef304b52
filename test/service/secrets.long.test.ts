import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DEMO_KEY, DEMO_PASSWORD_USER, startSandbox } from '../../src/sandbox/server/server.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { readyOf, startReplica } from '../support/replica.ts';

const { pool, url } = await createTestDatabase();
const seed = () => `seeded-${randomBytes(12).toString('hex')}`;

/** Everything that must never be seen again after it was handed over. */
const SECRETS = {
  secretKey: DEMO_KEY.secretKey,
  wrongSecretKey: seed(),
  password: DEMO_PASSWORD_USER.password,
  wrongPassword: seed(),
  token: seed(),
  securityToken: seed(),
  databasePassword: seed(),
};

/** As a configuration file refers to a variable. */
const from = (name: string) => `$\{${name}}`;

test('no secret is in logs, errors, metrics, the status page, any table, or the process title', async () => {
  const projects = ['1', '2', '3', '4', '5'].map((digit) => ({ id: digit.repeat(32), region: 'cn-north-4' }));
  const sandbox = await startSandbox({
    projects,
    hosts: 2,
    clusters: 4,
    events: 40,
    vulnerabilities: 4,
    instances: 1,
    reports: 5,
  });
  onTestFinished(() => sandbox.close());
  // Answers that go wrong are where requests get quoted. Not those of IAM: a user whom it forbids a token waits an hour.
  for (const kind of ['reset', 'html', 'truncated', 'server-error', 'throttled', 'forbidden'] as const)
    sandbox.faults.add({ kind, times: 2, when: ({ projectId }) => projectId !== undefined });
  const role = `seeded_${randomBytes(4).toString('hex')}`;
  await pool.query(`create role ${role} login superuser password '${SECRETS.databasePassword}'`);
  onTestFinished(async () => {
    await pool.query(`reassign owned by ${role} to current_user`);
    await pool.query(`drop role ${role}`);
  });
  const databaseUrl = new URL(url);
  databaseUrl.username = role;
  databaseUrl.password = SECRETS.databasePassword;
  const folder = await mkdtemp(join(tmpdir(), 'security-sync-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'password'), `${SECRETS.password}\n`);
  const auths = [
    `{ kind: aksk, accessKey: ${DEMO_KEY.accessKey}, secretKey: "${from('GOOD_SK')}" }`,
    `{ kind: password, user: ${DEMO_PASSWORD_USER.name}, password: "${from('PW')}", domain: ${DEMO_PASSWORD_USER.domain} }`,
    `{ kind: aksk, accessKey: SOMEBODYELSE, secretKey: "${from('BAD_SK')}", securityToken: "${from('STS')}" }`,
    `{ kind: password, user: nobody, password: "${from('BAD_PW')}", domain: nowhere }`,
    `{ kind: token, token: "${from('TOKEN')}" }`,
  ];
  const endpoints = `{ hss: "${sandbox.url}", dbss: "${sandbox.url}", iam: "${sandbox.url}", eps: "${sandbox.url}" }`;
  const accounts = auths.flatMap((auth, index) => [
    `  - name: account-${index}`,
    `    auth: ${auth}`,
    `    projects: [{ id: "${projects[index]?.id}", region: cn-north-4 }]`,
    `    endpoints: ${endpoints}`,
    '    requestsPerMinute: 6000',
  ]);
  const configFile = join(folder, 'security-sync.yaml');
  const few = ['hss_protected_clusters', 'hss_cluster_events', 'dbss_audit_instances', 'dbss_audit_reports'];
  const switches = READ_BY_DEFAULT.map(({ name }) => `  ${name}: { enabled: ${few.includes(name)} }`);
  const lines = [`database: { url: "${from('DB')}" }`, 'accounts:', ...accounts, 'streams:', ...switches];
  await writeFile(configFile, lines.join('\n'));

  const replica = await startReplica(configFile, {
    LOG_LEVEL: 'trace',
    DB: databaseUrl.href,
    GOOD_SK: SECRETS.secretKey,
    PW_FILE: join(folder, 'password'),
    BAD_SK: SECRETS.wrongSecretKey,
    STS: SECRETS.securityToken,
    BAD_PW: SECRETS.wrongPassword,
    TOKEN: SECRETS.token,
  });
  await expect.poll(() => readyOf(replica)).toBe('ready');
  const seen = async (condition: string) =>
    (await pool.query<{ n: number }>(`select count(distinct project_id)::int as n from sync.runs where ${condition}`))
      .rows[0]?.n;
  await expect.poll(() => seen("status = 'succeeded'")).toBe(2);
  await expect.poll(() => seen("status = 'failed'")).toBeGreaterThanOrEqual(3);

  const places = new Map<string, string>();
  for (const path of ['/', '/fragment', '/metrics', '/readyz', '/livez'])
    places.set(path, await (await fetch(`${replica.url}${path}`)).text());
  places.set(
    'process title',
    (await readFile(`/proc/${replica.process.pid}/cmdline`, 'utf8')) +
      (await readFile(`/proc/${replica.process.pid}/comm`, 'utf8')),
  );
  const activity = await pool.query('select application_name, query from pg_stat_activity');
  places.set('pg_stat_activity', JSON.stringify(activity.rows));
  expect(await replica.stop()).toBe(0);
  places.set('log', replica.output());
  const tables = await pool.query<{ name: string }>(
    "select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema in ('sync', 'security_sync_queue', 'hss', 'dbss', 'bi')",
  );
  for (const { name } of tables.rows) {
    const { rows } = await pool.query<{ text: string }>(
      `select coalesce(string_agg(t::text, ' '), '') as text from ${name} t`,
    );
    places.set(name, rows[0]?.text ?? '');
  }

  expect(places.get('log')).toContain('refused the credentials');
  expect(places.get('/')).toContain('is suspended');
  const leaks = [...places].flatMap(([place, text]) =>
    Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? [`${name} in ${place}`] : [])),
  );
  expect(leaks).toEqual([]);
  // Issued tokens are long and start like the ones the sandbox makes; none may be stored or shown either.
  const issued = [...places]
    .filter(([, text]) => /X-(Auth|Subject|Security)-Token["']?\s*[:=]/i.test(text) || /SDK-HMAC-SHA256/.test(text))
    .map(([place]) => place);
  expect(issued).toEqual([]);
});
