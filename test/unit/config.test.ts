import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Config, fingerprintOf, loadConfig } from '../../src/config/config.ts';
import { ConfigurationError } from '../../src/core/errors.ts';
import { streams } from '../../src/streams/index.ts';

const STREAMS = [
  { name: 'hss_cluster_events', group: 'containers' },
  { name: 'dbss_audit_reports', group: 'dbss' },
] as const;
const PROJECT = '84b5266c14ae489fa6549827f032dc62';
const folder = await mkdtemp(join(tmpdir(), 'config-'));
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function file(text: string): Promise<string> {
  const path = join(folder, `${files++}.yaml`);
  await writeFile(path, text);
  return path;
}

async function load(text: string, env: Record<string, string> = {}): Promise<Config> {
  return loadConfig({ streams: STREAMS, file: await file(text), env });
}

/** The lines of the one error that a configuration is refused with, without its first. */
async function problems(loading: Promise<Config>): Promise<string[]> {
  const error: unknown = await loading.catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ConfigurationError);
  return error instanceof Error
    ? error.message
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
    : [];
}

const SDK = {
  HUAWEICLOUD_SDK_AK: 'AKAKAK',
  HUAWEICLOUD_SDK_SK: 'sksksk',
  HUAWEICLOUD_SDK_PROJECT_ID: PROJECT,
  HW_REGION_NAME: 'cn-north-4',
};
const fromEnvironment = (env: Record<string, string>) => loadConfig({ streams: STREAMS, env });

const account = (more = '', name = 'prod', project = PROJECT) => `
  - name: ${name}
    auth: { kind: aksk, accessKey: AK-${name}, secretKey: sk }
    projects: [{ id: ${project}, region: cn-north-4 }]
${more}`;

