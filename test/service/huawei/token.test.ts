import { describe, expect, it } from 'vitest';
import type { Auth } from '../../../src/core/account.ts';
import { CredentialsRefused, PermissionRefused, RequestFailed } from '../../../src/core/errors.ts';
import { testNow } from '../../support/clock.ts';
import {
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
  sourceFor,
  tokenOutlived,
} from './support.ts';

const PASSWORD: Auth = { kind: 'password', user: 'reader', password: secret('hunter2hunter2'), domain: 'corp' };

/** IAM and HSS in one: tokens are numbered, and HSS answers as told. */
function iam(hss: Reply, lifetimeMs = 86_400_000): Reply {
  let issued = 0;
  return (response, request) => {
    if (!request.url.startsWith('/v3/auth/tokens')) return hss(response, request);
    issued += 1;
    const now = testNow();
    const token = { issued_at: new Date(now).toISOString(), expires_at: new Date(now + lifetimeMs).toISOString() };
    return json(201, { token }, { 'x-subject-token': `token-${issued}` })(response, request);
  };
}

describe('user and password', () => {
  it('are exchanged for one token per project, without the catalogue', async () => {
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

  it('work with a token of 40 KB', async () => {
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

  it('keep a valid token during an outage of IAM', async () => {
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

  it('survive throttling by IAM, which does not affect the quota', async () => {
    const issue = iam(page);
    const { url, received } = await serve(inTurn(json(429, {}, { 'retry-after': '2' }), issue));
    const { read, quota, clock } = sourceFor([accountAt(url, PASSWORD)]);
    expect(await read()).toMatchObject({ attempts: 2, throttled: 0 });
    expect(quota.done).toEqual([undefined, undefined]);
    expect(clock.slept).toEqual([2_000]);
    expect(received).toHaveLength(3);
  });

  it('do not suspend the account for a project that no token can access', async () => {
    const { url, received } = await serve(iam(tokenOutlived));
    const { read, suspensions } = sourceFor([accountAt(url, PASSWORD)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(PermissionRefused);
    expect(error.message).toContain('check that the project belongs to this region');
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
  it('is sent unchanged, and not retried after a refusal', async () => {
    const { url, received } = await serve(tokenOutlived);
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'token', token: secret('given-token') })]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toContain('Provide a new token');
    expect(received.map(({ headers }) => headers['x-auth-token'])).toEqual(['given-token']);
    expect(suspensions.held.size).toBe(1);
  });
});
