import { describe, expect, it } from 'vitest';
import { AccountSuspended, CredentialsRefused } from '../../../src/core/errors.ts';
import { testNow } from '../../support/clock.ts';
import { accountAt, events, failureOf, json, page, type Reply, serve, sourceFor } from './support.ts';

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