describe('the environment alone', () => {
  test('is enough for one project', async () => {
    const config = await fromEnvironment({ ...SDK, DATABASE_URL: 'postgres://u:p@h/d' });
    expect(config).toMatchObject({
      file: null,
      accounts: [{ name: 'default', requestsPerMinute: 5, endpoints: {}, auth: { kind: 'aksk' } }],
      scopes: [
        { account: 'default', region: 'cn-north-4', projectId: PROJECT, enterpriseProjectId: 'all_granted_eps' },
      ],
      streams: { hss_cluster_events: { enabled: true }, dbss_audit_reports: { enabled: true } },
      server: { enabled: true, host: '127.0.0.1', port: 8080 },
      log: { level: 'info' },
      retention: { historyMs: null },
      egress: null,
      dbssTimeZone: 'UTC',
    });
    expect(await config.database.url?.()).toBe('postgres://u:p@h/d');
  });

  test('can set everything that a file can for one project', async () => {
    const config = await fromEnvironment({
      ...SDK,
      SECURITY_SYNC_ACCOUNT: 'stage',
      HW_ENTERPRISE_PROJECT_ID: '0',
      SECURITY_SYNC_ENDPOINT_HSS: 'http://127.0.0.1:8099',
      SECURITY_SYNC_ENDPOINT_METADATA: 'http://127.0.0.1:8098',
      SECURITY_SYNC_REQUESTS_PER_MINUTE: '6000',
      SECURITY_SYNC_HSS_CLUSTER_EVENTS_SCHEDULE: '*/5 * * * *',
      SECURITY_SYNC_HSS_CLUSTER_EVENTS_TARGET: '15m',
      SECURITY_SYNC_HSS_CLUSTER_EVENTS_RECONCILE_EVERY: '12h',
      SECURITY_SYNC_HSS_CLUSTER_EVENTS_SINCE: '30d',
      SECURITY_SYNC_DBSS_AUDIT_REPORTS_ENABLED: 'false',
      SECURITY_SYNC_FULL_READS_EVERY: '30m',
      SECURITY_SYNC_FULL_READS_SHARE: '10',
      SECURITY_SYNC_SERVER_ENABLED: 'false',
      SECURITY_SYNC_RETENTION_RUNS: 'off',
      SECURITY_SYNC_RETENTION_HISTORY: '30d',
      SECURITY_SYNC_DBSS_TIME_ZONE: 'Asia/Shanghai',
      SECURITY_SYNC_EGRESS: 'nat-1',
      SECURITY_SYNC_PAGE_TIMEOUT: '120s',
    });
    expect(config).toMatchObject({
      accounts: [
        {
          name: 'stage',
          requestsPerMinute: 6000,
          endpoints: { hss: 'http://127.0.0.1:8099', metadata: 'http://127.0.0.1:8098' },
        },
      ],
      scopes: [{ account: 'stage', enterpriseProjectId: '0' }],
      streams: {
        hss_cluster_events: {
          enabled: true,
          schedule: '*/5 * * * *',
          targetMs: 900_000,
          reconcileEveryMs: 43_200_000,
          sinceMs: 2_592_000_000,
        },
        dbss_audit_reports: { enabled: false },
      },
      fullReads: { everyMs: 1_800_000, share: 0.1 },
      server: { enabled: false },
      retention: { runsMs: null, rejectsMs: 7_776_000_000, historyMs: 2_592_000_000 },
      egress: 'nat-1',
      dbssTimeZone: 'Asia/Shanghai',
      pageTimeoutMs: 120_000,
    });
  });

  test('can sign in by password, token or agency, and names the variables that are missing for it', async () => {
    const project = { HUAWEICLOUD_SDK_PROJECT_ID: PROJECT, HW_REGION_NAME: 'cn-north-4' };
    const byPassword = await fromEnvironment({
      ...project,
      SECURITY_SYNC_AUTH: 'password',
      HW_USER_NAME: 'reader',
      HW_USER_PASSWORD: 'pw',
      HW_DOMAIN_NAME: 'company',
    });
    expect(byPassword.accounts[0]?.auth).toMatchObject({ kind: 'password', user: 'reader', domain: 'company' });
    const byToken = await fromEnvironment({ ...project, SECURITY_SYNC_AUTH: 'token', HW_AUTH_TOKEN: 'T' });
    expect(byToken.accounts[0]?.auth.kind).toBe('token');
    const byAgency = await fromEnvironment({ ...project, SECURITY_SYNC_AUTH: 'ecs-agency' });
    expect(byAgency.accounts[0]?.auth).toEqual({ kind: 'ecs-agency' });
    const missing = await problems(fromEnvironment({ ...project, SECURITY_SYNC_AUTH: 'password', HW_USER_NAME: 'x' }));
    expect(missing.slice(0, 2)).toEqual(['HW_USER_PASSWORD: is missing', 'HW_DOMAIN_NAME: is missing']);
    expect(await problems(fromEnvironment({ ...project, SECURITY_SYNC_AUTH: 'magic' }))).toEqual([
      'SECURITY_SYNC_AUTH: must be one of aksk, password, token, ecs-agency, pod-identity, oidc, assume-agency',
    ]);
  });

  test('is overridden by a file, setting by setting', async () => {
    const config = await load(
      `accounts: ${account()}\nretention: { runs: 1d }\nstreams: { hss_cluster_events: { target: 1h } }`,
      {
        ...SDK,
        SECURITY_SYNC_ENDPOINT_HSS: 'http://127.0.0.1:1',
        SECURITY_SYNC_RETENTION_RUNS: '2d',
        SECURITY_SYNC_RETENTION_REJECTS: '3d',
        SECURITY_SYNC_HSS_CLUSTER_EVENTS_TARGET: '2h',
        SECURITY_SYNC_HSS_CLUSTER_EVENTS_ENABLED: 'false',
      },
    );
    expect(config.accounts[0]).toMatchObject({ name: 'prod', endpoints: {} });
    expect(config.retention).toMatchObject({ runsMs: 86_400_000, rejectsMs: 3 * 86_400_000 });
    expect(config.streams.hss_cluster_events).toEqual({ enabled: false, targetMs: 3_600_000 });
    expect(config.unusedVariables).toEqual([
      { name: 'SECURITY_SYNC_RETENTION_RUNS', key: 'retention.runs' },
      { name: 'SECURITY_SYNC_HSS_CLUSTER_EVENTS_TARGET', key: 'streams.hss_cluster_events.target' },
    ]);
  });

  test('has an effect if the file refers to a variable by name', async () => {
    const database = `database: { url: "\${DATABASE_URL}" }\naccounts: ${account()}`;
    const config = await load(database, { DATABASE_URL: 'postgres://u@h/d' });
    expect(config.unusedVariables).toEqual([]);
  });

  test('may use the names of Terraform, a security token, and a level for the log', async () => {
    const config = await fromEnvironment({
      HW_ACCESS_KEY: 'AKAKAK',
      HW_SECRET_KEY: 'sksksk',
      HW_SECURITY_TOKEN: 'sttoken',
      HW_PROJECT_ID: PROJECT,
      HW_REGION_NAME: 'eu-west-101',
      LOG_LEVEL: 'debug',
    });
    expect(config.log.level).toBe('debug');
    expect(config.database.url).toBeNull();
    const auth = config.accounts[0]?.auth;
    expect(
      auth?.kind === 'aksk' && [await auth.accessKey(), await auth.secretKey(), await auth.securityToken?.()],
    ).toEqual(['AKAKAK', 'sksksk', 'sttoken']);
  });

  test('without any variable, the error lists all of them', async () => {
    expect(await problems(fromEnvironment({ DATABASE_URL: '' }))).toEqual([
      'HUAWEICLOUD_SDK_AK or HW_ACCESS_KEY: is missing',
      'HUAWEICLOUD_SDK_SK or HW_SECRET_KEY: is missing',
      'HUAWEICLOUD_SDK_PROJECT_ID or HW_PROJECT_ID: is missing',
      'HW_REGION_NAME: is missing',
      'Every key and variable: docs/configuration.md. Without any of them: security-sync demo',
    ]);
  });

  test('is named in error messages, without the values of secrets', async () => {
    const env = {
      ...SDK,
      HW_REGION_NAME: 'cn-nroth-4',
      DATABASE_URL: 'mysql://u:hunter2@h',
      LOG_LEVEL: 'loud',
      SECURITY_SYNC_PORT: '0',
    };
    const lines = await problems(fromEnvironment(env));
    expect(lines.sort()).toEqual([
      expect.stringMatching(/^DATABASE_URL: must be of the form postgres:/),
      'HW_REGION_NAME: unknown region "cn-nroth-4", did you mean cn-north-4? To use a region unknown to this version, set endpoints.hss and endpoints.dbss of the account',
      'LOG_LEVEL: must be one of trace, debug, info, warn, error, fatal, silent',
      'SECURITY_SYNC_PORT: must be a whole number from 1 to 65535',
    ]);
    expect(lines.join()).not.toContain('hunter2');
  });
});

