import { describe, expect, it } from 'vitest';
import type { Auth, SourceAuth } from '../../../src/core/account.ts';
import { AccountSuspended, CredentialsRefused, Unreachable } from '../../../src/core/errors.ts';
import { podUriProblem } from '../../../src/huawei/transport/endpoints.ts';
import { testNow } from '../../support/clock.ts';
import {
  accountAt,
  failureOf,
  inTurn,
  json,
  page,
  type Reply,
  secret,
  serve,
  signatureRefused,
  sourceFor,
} from './support.ts';

const HOUR_MS = 3_600_000;
const OIDC: Auth = {
  kind: 'oidc',
  providerUrn: 'iam::d1:oidc-provider:cce',
  agencyUrn: 'iam::d1:agency:reader',
  sessionName: 'security-sync',
  idToken: secret('id.token.one'),
  durationMs: HOUR_MS,
};
const CENTRAL: SourceAuth = { kind: 'aksk', accessKey: secret('CENTRALKEY'), secretKey: secret('centralsecret') };
const ASSUMED: Auth = {
  kind: 'assume-agency',
  agency: 'reader',
  domain: { name: 'tenant' },
  durationMs: HOUR_MS,
  source: CENTRAL,
};

/** Each service writes keys in its own way (Python SDK: `PodIdentityAccessor`, `CredentialsDto`, IAM's `Credential`). */
const KEYS = {
  pod: (n: number, end: string) => ({
    accessKeyId: `POD${n}`,
    secretAccessKey: 's',
    securityToken: 'pod-st',
    expiration: end,
  }),
  sts: (n: number, end: string) => ({
    credentials: { access_key_id: `STS${n}`, secret_access_key: 's', security_token: 'sts-st', expiration: end },
  }),
  iam: (n: number, end: string) => ({
    credential: { access: `IAM${n}`, secret: 's', securitytoken: 'iam-st', expires_at: end },
  }),
};

/** Answers every POST with new keys, that live an hour from one another, and everything else with `hss`. */
function issuing(keys: (n: number, end: string) => object, hss: Reply = page): Reply {
  let issued = 0;
  return (response, request) => {
    if (request.method !== 'POST') return hss(response, request);
    issued += 1;
    const end = new Date(testNow() + issued * HOUR_MS).toISOString().replace('Z', '000Z');
    return json(201, keys(issued, end))(response, request);
  };
}

const keyOf = (authorization = '') => /Access=(\w+)/.exec(authorization)?.[1];
const podAt = (url: string, token = secret('pod-token')): Auth => ({
  kind: 'pod-identity',
  uri: `${url}/v1/creds?a=b`,
  token,
});

