import { describe, expect, it } from 'vitest';
import type { Auth } from '../../../src/core/account.ts';
import { AccountSuspended } from '../../../src/core/errors.ts';
import { accountAt, failureOf, page, secret, serve, sourceFor } from './support.ts';

const keys = (accessKey: string, secretKey: string, securityToken?: string): Auth => ({
  kind: 'aksk',
  accessKey: secret(accessKey),
  secretKey: secret(secretKey),
  ...(securityToken === undefined ? {} : { securityToken: secret(securityToken) }),
});

describe('credentials that cannot be sent', () => {
  it.each<[string, Auth, string]>([
    [
      'a wrapped token',
      { kind: 'token', token: secret('AAAA\nBBBB') },
      'The token of account prod contains a line break',
    ],
    [
      'an invisible character',
      keys('AK\u200b1', 'SKSK'),
      'The access key of account prod contains U+200B, which is not allowed in a key or token',
    ],
    ['a wrapped secret key', keys('AKAK', 'SK\r\nSK'), 'The secret key of account prod contains a line break'],
    [
      'a space in a security token',
      keys('AKAK', 'SKSK', 'a b'),
      'The security token of account prod contains a space, which is not allowed in a key or token',
    ],
    [
      'a wrapped password',
      { kind: 'password', user: 'u', domain: 'd', password: secret('one\ntwo') },
      'The password of account prod contains a line break',
    ],
  ])('are named before a request or a place in the quota is spent: %s', async (_name, auth, says) => {
    const { url, received } = await serve(page);
    const { read, quota } = sourceFor([accountAt(url, auth)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(AccountSuspended);
    expect(error.message).toContain(says);
    expect(error.message).not.toMatch(/AAAA|SKSK|one/);
    expect([received.length, quota.taken.length]).toEqual([0, 0]);
  });

  it('do not include passwords with special characters', async () => {
    const { url, received } = await serve(page);
    const auth: Auth = { kind: 'password', user: 'u', domain: 'd', password: secret('pass word é') };
    await failureOf(sourceFor([accountAt(url, auth)]).read());
    expect(JSON.parse(received[0]?.body ?? '{}')).toMatchObject({
      auth: { identity: { password: { user: { password: 'pass word é' } } } },
    });
  });
});
