import { describe, expect, it } from 'vitest';
import type { Auth } from '../../../src/core/account.ts';
import { AccountSuspended, CredentialsRefused, PermissionRefused, RequestFailed } from '../../../src/core/errors.ts';
import { authorizationHeader } from '../../../src/huawei/signer.ts';
import {
  AKSK,
  accountAt,
  events,
  failureOf,
  inTurn,
  json,
  page,
  type Reply,
  scope,
  secret,
  serve,
  signatureRefused,
  sourceFor,
  tokenOutlived,
} from './support.ts';

const other = { ...scope, account: 'test' };
const PASSWORD: Auth = { kind: 'password', user: 'reader', password: secret('hunter2hunter2'), domain: 'corp' };

/** IAM and HSS in one: tokens are numbered, and HSS answers as told. */
function iam(hss: Reply, lifetimeMs = 86_400_000): Reply {
  let issued = 0;
  return (response, request) => {
    if (!request.url.startsWith('/v3/auth/tokens')) return hss(response, request);
    issued += 1;
    const now = Date.now();
    const token = { issued_at: new Date(now).toISOString(), expires_at: new Date(now + lifetimeMs).toISOString() };
    return json(201, { token }, { 'x-subject-token': `token-${issued}` })(response, request);
  };
}

describe('a request with an access key', () => {
  it('is signed over what is sent', async () => {
    const { url, received } = await serve(page);
    const auth: Auth = {
      ...AKSK,
      kind: 'aksk',
      accessKey: secret('AK\n'),
      secretKey: secret('SK'),
      securityToken: secret('ST'),
    };
    const body = { page: 1, size: 100 };
    await sourceFor([accountAt(url, auth)]).read({
      service: 'dbss',
      method: 'POST',
      operation: 'POST /v1/{project_id}/audit/{instance_id}/reports/list',
      path: '/v1/p/audit/a%20b/reports/list',
      query: { z: 'ü &', a: 1 },
      body,
    });
    const [request] = received;
    expect(request).toMatchObject({
      url: '/v1/p/audit/a%20b/reports/list?a=1&z=%C3%BC%20%26',
      body: '{"page":1,"size":100}',
    });
    expect(request?.headers).toMatchObject({
      'x-project-id': scope.projectId,
      'x-security-token': 'ST',
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'huaweicloud-security-sync',
      host: url.slice('http://'.length),
    });
    const headers = {
      Host: url.slice('http://'.length),
      'Content-Type': 'application/json',
      'X-Project-Id': scope.projectId,
      'X-Sdk-Date': String(request?.headers['x-sdk-date']),
      'X-Security-Token': 'ST',
    };
    const signable = { method: 'POST', path: '/v1/p/audit/a b/reports/list', query: { a: 1, z: 'ü &' }, headers };
    const key = { accessKey: 'AK', secretKey: 'SK' };
    expect(request?.headers.authorization).toBe(authorizationHeader({ ...signable, body: JSON.stringify(body) }, key));
  });

  it('names the region to HSS', async () => {
    const { url, received } = await serve(page);
    await sourceFor([accountAt(url)]).read();
    expect(received[0]?.headers.region).toBe('cn-north-4');
  });

  it('uses a rotated key from the next request on', async () => {
    const { url, received } = await serve(page);
    let key = 'FIRSTKEY';
    const { read } = sourceFor([
      accountAt(url, { ...AKSK, kind: 'aksk', accessKey: async () => key, secretKey: secret('s3cr3t') }),
    ]);
    await read();
    key = 'SECONDKEY';
    await read();
    expect(received.map(({ headers }) => /Access=(\w+)/.exec(headers.authorization ?? '')?.[1])).toEqual([
      'FIRSTKEY',
      'SECONDKEY',
    ]);
  });

  it('is not sent when the key cannot be read or is empty', async () => {
    const { url, received } = await serve(page);
    const unreadable = {
      ...AKSK,
      kind: 'aksk',
      accessKey: secret('x'),
      secretKey: () => Promise.reject(new Error('ENOENT /run/sk')),
    } as const;
    const error = await failureOf(sourceFor([accountAt(url, unreadable)]).read());
    expect(error).toBeInstanceOf(AccountSuspended);
    expect(error.message).toBe('The secret key of account prod cannot be read: ENOENT /run/sk. No request was sent.');
    const empty = await failureOf(sourceFor([accountAt(url, { kind: 'token', token: secret(' \n') })]).read());
    expect(empty.message).toContain('is empty');
    expect(received).toHaveLength(0);
  });
});

