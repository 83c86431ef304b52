import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import type { Auth } from '../../src/core/account.ts';
import { failureOf } from '../service/huawei/support.ts';

const folder = await mkdtemp(join(tmpdir(), 'sign-in-'));
afterAll(() => rm(folder, { recursive: true }));

const PROJECT = {
  HUAWEICLOUD_SDK_PROJECT_ID: '84b5266c14ae489fa6549827f032dc62',
  HW_REGION_NAME: 'cn-north-4',
};
const POD = {
  HC_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
  HC_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, 'pod-token'),
};
const OIDC = {
  HUAWEICLOUD_OIDC_PROVIDER_URN: 'iam::d1:oidc-provider:cce',
  HUAWEICLOUD_OIDC_AGENCY_URN: 'iam::d1:agency:reader',
  HUAWEICLOUD_OIDC_TOKEN_FILE: join(folder, 'id-token'),
};
const KEY = { HW_ACCESS_KEY: 'AKAKAK', HW_SECRET_KEY: 'sksksk' };
await writeFile(POD.HC_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'pod-token\n');
await writeFile(OIDC.HUAWEICLOUD_OIDC_TOKEN_FILE, 'id.token.one\n');

const STREAMS = [{ name: 'hss_cluster_events', group: 'containers' }] as const;

async function authFrom(env: Readonly<Record<string, string>>): Promise<Auth | undefined> {
  return (await loadConfig({ streams: STREAMS, env: { ...PROJECT, ...env } })).accounts[0]?.auth;
}

async function fromFile(auth: string, region = 'cn-north-4', more = '') {
  const file = join(folder, 'security-sync.yaml');
  const project = `{ id: ${PROJECT.HUAWEICLOUD_SDK_PROJECT_ID}, region: ${region} }`;
  await writeFile(file, `accounts:\n  - name: a\n    auth: ${auth}\n    projects: [${project}]\n${more}`);
  return loadConfig({ streams: STREAMS, file, env: {} });
}

const problemOf = async (auth: string, region?: string, more?: string) =>
  (await failureOf(fromFile(auth, region, more))).message.split('\n').slice(1).join(' ').trim();

describe('the environment', () => {
  test('of a pod with an agency is enough to sign in by pod identity', async () => {
    const auth = await authFrom(POD);
    expect(auth).toMatchObject({ kind: 'pod-identity', uri: POD.HC_CONTAINER_CREDENTIALS_FULL_URI });
    expect(auth?.kind === 'pod-identity' && (await auth.token())).toBe('pod-token');
  });

  test('with an OIDC provider signs in through STS, with an id token that is read from its file at every use', async () => {
    const auth = await authFrom({ ...OIDC, HUAWEICLOUD_OIDC_DURATION_SECONDS: '7200' });
    expect(auth).toMatchObject({ kind: 'oidc', sessionName: 'security-sync', durationMs: 7_200_000 });
    if (auth?.kind !== 'oidc') throw new Error('not the kind of the environment');
    expect(await auth.idToken()).toBe('id.token.one');
    await writeFile(OIDC.HUAWEICLOUD_OIDC_TOKEN_FILE, 'id.token.two\n');
    expect(await auth.idToken()).toBe('id.token.two');
  });

  test('with an agency of another account assumes it with the key', async () => {
    const auth = await authFrom({ ...KEY, HW_ASSUME_ROLE_AGENCY_NAME: 'reader', HW_ASSUME_ROLE_DOMAIN_NAME: 'tenant' });
    expect(auth).toMatchObject({
      kind: 'assume-agency',
      agency: 'reader',
      domain: { name: 'tenant' },
      durationMs: 3_600_000,
      source: { kind: 'aksk' },
    });
    expect(auth?.kind === 'assume-agency' && auth.source.kind === 'aksk' && (await auth.source.secretKey())).toBe(
      'sksksk',
    );
  });

  test('prefers a key to the pod identity that CCE sets in every pod', async () => {
    expect(await authFrom({ ...POD, ...KEY })).toMatchObject({ kind: 'aksk' });
  });

  test('of a pod with an agency adds no account for commands that need only the database', async () => {
    const config = await loadConfig({ streams: STREAMS, env: POD, needsAccounts: false });
    expect(config.accounts).toEqual([]);
  });

  test('that is incomplete is reported by its variables', async () => {
    const { HUAWEICLOUD_OIDC_AGENCY_URN: _, ...rest } = OIDC;
    expect((await failureOf(authFrom(rest))).message).toContain('HUAWEICLOUD_OIDC_AGENCY_URN: is missing');
  });
});

describe('a file', () => {
  const source = '{ kind: aksk, accessKey: AK, secretKey: sk }';

  test.each([
    [
      `{ kind: assume-agency, agency: a, source: ${source} }`,
      /^accounts\[0\]\.auth\.domain: is missing: set domain or domainId/,
    ],
    [
      `{ kind: assume-agency, agency: a, domain: d, domainId: e, source: ${source} }`,
      /^accounts\[0\]\.auth\.domain: is set beside domainId/,
    ],
    [
      `{ kind: assume-agency, agency: a, domain: d, duration: 5m, source: ${source} }`,
      /^accounts\[0\]\.auth\.duration: must be from 15m to 24h/,
    ],
    [
      '{ kind: assume-agency, agency: a, domain: d, source: { kind: assume-agency } }',
      /^accounts\[0\]\.auth\.source\.kind: must be one of aksk, password, token, ecs-agency, pod-identity, oidc$/,
    ],
    ['{ kind: pod-identity, uri: "http://10.0.0.1/", token: t }', /^accounts\[0\]\.auth\.uri: must be https, or/],
    ['{ kind: oidc, providerUrn: p, agencyUrn: a }', /^accounts\[0\]\.auth\.idToken: is missing/],
  ])('with %s is refused with the place of its mistake', async (auth, problem) => {
    expect(await problemOf(auth)).toMatch(problem);
  });

  test('with an unknown region needs the endpoint of the service that issues the keys', async () => {
    const hss = '    endpoints: { hss: "https://hss.example" }\n';
    const oidc = '{ kind: oidc, providerUrn: p, agencyUrn: a, idToken: t }';
    expect(await problemOf(oidc, 'xx-new-1', hss)).toContain('set endpoints.sts of the account');
    const assumed = `{ kind: assume-agency, agency: a, domain: d, source: ${oidc} }`;
    expect(await problemOf(assumed, 'xx-new-1', hss)).toContain('set endpoints.iam and endpoints.sts');
  });
});
