import { expect, it, onTestFinished } from 'vitest';
import type { Auth } from '../../src/core/account.ts';
import { CredentialsRefused } from '../../src/core/errors.ts';
import { discover } from '../../src/huawei/discover.ts';
import {
  DEMO_AGENCY,
  DEMO_KEY,
  DEMO_OIDC,
  DEMO_POD_TOKEN,
  POD_IDENTITY_PATH,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/server/server.ts';
import {
  AKSK,
  accountAt,
  failureOf,
  fakeClock,
  fakeLogger,
  fakeSuspensions,
  secret,
  sourceFor,
} from './huawei/support.ts';

const HOUR_MS = 3_600_000;

async function sandboxAt(clock: ReturnType<typeof fakeClock>, options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ now: clock.now, events: 20, temporaryKeyLifetimeMs: HOUR_MS, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

const demo = { accessKey: secret(DEMO_KEY.accessKey), secretKey: secret(DEMO_KEY.secretKey) };
const ways: Readonly<Record<string, (url: string) => Auth>> = {
  'ecs-agency': () => ({ kind: 'ecs-agency' }),
  'pod-identity': (url) => ({ kind: 'pod-identity', uri: `${url}${POD_IDENTITY_PATH}`, token: secret(DEMO_POD_TOKEN) }),
  oidc: () => ({
    kind: 'oidc',
    providerUrn: DEMO_OIDC.providerUrn,
    agencyUrn: DEMO_OIDC.agencyUrn,
    sessionName: 'security-sync',
    idToken: secret(DEMO_OIDC.idTokens[0] ?? ''),
    durationMs: HOUR_MS,
  }),
  'assume-agency': () => ({
    kind: 'assume-agency',
    agency: DEMO_AGENCY.name,
    domain: { id: DEMO_AGENCY.domain.id },
    durationMs: HOUR_MS,
    source: { kind: 'aksk', ...demo },
  }),
};

it.each(Object.entries(ways))(
  '%s reads the sandbox for a day, whose keys live an hour, without a refusal',
  async (_kind, authAt) => {
    const clock = fakeClock();
    const sandbox = await sandboxAt(clock);
    const { read, suspensions } = sourceFor([accountAt(sandbox.url, authAt(sandbox.url))], { clock });
    for (let hour = 0; hour < 24; hour += 0.4) {
      await read();
      clock.advance(0.4 * HOUR_MS);
    }
    expect(suspensions.held.size).toBe(0);
    expect(sandbox.requests.entries().filter(({ status }) => status >= 400)).toEqual([]);
  },
);

it.each([
  ['a token of the pod that the agent does not know', 'pod-identity', { podTokens: [] }],
  ['an id token that the provider did not issue', 'oidc', { oidcTrusts: [{ ...DEMO_OIDC, idTokens: [] }] }],
  ['a provider that the agency does not trust', 'oidc', { oidcTrusts: [] }],
  ['an agency that trusts another account', 'assume-agency', { agencies: [{ ...DEMO_AGENCY, trusts: [] }] }],
  ['an agency that is not there', 'assume-agency', { agencies: [] }],
  ['a server without an agency', 'ecs-agency', { metadata: 'no-agency' }],
] as const)('%s stops the account', async (_what, kind, options) => {
  const clock = fakeClock();
  const sandbox = await sandboxAt(clock, options);
  const auth = ways[kind]?.(sandbox.url) ?? AKSK;
  const { read, suspensions } = sourceFor([accountAt(sandbox.url, auth)], { clock });
  expect(await failureOf(read())).toBeInstanceOf(CredentialsRefused);
  expect(suspensions.held.size).toBe(1);
});

it('a user who sees no domain finds the enterprise projects through STS', async () => {
  const clock = fakeClock();
  const sandbox = await sandboxAt(clock, { domainsListed: false });
  const account = accountAt(sandbox.url, { kind: 'aksk', ...demo });
  const parts = { account, suspensions: fakeSuspensions(clock), clock, logger: fakeLogger() };
  const { enterpriseProjects, enterpriseProjectsError } = await discover(parts, new AbortController().signal);
  expect(enterpriseProjectsError).toBeNull();
  expect(enterpriseProjects).toHaveLength(sandbox.settings.enterpriseProjects.length);
});