describe('a secret in a file', () => {
  test('is read again at every use', async () => {
    const path = await file('first\n');
    const { HUAWEICLOUD_SDK_SK: _, ...rest } = SDK;
    const config = await fromEnvironment({ ...rest, HUAWEICLOUD_SDK_SK_FILE: path });
    const auth = config.accounts[0]?.auth;
    if (auth?.kind !== 'aksk') throw new Error('not the kind of the environment');
    expect(await auth.secretKey()).toBe('first');
    await writeFile(path, 'second');
    expect(await auth.secretKey()).toBe('second');
  });

  test('that is missing, empty or set twice is reported with its variable', async () => {
    const { HUAWEICLOUD_SDK_SK: _, ...rest } = SDK;
    const lines = await Promise.all([
      problems(fromEnvironment({ ...rest, HUAWEICLOUD_SDK_SK_FILE: '/nowhere/sk' })),
      problems(fromEnvironment({ ...rest, HUAWEICLOUD_SDK_SK_FILE: await file('') })),
      problems(fromEnvironment({ ...SDK, HUAWEICLOUD_SDK_SK_FILE: await file('x') })),
    ]);
    expect(lines.flat()).toEqual([
      expect.stringMatching(/^HUAWEICLOUD_SDK_SK: HUAWEICLOUD_SDK_SK_FILE cannot be read: there is no such file/),
      'HUAWEICLOUD_SDK_SK: the file that HUAWEICLOUD_SDK_SK_FILE names is empty',
      'HUAWEICLOUD_SDK_SK: both HUAWEICLOUD_SDK_SK and HUAWEICLOUD_SDK_SK_FILE are set',
    ]);
  });
});