describe('a wrong key', () => {
  it('costs exactly one request, however many lanes start at once, and suspends the account', async () => {
    const { url, received } = await serve(async (response, request) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await signatureRefused(response, request);
    });
    const { read, suspensions, logger } = sourceFor([accountAt(url)]);
    const errors = await Promise.all(Array.from({ length: 8 }, () => failureOf(read())));
    expect(received).toHaveLength(1);
    expect(errors.filter((error) => error instanceof CredentialsRefused)).toHaveLength(1);
    expect(errors.filter((error) => error instanceof AccountSuspended)).toHaveLength(7);
    expect(suspensions.held.size).toBe(1);
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(await failureOf(read())).toBeInstanceOf(AccountSuspended);
    expect(received).toHaveLength(1);
  });

  it('tells what was refused, until when, and no secret', async () => {
    const echo = json(
      401,
      { error_code: 'APIGW.0301', error_msg: 'bad key AKAKAKAK, secret SKSKSKSK' },
      { 'x-request-id': 'r9' },
    );
    const { url } = await serve(echo);
    const { read, suspensions, logger } = sourceFor([accountAt(url)]);
    const { message } = await failureOf(read());
    expect(message).toMatch(
      /^HSS refused the credentials: 401 APIGW\.0301 "bad key \[secret\], secret \[secret\]" \(GET /,
    );
    expect(message).toMatch(/account prod, region cn-north-4, .*request id r9/);
    expect(message).toMatch(/suspended until 2.*Z or until its credentials change/);
    const told = JSON.stringify([message, [...suspensions.held], logger.lines, (await failureOf(read())).message]);
    expect(told).not.toMatch(/AKAKAKAK|SKSKSKSK|Signature=/);
  });

  it('does not stop another account', async () => {
    const { url } = await serve((response, request) =>
      (request.headers.authorization?.includes('GOODKEY') ? page : signatureRefused)(response, request),
    );
    const good: Auth = { kind: 'aksk', accessKey: secret('GOODKEY'), secretKey: secret('SKSKSKSK') };
    const { read } = sourceFor([accountAt(url), accountAt(url, good, 'test')]);
    expect(await failureOf(read())).toBeInstanceOf(CredentialsRefused);
    expect(await read(events, other)).toMatchObject({ value: [] });
  });

  it('is tried again as soon as it has changed', async () => {
    const { url, received } = await serve(inTurn(signatureRefused, page));
    let key = 'WRONGKEY';
    const { read } = sourceFor([
      accountAt(url, { kind: 'aksk', accessKey: secret('AKAKAKAK'), secretKey: async () => key }),
    ]);
    await failureOf(read());
    key = 'RIGHTKEY';
    expect(await read()).toMatchObject({ attempts: 1 });
    expect(received).toHaveLength(2);
  });

  it('that once was good suspends once, though many requests were under way', async () => {
    let good = true;
    const { url } = await serve(async (response, request) => {
      const reply = good ? page : signatureRefused;
      await new Promise((resolve) => setTimeout(resolve, 30));
      await reply(response, request);
    });
    const { read, suspensions } = sourceFor([accountAt(url)]);
    await read();
    good = false;
    const errors = await Promise.all(Array.from({ length: 4 }, () => failureOf(read())));
    expect(errors.every((error) => error instanceof CredentialsRefused)).toBe(true);
    // The fake throws when the same fingerprint is suspended twice.
    expect(suspensions.held.size).toBe(1);
  });
});

describe('the first call of an account', () => {
  it('goes alone; the others follow together once it has succeeded', async () => {
    let running = 0;
    const together: number[] = [];
    const { url } = await serve(async (response, request) => {
      running += 1;
      together.push(running);
      await new Promise((resolve) => setTimeout(resolve, 60));
      running -= 1;
      await page(response, request);
    });
    const { read, suspensions } = sourceFor([accountAt(url)]);
    await Promise.all(Array.from({ length: 5 }, () => read()));
    expect(together).toEqual([1, 1, 2, 3, 4]);
    expect(suspensions.lifted).toBe(1);
  });

  it('leaves the next one to try alone when it proved nothing', async () => {
    const { url, received } = await serve(inTurn(json(503, {}), signatureRefused));
    const { read } = sourceFor([accountAt(url)]);
    const errors = await Promise.all([failureOf(read()), failureOf(read()), failureOf(read())]);
    expect(received).toHaveLength(2);
    expect(errors.map((error) => error.name).sort()).toEqual([
      'AccountSuspended',
      'AccountSuspended',
      'CredentialsRefused',
    ]);
  });

  it('is proof enough when permission is refused', async () => {
    const { url, received } = await serve(inTurn(json(400, { error_code: 'HSS.0013' }), page));
    const { read, suspensions } = sourceFor([accountAt(url)]);
    expect(await failureOf(read())).toBeInstanceOf(PermissionRefused);
    expect(suspensions.lifted).toBe(1);
    await read();
    expect(suspensions.lifted).toBe(1);
    expect(received).toHaveLength(2);
  });

  it('can be waited for no longer than the caller wants', async () => {
    const { url } = await serve(() => {});
    const { source, read, stop } = sourceFor([accountAt(url)]);
    const first = failureOf(read());
    const impatient = new AbortController();
    const second = failureOf(source.read(scope, events, () => null, impatient.signal));
    setTimeout(() => impatient.abort(new Error('enough')), 30);
    expect((await second).message).toBe('enough');
    stop.abort(new Error('done'));
    expect((await first).message).toBe('done');
  });
});

