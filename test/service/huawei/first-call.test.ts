import { describe, expect, it } from 'vitest';
import { PermissionRefused } from '../../../src/core/errors.ts';
import {
  accountAt,
  events,
  failureOf,
  inTurn,
  json,
  page,
  scope,
  serve,
  signatureRefused,
  sourceFor,
} from './support.ts';

describe('the first call of an account', () => {
  it('runs alone; the others follow together after its success', async () => {
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

  it('lets the next one run alone if it proved nothing', async () => {
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

  it('proves the credentials even if permission is refused', async () => {
    const { url, received } = await serve(inTurn(json(400, { error_code: 'HSS.0013' }), page));
    const { read, suspensions } = sourceFor([accountAt(url)]);
    expect(await failureOf(read())).toBeInstanceOf(PermissionRefused);
    expect(suspensions.lifted).toBe(1);
    await read();
    expect(suspensions.lifted).toBe(1);
    expect(received).toHaveLength(2);
  });

  it('is not waited for after the caller aborts', async () => {
    const { url } = await serve(() => {});
    const { source, read, stop } = sourceFor([accountAt(url)]);
    const first = failureOf(read());
    const impatient = new AbortController();
    const second = failureOf(source.read(scope, events, { parse: () => null, signal: impatient.signal }));
    setTimeout(() => impatient.abort(new Error('enough')), 30);
    expect((await second).message).toBe('enough');
    stop.abort(new Error('done'));
    expect((await first).message).toBe('done');
  });
});
