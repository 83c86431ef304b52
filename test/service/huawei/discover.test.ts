import { describe, expect, it, onTestFinished } from 'vitest';
import type { Auth } from '../../../src/core/account.ts';
import { CredentialsRefused } from '../../../src/core/errors.ts';
import { discover } from '../../../src/huawei/discover.ts';
import { createHttp } from '../../../src/huawei/transport/http.ts';
import {
  AKSK,
  accountAt,
  failureOf,
  fakeClock,
  fakeLogger,
  fakeSuspensions,
  json,
  type Reply,
  secret,
  serve,
  signatureRefused,
} from './support.ts';

const projects = [
  { id: 'p1', name: 'cn-north-4', enabled: true },
  { id: 'p2', name: 'cn-north-4_team', enabled: false },
  { id: 'p3', name: 'MOS' },
];
const replies: Readonly<Record<string, Reply>> = {
  '/v3/projects': json(200, { projects }),
  '/v3/auth/projects': json(200, { projects: projects.slice(0, 1) }),
  '/v3/auth/domains': json(200, { domains: [{ id: 'd1', name: 'corp' }] }),
  '/v3/auth/tokens': json(201, {}, { 'x-subject-token': 'domain-token' }),
  '/v1.0/enterprise-projects': json(200, {
    enterprise_projects: [
      { id: '0', name: 'default', status: 1 },
      { id: 'e1', name: 'old', status: 2 },
    ],
    total_count: 2,
  }),
};
const cloud =
  (changed: Readonly<Record<string, Reply>> = {}): Reply =>
  (response, request) => {
    const path = request.url.split('?')[0] ?? '';
    return (changed[path] ?? replies[path] ?? json(404, {}))(response, request);
  };

async function discovery(reply: Reply, auth: Auth = AKSK) {
  const { url, received } = await serve(reply);
  const clock = fakeClock();
  const http = createHttp();
  onTestFinished(() => http.close());
  const parts = {
    account: accountAt(url, auth),
    suspensions: fakeSuspensions(clock),
    clock,
    logger: fakeLogger(),
    http,
  };
  return { received, found: discover(parts, new AbortController().signal) };
}

describe('discovery', () => {
  it('finds projects with their regions, and enterprise projects with their names', async () => {
    const { found, received } = await discovery(cloud());
    expect(await found).toEqual({
      projects: [
        { id: 'p1', name: 'cn-north-4', region: 'cn-north-4', enabled: true },
        { id: 'p2', name: 'cn-north-4_team', region: 'cn-north-4', enabled: false },
        { id: 'p3', name: 'MOS', region: null, enabled: true },
      ],
      enterpriseProjects: [
        { id: '0', name: 'default', enabled: true },
        { id: 'e1', name: 'old', enabled: false },
      ],
      enterpriseProjectsError: null,
    });
    expect(received.at(-1)?.headers).toMatchObject({ 'x-domain-id': 'd1' });
    expect(received.at(-1)?.headers['x-project-id']).toBeUndefined();
  });

  it('uses a token of the domain for user and password', async () => {
    const auth: Auth = { kind: 'password', user: 'u', password: secret('password'), domain: 'corp' };
    const { found, received } = await discovery(cloud(), auth);
    await found;
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ auth: { scope: { domain: { name: 'corp' } } } });
    expect(received.map(({ headers }) => headers['x-auth-token'])).toEqual([undefined, 'domain-token', 'domain-token']);
  });

  it('asks STS for the account if the list of domains is empty, as for a user of an identity policy', async () => {
    const { found, received } = await discovery(
      cloud({
        '/v3/auth/domains': json(200, { domains: [], links: {} }),
        '/v5/caller-identity': json(200, { account_id: 'd9', principal_urn: 'iam::d9:user:u', principal_id: 'u' }),
      }),
    );
    expect((await found).enterpriseProjectsError).toBeNull();
    expect(received.at(-1)?.headers).toMatchObject({ 'x-domain-id': 'd9' });
  });

  it('reports why enterprise projects cannot be listed, and continues', async () => {
    const refused = json(403, { error: { error_code: 'EPS.0004', error_msg: 'no permission' } });
    const { found } = await discovery(cloud({ '/v1.0/enterprise-projects': refused }));
    expect(await found).toMatchObject({
      projects: { length: 3 },
      enterpriseProjects: [],
      enterpriseProjectsError: expect.stringMatching(/^EPS refused permission: 403 EPS\.0004/),
    });
  });

  it('finds the projects of the user if not all projects may be listed', async () => {
    const { found } = await discovery(
      cloud({ '/v3/projects': json(403, { error_code: 'IAM.0002', error_msg: 'no' }) }),
    );
    expect((await found).projects).toHaveLength(1);
  });

  it('throws when the credentials are refused', async () => {
    const { found, received } = await discovery(signatureRefused);
    expect(await failureOf(found)).toBeInstanceOf(CredentialsRefused);
    expect(received).toHaveLength(1);
  });
});