test('an address without a usable name is refused with its key or variable', async () => {
  const named = (name: string) => problems(fromEnvironment({ ...SDK, SECURITY_SYNC_EGRESS: name }));
  const bad = 'SECURITY_SYNC_EGRESS: may contain only letters, digits, underscore, dot and hyphen';
  for (const name of ['*', 'nat/1', 'nat 1', 'größe']) expect(await named(name)).toEqual([bad]);
  expect(await named('n'.repeat(64))).toEqual(['SECURITY_SYNC_EGRESS: is longer than 63 characters']);
  expect(await problems(load(`accounts: ${account()}\negress: []`))).toEqual(['egress: must be a text']);
  expect((await fromEnvironment({ ...SDK, SECURITY_SYNC_EGRESS: '' })).egress).toBeNull();
});

test('replicas behind different addresses have one configuration, and so one queue', async () => {
  const [one, other] = await Promise.all(
    ['nat-1', 'nat-2'].map((name) => fromEnvironment({ ...SDK, SECURITY_SYNC_EGRESS: name })),
  );
  if (one === undefined || other === undefined) throw new Error('two were loaded');
  expect([one.egress, other.egress]).toEqual(['nat-1', 'nat-2']);
  expect(fingerprintOf(one, streams)).toBe(fingerprintOf(other, streams));
});