describe('user and password', () => {
  it('become one token for a project, asked for without the catalogue', async () => {
    const { url, received } = await serve(iam(page));
    const { read, quota } = sourceFor([accountAt(url, PASSWORD)]);
    await Promise.all([read(), read(), read()]);
    const [asked, ...used] = received;
    expect(asked?.url).toBe('/v3/auth/tokens?nocatalog=true');
    expect(JSON.parse(asked?.body ?? '')).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'reader', password: 'hunter2hunter2', domain: { name: 'corp' } } },
        },
        scope: { project: { id: scope.projectId } },
      },
    });
    expect(used.map(({ headers }) => headers['x-auth-token'])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(quota.taken).toHaveLength(3);
  });

  it('bring a token of 40 KB through', async () => {
    const token = 'M'.repeat(40 * 1024);
    const { url, received } = await serve((response, request) =>
      (request.url.startsWith('/v3') ? json(201, {}, { 'x-subject-token': token }) : page)(response, request),
    );
    await sourceFor([accountAt(url, PASSWORD)]).read();
    expect(received[1]?.headers['x-auth-token']).toBe(token);
  });

  it('renew the token ahead of its end', async () => {
    const { url, received } = await serve(iam(page));
    const { read, clock } = sourceFor([accountAt(url, PASSWORD)]);
    await read();
    clock.advance(23 * 3_600_000);
    await read();
    clock.advance(45 * 60_000);
    await read();
    const tokens = received.map(({ headers }) => headers['x-auth-token']);
    expect(tokens).toEqual([undefined, 'token-1', 'token-1', undefined, 'token-2']);
  });

  it('keep a token that is still good when IAM is away', async () => {
    let away = false;
    const tokens = iam(page);
    const { url } = await serve((response, request) =>
      (away && request.url.startsWith('/v3') ? json(503, {}) : tokens)(response, request),
    );
    const { read, clock } = sourceFor([accountAt(url, PASSWORD)]);
    await read();
    away = true;
    clock.advance(23.75 * 3_600_000);
    expect(await read()).toMatchObject({ attempts: 1 });
    clock.advance(3_600_000);
    expect(await failureOf(read())).toBeInstanceOf(RequestFailed);
  });

  it('renew the token once when it is refused', async () => {
    const { url, received } = await serve(iam(inTurn(page, tokenOutlived, page)));
    const { read } = sourceFor([accountAt(url, PASSWORD)]);
    await read();
    expect(await read()).toMatchObject({ attempts: 2 });
    const tokens = received.map(({ headers }) => headers['x-auth-token']);
    expect(tokens).toEqual([undefined, 'token-1', 'token-1', undefined, 'token-2']);
  });

  it('survive a throttled IAM, which is no business of the quota', async () => {
    const issue = iam(page);
    const { url, received } = await serve(inTurn(json(429, {}, { 'retry-after': '2' }), issue));
    const { read, quota, clock } = sourceFor([accountAt(url, PASSWORD)]);
    expect(await read()).toMatchObject({ attempts: 2, throttled: 0 });
    expect(quota.done).toEqual([undefined, undefined]);
    expect(clock.slept).toEqual([2_000]);
    expect(received).toHaveLength(3);
  });

  it('do not condemn the account for a project that no token opens', async () => {
    const { url, received } = await serve(iam(tokenOutlived));
    const { read, suspensions } = sourceFor([accountAt(url, PASSWORD)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(PermissionRefused);
    expect(error.message).toContain('is this project in this region?');
    expect(received).toHaveLength(4);
    expect(suspensions.held.size).toBe(0);
  });

  it('that are wrong cost one request and suspend the account', async () => {
    const { url, received } = await serve(
      json(401, { error: { code: 401, message: 'The username or password is wrong.' } }),
    );
    const { read, suspensions } = sourceFor([accountAt(url, PASSWORD)]);
    const elsewhere = { ...scope, projectId: 'another' };
    const errors = await Promise.all([failureOf(read()), failureOf(read()), failureOf(read(events, elsewhere))]);
    expect(errors[0]?.message).toMatch(
      /^IAM refused the credentials: 401 "The username or password is wrong\." \(POST/,
    );
    expect(received).toHaveLength(1);
    expect(suspensions.held.size).toBe(1);
  });
});

describe('a given token', () => {
  it('is sent as it is, and refused without a second try', async () => {
    const { url, received } = await serve(tokenOutlived);
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'token', token: secret('given-token') })]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toContain('Provide a new token');
    expect(received.map(({ headers }) => headers['x-auth-token'])).toEqual(['given-token']);
    expect(suspensions.held.size).toBe(1);
  });
});