describe('pod identity', () => {
  it('posts the token of the pod to the URI of the environment and signs with the keys it gets', async () => {
    const { url, received } = await serve(issuing(KEYS.pod));
    await sourceFor([accountAt(url, podAt(url))]).read();
    const [asked, used] = received;
    expect(asked).toMatchObject({ method: 'POST', url: '/v1/creds?a=b', body: '{}' });
    expect(asked?.headers.authorization).toBe('pod-token');
    expect(keyOf(used?.headers.authorization)).toBe('POD1');
    expect(used?.headers['x-security-token']).toBe('pod-st');
  });

  it('suspends the account after one request if the token is refused, and tries again with another token', async () => {
    let token = 'stale-pod-token';
    const issue = issuing(KEYS.pod);
    const { url, received } = await serve((response, request) => {
      const refused = request.headers.authorization === 'stale-pod-token';
      return (refused ? json(401, { message: 'stale-pod-token is not valid' }) : issue)(response, request);
    });
    const { read } = sourceFor([
      accountAt(
        url,
        podAt(url, async () => token),
      ),
    ]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toMatch(/^The pod identity agent refused the sign-in: 401 "\[secret\] is not valid"/);
    expect(error.message).toContain('Check that the service account of this pod is associated with an agency');
    expect(await failureOf(read())).toBeInstanceOf(AccountSuspended);
    expect(received).toHaveLength(1);
    token = 'fresh-pod-token';
    await read();
    expect(received).toHaveLength(3);
  });

  it.each([
    ['http://127.0.0.1:8080/v1', null],
    ['http://localhost/v1', null],
    ['http://[::1]/v1', null],
    ['http://169.254.170.23/v1', null],
    ['http://[fe80::1]/v1', null],
    ['https://agent.example.org/v1', null],
    ['http://10.0.0.1/v1', expect.stringContaining('in the clear')],
    ['http://127.0.0.1.example.org/v1', expect.stringContaining('in the clear')],
    ['http://169.254.1.example.org/v1', expect.stringContaining('in the clear')],
    ['https://user:word@agent.example.org', 'must not contain credentials'],
    ['ftp://127.0.0.1/', 'must be an http(s) URL'],
  ])('sends the token of the pod to %s: problem %j', (uri, problem) => {
    expect(podUriProblem(uri)).toEqual(problem);
  });
});

describe('OIDC', () => {
  it('asks STS for keys of the trust agency, unsigned and with the id token in the body', async () => {
    const { url, received } = await serve(issuing(KEYS.sts));
    await sourceFor([accountAt(url, OIDC)]).read();
    const [asked, used] = received;
    expect(asked?.url).toBe('/v5/agencies/assume-with-oidc');
    expect(asked?.headers.authorization).toBeUndefined();
    expect(JSON.parse(asked?.body ?? '')).toEqual({
      provider_urn: 'iam::d1:oidc-provider:cce',
      agency_urn: 'iam::d1:agency:reader',
      agency_session_name: 'security-sync',
      id_token: 'id.token.one',
      duration_seconds: 3_600,
    });
    expect(keyOf(used?.headers.authorization)).toBe('STS1');
    expect(used?.headers['x-security-token']).toBe('sts-st');
  });

  it('reads the id token again for every request for keys, and only for these', async () => {
    let current = 'id.token.one';
    let reads = 0;
    const idToken = async () => {
      reads += 1;
      return current;
    };
    const { url, received } = await serve(issuing(KEYS.sts));
    const { read, clock } = sourceFor([accountAt(url, { ...OIDC, idToken })]);
    await read();
    const first = reads;
    await read();
    expect(reads).toBe(first);
    current = 'id.token.two';
    clock.advance(0.9 * HOUR_MS);
    await read();
    const sent = received.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body).id_token);
    expect(sent).toEqual(['id.token.one', 'id.token.two']);
    expect(keyOf(received.at(-1)?.headers.authorization)).toBe('STS2');
  });

  it.each([
    [400, { error_code: 'IAM.0001', error_msg: 'Invalid id_token id.token.one' }],
    [403, { error_code: 'STS.0003', error_msg: 'id.token.one is not trusted' }],
    [404, { error_code: 'APIGW.0101', error_msg: 'no such API' }],
  ])(
    'that is refused with %i stops the account, and the message says what to check without the id token',
    async (status, body) => {
      const { url, received } = await serve(json(status, body));
      const { read, suspensions } = sourceFor([accountAt(url, OIDC)]);
      const error = await failureOf(read());
      expect(error).toBeInstanceOf(CredentialsRefused);
      expect(error.message).toMatch(new RegExp(`^STS refused the sign-in: ${status} ${body.error_code}`));
      expect(error.message).toContain('Check the URNs of the provider and of the trust agency');
      expect(error.message).not.toContain('id.token.one');
      expect(received).toHaveLength(1);
      expect(suspensions.held.size).toBe(1);
    },
  );

  it('gets new keys once if HSS refuses the current ones, and no message contains a secret of either', async () => {
    const echo = json(401, {
      error_code: 'APIGW.0301',
      error_msg: 'verify fail: ak STS2, token sts-st, id id.token.one',
    });
    const { url, received } = await serve(issuing(KEYS.sts, inTurn(page, signatureRefused, page, echo)));
    const { read, suspensions } = sourceFor([accountAt(url, OIDC)]);
    await read();
    expect(await read()).toMatchObject({ attempts: 2 });
    expect(received.map(({ headers }) => keyOf(headers.authorization))).toEqual([
      undefined,
      'STS1',
      'STS1',
      undefined,
      'STS2',
    ]);
    expect(suspensions.held.size).toBe(0);
    const { message } = await failureOf(read());
    expect(message).toContain('verify fail');
    expect(message).not.toMatch(/sts-st/);
  });

  it('survives a short outage of STS', async () => {
    const { url } = await serve(inTurn(json(503, {}), issuing(KEYS.sts)));
    expect(await sourceFor([accountAt(url, OIDC)]).read()).toMatchObject({ attempts: 2 });
  });

  it('uses valid keys during an outage of STS, and reports the reason after they expire', async () => {
    let away = false;
    const issue = issuing(KEYS.sts);
    const { url } = await serve((response, request) =>
      (away && request.method === 'POST' ? json(503, {}) : issue)(response, request),
    );
    const { read, clock } = sourceFor([accountAt(url, OIDC)]);
    await read();
    away = true;
    clock.advance(0.9 * HOUR_MS);
    expect(await read()).toMatchObject({ attempts: 1 });
    clock.advance(0.2 * HOUR_MS);
    expect((await failureOf(read())).message).toContain('STS failed: 503');
  });

  it('keeps keys without an expiry time for eight minutes', async () => {
    const { url, received } = await serve(
      issuing((n) => ({ credentials: { access_key_id: `STS${n}`, secret_access_key: 's', security_token: 'st' } })),
    );
    const { read, clock } = sourceFor([accountAt(url, OIDC)]);
    await read();
    clock.advance(7 * 60_000);
    await read();
    clock.advance(2 * 60_000);
    await read();
    expect(received.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET', 'POST', 'GET']);
  });

  it('without keys in the answer is an unusable answer, not a refusal', async () => {
    const { url } = await serve(json(200, { credentials: { access_key_id: 'AK' } }));
    const { read, suspensions } = sourceFor([accountAt(url, OIDC)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toMatch(/^STS answered POST \/v5\/agencies\/assume-with-oidc without keys/);
    expect(suspensions.held.size).toBe(0);
  });
});

describe('an assumed agency', () => {
  it('is requested with the signature of the central account, and its projects are read with its own keys', async () => {
    const { url, received } = await serve(issuing(KEYS.iam));
    const { read, clock } = sourceFor([accountAt(url, ASSUMED)]);
    await read();
    clock.advance(0.9 * HOUR_MS);
    await read();
    const [asked] = received;
    expect(asked?.url).toBe('/v3.0/OS-CREDENTIAL/securitytokens');
    expect(JSON.parse(asked?.body ?? '')).toEqual({
      auth: {
        identity: {
          methods: ['assume_role'],
          assume_role: { agency_name: 'reader', domain_name: 'tenant', duration_seconds: 3_600 },
        },
      },
    });
    expect(received.map(({ headers }) => keyOf(headers.authorization))).toEqual([
      'CENTRALKEY',
      'IAM1',
      'CENTRALKEY',
      'IAM2',
    ]);
  });

  it('names its account by id if the id is configured', async () => {
    const { url, received } = await serve(issuing(KEYS.iam));
    await sourceFor([accountAt(url, { ...ASSUMED, domain: { id: 'd2' } })]).read();
    expect(JSON.parse(received[0]?.body ?? '').auth.identity.assume_role).toMatchObject({ domain_id: 'd2' });
  });

  it.each([
    [403, { error: { code: 403, message: 'You are not authorized' } }],
    [404, { error: { code: 404, message: 'Could not find the agency' } }],
  ])(
    'that is refused with %i costs one request, suspends the account, and the message says what to set up',
    async (status, body) => {
      const { url, received } = await serve(json(status, body));
      const error = await failureOf(sourceFor([accountAt(url, ASSUMED)]).read());
      expect(error).toBeInstanceOf(CredentialsRefused);
      expect(error.message).toContain(`IAM refused the sign-in: ${status}`);
      expect(error.message).toContain('Check that account tenant has an agency reader that trusts the account');
      expect(received).toHaveLength(1);
    },
  );

  it('does not try a refused key of the central account twice', async () => {
    const { url, received } = await serve(signatureRefused);
    expect(await failureOf(sourceFor([accountAt(url, ASSUMED)]).read())).toBeInstanceOf(CredentialsRefused);
    expect(received).toHaveLength(1);
  });

  it('gets a new token of the central user if IAM reports the old one as expired', async () => {
    let tokens = 0;
    const assume = inTurn(json(401, { error: { code: 401, message: 'token expired' } }), issuing(KEYS.iam));
    const { url, received } = await serve((response, request) => {
      if (!request.url.startsWith('/v3/auth/tokens'))
        return (request.method === 'POST' ? assume : page)(response, request);
      tokens += 1;
      return json(201, {}, { 'x-subject-token': `token-${tokens}` })(response, request);
    });
    const source: SourceAuth = { kind: 'password', user: 'u', password: secret('password'), domain: 'central' };
    await sourceFor([accountAt(url, { ...ASSUMED, source })]).read();
    expect(received.map(({ headers }) => headers['x-auth-token'])).toEqual([
      undefined,
      'token-1',
      undefined,
      'token-2',
      undefined,
    ]);
    expect(JSON.parse(received[0]?.body ?? '').auth.scope).toEqual({ domain: { name: 'central' } });
  });

  it('may be assumed with the agency of the server on which the service runs', async () => {
    const metadata = json(200, KEYS.iam(0, '2999-01-01T00:00:00Z'));
    const assume = issuing(KEYS.iam);
    const { url, received } = await serve((response, request) =>
      (request.url.startsWith('/openstack') || request.method === 'PUT' ? metadata : assume)(response, request),
    );
    await sourceFor([accountAt(url, { ...ASSUMED, source: { kind: 'ecs-agency' } })]).read();
    expect(received.slice(2).map(({ headers }) => keyOf(headers.authorization))).toEqual(['IAM0', 'IAM1']);
  });
});