describe('a file', () => {
  test('may contain every setting', async () => {
    const text = `
database: { url: "\${DATABASE_URL}" }
accounts:
  - name: prod
    auth: { kind: aksk, accessKey: "\${AK}", secretKey: "\${SK}" }
    projects:
      - { id: ${PROJECT}, region: cn-north-4 }
      - { id: 0123456789012345678901234567e890, region: eu-west-101, enterpriseProjectId: "0" }
    endpoints: { hss: "http://127.0.0.1:8099", iam: "http://127.0.0.1:8099" }
    requestsPerMinute: 6000
  - { name: agency, auth: { kind: ecs-agency }, projects: [{ id: 22222222222222222222222222222222, region: cn-east-3 }] }
  - { name: user, auth: { kind: password, user: u, password: "\${SK}", domain: d }, projects: [{ id: 33333333333333333333333333333333, region: cn-east-3 }] }
  - { name: tokened, auth: { kind: token, token: "\${SK}" }, projects: [{ id: 44444444444444444444444444444444, region: cn-east-3 }] }
streams:
  hss_cluster_events: { enabled: true, schedule: "*/5 * * * *", reconcileEvery: 6h, target: 90s }
  dbss_audit_reports: { enabled: false }
server: { host: 0.0.0.0, port: "\${PORT}" }
log: { level: warn }
retention: { runs: 7d, history: off }
egress: 203.0.113.7
dbssTimeZone: "+08:00"
`;
    const config = await load(text, { DATABASE_URL: 'postgres://u:p@h/d', AK: 'the-key', SK: 's', PORT: '9090' });
    expect(config.scopes.map(({ projectId }) => projectId)).toEqual([
      PROJECT,
      '0123456789012345678901234567e890',
      '22222222222222222222222222222222',
      '33333333333333333333333333333333',
      '44444444444444444444444444444444',
    ]);
    expect(config).toMatchObject({
      streams: {
        hss_cluster_events: { enabled: true, schedule: '*/5 * * * *', reconcileEveryMs: 21_600_000, targetMs: 90_000 },
        dbss_audit_reports: { enabled: false },
      },
      server: { host: '0.0.0.0', port: 9090 },
      log: { level: 'warn' },
      retention: { runsMs: 604_800_000, historyMs: null },
      egress: '203.0.113.7',
      dbssTimeZone: '+08:00',
    });
    const auth = config.accounts[0]?.auth;
    expect(auth?.kind === 'aksk' && (await auth.accessKey())).toBe('the-key');
  });

  test('without an account takes account and database from the environment', async () => {
    const config = await load('server: { port: 9090 }', { ...SDK, DATABASE_URL: 'postgres://u:p@h/d' });
    expect([config.accounts[0]?.name, config.server.port, await config.database.url?.()]).toEqual([
      'default',
      9090,
      'postgres://u:p@h/d',
    ]);
    expect(await problems(load('server: { port: 9090 }'))).toEqual(['accounts: is missing']);
  });

  test('is refused with all of its problems at once', async () => {
    const text = `
databse: {}
accounts:
  - name: prod
    auth: { kind: aksk, accessKey: "\${UNSET_KEY}", secretKey: hunter2 }
    projects: [{ id: ${PROJECT}, region: cn-north-4 }, { id: 22222222222222222222222222222222, region: cn-nroth-4 }]
    requestsPerMinute: 0
    requestPerMinute: 5
  - name: other
    auth: { kind: kerberos }
    projects: []
    endpoints: { hss: "https://u:hunter2@host" }
streams:
  hss_cluster_events: { schedule: "61 * * * *", reconcileEvery: often }
  hss_cluster_event: { enabled: false }
  dbss_audit_reports: { enabled: maybe }
log: { level: verbose }
egress: nat 1
dbssTimeZone: Moon/Tranquility
`;
    const lines = await problems(load(text));
    expect(lines.sort()).toEqual([
      'accounts[0].auth.accessKey: UNSET_KEY is not set',
      expect.stringMatching(
        /^accounts\[0\]\.projects\[1\]\.region: unknown region "cn-nroth-4", did you mean cn-north-4\?/,
      ),
      'accounts[0].requestsPerMinute: must be a whole number from 1 to 1000000',
      'accounts[0]: unknown key "requestPerMinute", did you mean requestsPerMinute?',
      'accounts[1].auth.kind: must be one of aksk, password, token, ecs-agency, pod-identity, oidc, assume-agency',
      'accounts[1].endpoints.hss: must not contain credentials',
      'accounts[1].projects: must have at least one project',
      'dbssTimeZone: unknown time zone "Moon/Tranquility": an IANA name such as Asia/Shanghai, or an offset such as +08:00',
      'egress: may contain only letters, digits, underscore, dot and hyphen',
      'log.level: must be one of trace, debug, info, warn, error, fatal, silent',
      'streams.dbss_audit_reports.enabled: must be one of true, false',
      expect.stringMatching(/^streams\.hss_cluster_events\.reconcileEvery: must be a duration such as 90s/),
      expect.stringMatching(
        /^streams\.hss_cluster_events\.schedule: not a cron expression of 5 or 6 fields: minute: 61/,
      ),
      'streams: unknown key "hss_cluster_event", did you mean hss_cluster_events?',
      'top level: unknown key "databse", did you mean database?',
    ]);
    expect(lines.join()).not.toContain('hunter2');
  });

  const inRegion = (region: string, auth: string, endpoints: string) => `accounts:
  - name: prod
    auth: ${auth}
    projects: [{ id: ${PROJECT}, region: ${region} }]
    endpoints: ${endpoints}
`;
  const KEY = '{ kind: aksk, accessKey: AK, secretKey: sk }';
  const PASSWORD = '{ kind: password, user: u, password: p, domain: d }';
  const HSS_EU_DE = 'hss: "https://hss.eu-de.otc.t-systems.com"';

  test('may name an unknown region if it has the endpoints that its streams need', async () => {
    const both = `{ ${HSS_EU_DE}, dbss: "https://dbss.example.com" }`;
    expect((await load(inRegion('eu-de', KEY, both))).scopes).toMatchObject([{ region: 'eu-de' }]);
    const off = `${inRegion('eu-de', KEY, `{ ${HSS_EU_DE} }`)}streams: { dbss_audit_reports: { enabled: false } }\n`;
    expect((await load(off)).scopes).toMatchObject([{ region: 'eu-de' }]);
    expect((await load(inRegion('cn-north-4', KEY, '{}'))).scopes).toMatchObject([{ region: 'cn-north-4' }]);
  });

  test.each<[string, [string, string], string]>([
    ['no endpoint', [KEY, '{}'], 'endpoints.hss and endpoints.dbss'],
    ['one of two endpoints', [KEY, `{ ${HSS_EU_DE} }`], 'endpoints.dbss'],
    ['no endpoint to sign in at', [PASSWORD, `{ ${HSS_EU_DE}, dbss: "https://d" }`], 'endpoints.iam'],
  ])('with %s may not name an unknown region', async (_, [auth, endpoints], missing) => {
    expect(await problems(load(inRegion('eu-de', auth, endpoints)))).toEqual([
      `accounts[0].projects[0].region: unknown region "eu-de"; to use a region unknown to this version, set ${missing} of the account`,
    ]);
  });

  test('may not name a project, an account or a key twice', async () => {
    expect(await problems(load(`accounts:${account()}${account('', 'second')}`))).toEqual([
      `accounts[1].projects[0].id: project ${PROJECT} is already in accounts[0].projects[0]`,
    ]);
    expect(
      await problems(load(`accounts:${account()}${account('', 'prod', '22222222222222222222222222222222')}`)),
    ).toEqual([
      'accounts[1].name: the name "prod" is already used by accounts[0].name',
      'accounts[1].auth.accessKey: is the key of accounts[0].auth.accessKey: put the projects into that account',
    ]);
  });

  test('with invalid YAML is refused with the line number and without quoting its text', async () => {
    expect(await problems(load('a: 1\nsecretKey: [hunter2'))).toEqual([
      expect.stringMatching(/\.yaml:2:\d+: is not valid YAML \(/),
    ]);
    expect(await problems(load('secretKey: *hunter2'))).toEqual([expect.not.stringContaining('hunter2')]);
    expect(await problems(load('- a list'))).toEqual([expect.stringContaining('must be a map')]);
  });

  test('with an unquoted variable in a flow map is one problem that says what to do', async () => {
    const broken = `accounts:
  - name: prod
    auth: { kind: aksk, accessKey: \${NOPE_AK}, secretKey: "x" }
    projects: [{ id: \${NOPE_ID}, region: cn-north-4 }]
`;
    expect(await problems(load(broken))).toEqual([
      expect.stringMatching(
        /\.yaml:3:37: is not valid YAML \(\w+\): put "\$\{NAME\}" in quotes inside \{ \} and \[ \]$/,
      ),
    ]);
    expect(await problems(load(`server: { port: 1\n  host: "$\{H}"`))).toEqual([
      expect.not.stringContaining('in quotes'),
    ]);
  });

  test('that is named but missing is an error, by option and by environment', async () => {
    const missing = join(folder, 'missing.yaml');
    expect(await problems(loadConfig({ streams: STREAMS, file: missing, env: SDK }))).toEqual([
      'it cannot be read: there is no such file',
    ]);
    expect(await problems(fromEnvironment({ ...SDK, SECURITY_SYNC_CONFIG: missing }))).toEqual([
      'it cannot be read: there is no such file',
    ]);
  });

  test('named on the command line takes precedence over the one in the environment', async () => {
    const named = await file(`accounts:${account()}`);
    const config = await loadConfig({ streams: STREAMS, file: named, env: { SECURITY_SYNC_CONFIG: '/nowhere.yaml' } });
    expect(config.file).toBe(named);
  });
});

describe('an invisible character of a value', () => {
  test('is removed from both ends, wherever the value comes from', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edges-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'id'), `\ufeff${PROJECT}\r\n\r\n`);
    const config = await fromEnvironment({
      HUAWEICLOUD_SDK_AK: 'AKAKAK\u200b',
      HUAWEICLOUD_SDK_SK: '\ufeffsksksk\n',
      HUAWEICLOUD_SDK_PROJECT_ID_FILE: join(folder, 'id'),
      HW_REGION_NAME: 'cn-north-4\r',
      DATABASE_URL: 'postgres://u:p@h/d\n\n',
    });
    expect(config.scopes).toMatchObject([{ projectId: PROJECT, region: 'cn-north-4' }]);
    const auth = config.accounts[0]?.auth;
    expect(auth?.kind === 'aksk' && [await auth.accessKey(), await auth.secretKey()]).toEqual(['AKAKAK', 'sksksk']);
    expect(await config.database.url?.()).toBe('postgres://u:p@h/d');
  });

  test('is reported by its code point inside a value, without showing the key', async () => {
    const lines = await problems(
      fromEnvironment({
        HUAWEICLOUD_SDK_AK: 'AKA\u200bKAK',
        HUAWEICLOUD_SDK_SK: 'sks\nksk',
        HUAWEICLOUD_SDK_SECURITY_TOKEN: 'tök',
        HUAWEICLOUD_SDK_PROJECT_ID: `${PROJECT.slice(0, 4)}\u00ad${PROJECT.slice(4)}`,
        HW_REGION_NAME: 'cn-north-4',
      }),
    );
    expect(lines).toEqual([
      'HUAWEICLOUD_SDK_AK: contains an invisible character (U+200B): copy it again',
      'HUAWEICLOUD_SDK_SK: contains a line break, which is not allowed in a key or token',
      'HUAWEICLOUD_SDK_SECURITY_TOKEN: contains U+00F6, which is not allowed in a key or token',
      'HUAWEICLOUD_SDK_PROJECT_ID: contains an invisible character (U+00AD): copy it again',
    ]);
  });
});

