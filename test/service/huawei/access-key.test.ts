import { describe, expect, it } from 'vitest';
import type { Auth } from '../../../src/core/account.ts';
import { AccountSuspended, CredentialsRefused } from '../../../src/core/errors.ts';
import { authorizationHeader } from '../../../src/huawei/credentials/authorization.ts';
import {
  AKSK,
  accountAt,
  events,
  failureOf,
  inTurn,
  json,
  page,
  scope,
  secret,
  serve,
  signatureRefused,
  sourceFor,
} from './support.ts';

const other = { ...scope, account: 'test' };

describe('a request with an access key', () => {
  it('is signed over the bytes that are sent', async () => {
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

  it('sends the region to HSS', async () => {
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

  it('reports the refusal and the end of the suspension, without secrets', async () => {
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

  it('is tried at once after it was changed', async () => {
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

  it('that was valid before suspends the account once, even with many requests in flight', async () => {
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
