import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { AccountSuspended, CredentialsRefused, Unreachable } from '../../../src/core/errors.ts';
import { testNow } from '../../support/clock.ts';
import { accountAt, events, failureOf, inTurn, json, page, type Reply, serve, sourceFor } from './support.ts';

describe('the agency of an ECS', () => {
  function metadata(put: Reply, hss: Reply, lifetimeMs = 86_400_000): Reply {
    let issued = 0;
    return (response, request) => {
      if (request.method === 'PUT') return put(response, request);
      if (request.url !== '/openstack/latest/securitykey') return hss(response, request);
      issued += 1;
      const expires_at = new Date(testNow() + lifetimeMs * issued).toISOString();
      const credential = {
        access: `AGENCYKEY${issued}`,
        secret: 'agencysecret',
        securitytoken: 'agencytoken',
        expires_at,
      };
      return json(200, { credential })(response, request);
    };
  }
  /** The text by which the official SDKs tell a missing agency from a token that is missing or was outlived. */
  const NO_AGENCY = 'Please configure Cloud Service Agency first';
  const keys = json(200, {
    credential: { access: 'AGENCYKEY', secret: 's', securitytoken: 't', expires_at: '2999-01-01T00:00:00.000000Z' },
  });
  const granted: Reply = (response) => void response.end('metadata-token');
  const keyOf = (authorization = '') => /Access=(\w+)/.exec(authorization)?.[1];

  it('gives keys in exchange for a token of its metadata service', async () => {
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

  it.each([404, 405, 503])(
    'gives keys without a token if the request for a token is refused with %i',
    async (status) => {
      const { url, received } = await serve(metadata(json(status, {}), page));
      await sourceFor([accountAt(url, { kind: 'ecs-agency' })]).read();
      expect(received).toHaveLength(3);
      expect(received[1]?.headers['x-metadata-token']).toBeUndefined();
    },
  );

  it('renews keys before they expire', async () => {
    const { url, received } = await serve(metadata(granted, page));
    const { read, clock } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    await read();
    clock.advance(23 * 3_600_000 + 55 * 60_000);
    await read();
    expect(keyOf(received.at(-1)?.headers.authorization)).toBe('AGENCYKEY2');
  });

  it('that does not exist is reported in one line', async () => {
    const none = (response: ServerResponse) => void response.writeHead(401).end(NO_AGENCY);
    const { url, received } = await serve((response, request) =>
      (request.method === 'PUT' ? granted : none)(response, request),
    );
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toMatch(/^This server has no agency \(account prod\)/);
    expect(suspensions.held.size).toBe(1);
    expect(await failureOf(read())).toBeInstanceOf(AccountSuspended);
    expect(received).toHaveLength(2);
  });

  it('is asked again with a token if its metadata service later requires one', async () => {
    const tokens = inTurn(json(404, {}), granted);
    const { url, received } = await serve((response, request) => {
      if (request.method === 'PUT') return tokens(response, request);
      if (request.url !== '/openstack/latest/securitykey') return page(response, request);
      const knows = request.headers['x-metadata-token'] !== undefined;
      return (knows ? keys : json(401, { message: 'token required' }))(response, request);
    });
    await sourceFor([accountAt(url, { kind: 'ecs-agency' })]).read();
    expect(received.slice(0, -1).map(({ method, headers }) => [method, headers['x-metadata-token']])).toEqual([
      ['PUT', undefined],
      ['GET', undefined],
      ['PUT', undefined],
      ['GET', 'metadata-token'],
    ]);
  });

  it('is asked again with a new token when the first is refused', async () => {
    const refusedOnce = inTurn(json(401, { message: 'invalid metadata token' }), keys);
    const { url, received } = await serve((response, request) => {
      if (request.method === 'PUT') return granted(response, request);
      return (request.url.startsWith('/v5') ? page : refusedOnce)(response, request);
    });
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    expect(await read()).toMatchObject({ attempts: 1 });
    expect(received.map(({ method }) => method)).toEqual(['PUT', 'GET', 'PUT', 'GET', 'GET']);
    expect(suspensions.held.size).toBe(0);
  });

  it('does not suspend the account if its metadata service refuses every token', async () => {
    const { url } = await serve((response, request) =>
      (request.method === 'PUT' ? granted : json(401, { message: 'invalid metadata token' }))(response, request),
    );
    const { read, suspensions } = sourceFor([accountAt(url, { kind: 'ecs-agency' })]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toMatch(/^The ECS metadata service refuses the token that it has just issued/);
    expect(suspensions.held.size).toBe(0);
  });

  it('without a metadata service suspends the account, with advice', async () => {
    const { url } = await serve(json(404, {}));
    const error = await failureOf(sourceFor([accountAt(url, { kind: 'ecs-agency' })]).read());
    expect(error).toBeInstanceOf(CredentialsRefused);
    expect(error.message).toContain('Check that this is an ECS with an attached agency.');
  });
});