describe('the agency of an ECS', () => {
  function metadata(put: Reply, hss: Reply, lifetimeMs = 86_400_000): Reply {
    let issued = 0;
    return (response, request) => {
      if (request.method === 'PUT') return put(response, request);
      if (request.url !== '/openstack/latest/securitykey') return hss(response, request);
      issued += 1;
      const expires_at = new Date(Date.now() + lifetimeMs * issued).toISOString();
      const credential = {
        access: `AGENCYKEY${issued}`,
        secret: 'agencysecret',
        securitytoken: 'agencytoken',
        expires_at,
      };
      return json(200, { credential })(response, request);
    };
  }
  const granted: Reply = (response) => void response.end('metadata-token');
  const keyOf = (authorization = '') => /Access=(\w+)/.exec(authorization)?.[1];

  it('gives keys against a token of its metadata service', async () => {
    const { url, received } = await serve(metadata(granted, page));
    const { read } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    await read();
    await read();
    expect(received.map(({ method, url: path }) => `${method} ${path.split('?')[0]}`)).toEqual([
      'PUT /meta-data/latest/api/token',
      'GET /openstack/latest/securitykey',
      `GET ${events.path}`,
      `GET ${events.path}`,
    ]);
    expect(received[0]?.headers['x-metadata-token-ttl-seconds']).toBe('21600');
    expect(received[1]?.headers['x-metadata-token']).toBe('metadata-token');
    expect(received[2]?.headers['x-security-token']).toBe('agencytoken');
    expect(keyOf(received[2]?.headers.authorization)).toBe('AGENCYKEY1');
  });

  it.each([404, 405, 503])('gives keys without a token where that is answered with %i', async (status) => {
    const { url, received } = await serve(metadata(json(status, {}), page));
    await sourceFor([accountAt(url, { kind: 'ecs-agency' })]).read();
    expect(received).toHaveLength(3);
    expect(received[1]?.headers['x-metadata-token']).toBeUndefined();
  });

  it('gives new keys ahead of their end', async () => {
    const { url, received } = await serve(metadata(granted, page));
    const { read, clock } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    await read();
    clock.advance(23 * 3_600_000 + 55 * 60_000);
    await read();
    expect(keyOf(received.at(-1)?.headers.authorization)).toBe('AGENCYKEY2');
  });

  it('that is not there is one clear line', async () => {
    const { url, received } = await serve((response, request) =>
      (request.method === 'PUT' ? granted : json(401, {}))(response, request),
    );
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toMatch(/^This server has no agency \(account prod\)/);
    expect(suspensions.held.size).toBe(1);
    expect(await failureOf(read())).toBeInstanceOf(AccountSuspended);
    expect(received).toHaveLength(2);
  });
});

describe('a clock that is wrong', () => {
  const late: Reply = (response, request) => {
    response.setHeader('date', new Date(Date.now() - 7 * 60_000).toUTCString());
    return page(response, request);
  };

  it('is reported once for an account', async () => {
    const { url } = await serve(late);
    const { read, logger } = sourceFor([accountAt(url)]);
    await read();
    await read();
    const warnings = logger.lines.filter(({ level }) => level === 'warn');
    expect(warnings).toMatchObject([{ message: expect.stringContaining('Your clock is 7 minutes ahead') }]);
  });

  it('is named when the credentials are refused', async () => {
    const { url } = await serve((response, request) => {
      response.setHeader('date', new Date(Date.now() + 20 * 60_000).toUTCString());
      return signatureRefused(response, request);
    });
    const error = await failureOf(sourceFor([accountAt(url)]).read());
    expect(error.message).toContain('Your clock is 20 minutes behind');
  });

  it('is not suspected without reason', async () => {
    const { url } = await serve(page);
    const { read, logger } = sourceFor([accountAt(url)]);
    await read();
    expect(logger.lines).toEqual([]);
  });
});
