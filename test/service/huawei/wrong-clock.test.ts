import { describe, expect, it } from 'vitest';
import { AccountSuspended } from '../../../src/core/errors.ts';
import { testNow } from '../../support/clock.ts';
import {
  accountAt,
  failureOf,
  fakeClock,
  inTurn,
  page,
  type Reply,
  serve,
  signatureRefused,
  sourceFor,
} from './support.ts';

describe('a clock that is wrong', () => {
  const late: Reply = (response, request) => {
    response.setHeader('date', new Date(testNow() - 7 * 60_000).toUTCString());
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

  it('is mentioned when the credentials are refused', async () => {
    const { url } = await serve((response, request) => {
      response.setHeader('date', new Date(testNow() + 20 * 60_000).toUTCString());
      return signatureRefused(response, request);
    });
    const error = await failureOf(sourceFor([accountAt(url)]).read());
    expect(error.message).toContain('Your clock is 20 minutes behind');
  });

  it('is not reported without reason', async () => {
    const { url } = await serve(page);
    const { read, logger } = sourceFor([accountAt(url)]);
    await read();
    expect(logger.lines).toEqual([]);
  });

  it('suspends the account only until it is corrected', async () => {
    const HOUR = 3_600_000;
    const { url, received } = await serve(inTurn(signatureRefused, page));
    const clock = fakeClock();
    const { read, suspensions } = sourceFor([accountAt(url)], { clock });
    clock.advance(-HOUR);
    await failureOf(read());
    const held = await failureOf(read());
    expect(held.message).toContain('no request was sent');
    expect(received).toHaveLength(1);
    clock.advance(HOUR);
    expect(await read()).toMatchObject({ value: [] });
    expect(suspensions.lifted).toBe(1);
  });

  it('does not affect refusals while it is correct', async () => {
    const { url, received } = await serve(inTurn(signatureRefused, page));
    const { read } = sourceFor([accountAt(url)]);
    await failureOf(read());
    expect(await failureOf(read())).toBeInstanceOf(AccountSuspended);
    expect(received).toHaveLength(1);
  });
});