test.each(['short', 'cn-north-4', 'cn-north-4_payments', `${PROJECT}0`])(
  'a project %s is refused as the name that it may be',
  async (id) => {
    expect(await problems(fromEnvironment({ ...SDK, HUAWEICLOUD_SDK_PROJECT_ID: id }))).toEqual([
      'HUAWEICLOUD_SDK_PROJECT_ID: is not a project id, which has 32 hexadecimal digits: is it the name? check --discover lists ids and names',
    ]);
  },
);

test('a configuration is frozen and shows no secret', async () => {
  const config = await fromEnvironment({ ...SDK, DATABASE_URL: 'postgres://u:hunter2@h/d' });
  expect(Object.isFrozen(config.accounts[0]?.auth)).toBe(true);
  expect(JSON.stringify(config)).not.toMatch(/hunter2|sksksk|AKAKAK/);
});

describe('a command that needs only the database', () => {
  const FILE = `
database: { url: "\${DATABASE_URL}" }
accounts:
  - name: prod
    auth: { kind: aksk, accessKey: "\${ACCESS_KEY}", secretKey: "\${SECRET_KEY}" }
    projects: [{ id: ${PROJECT}, region: cn-north-4 }]
server: { port: 80800 }`;
  const databaseOnly = async (env: Record<string, string>) =>
    loadConfig({ streams: STREAMS, file: await file(FILE), env, databaseOnly: true });

  test('needs no API secret of the file, and ignores errors in other settings', async () => {
    const config = await databaseOnly({ DATABASE_URL: 'postgres://u:p@h/d', HW_REGION_NAME: 'cn-north-4' });
    expect(await config.database.url?.()).toBe('postgres://u:p@h/d');
    expect(config.accounts).toEqual([]);
  });

  test('is refused if the settings of the database are invalid', async () => {
    expect(await problems(databaseOnly({}))).toEqual(['database.url: DATABASE_URL is not set']);
  });
});
