import { describe, expect, it } from 'vitest';
import { ParameterRefused, PermissionRefused, RequestFailed, Unreachable } from '../../../src/core/errors.ts';
import { PLENTY_PER_MINUTE } from '../../../src/core/ports.ts';
import { testNow } from '../../support/clock.ts';
import { accountAt, events, failureOf, inTurn, json, page, type Reply, scope, serve, sourceFor } from './support.ts';

const reset: Reply = (response) => void response.socket?.resetAndDestroy();
const raw =
  (status: number, type: string, text: string): Reply =>
  (response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  };
const cutShort: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
  response.write('{"total_num":1,"data_list":[{"a":');
  setTimeout(() => response.destroy(), 20);
};
const throttled = (headers: Record<string, string> = {}) =>
  json(
    429,
    {
      error_msg: 'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute',
      error_code: 'APIGW.0308',
    },
    headers,
  );
const unavailable = json(503, { error_code: 'APIG.0613', error_msg: 'unavailable' });

describe('a page', () => {
  it.each<[string, Reply]>([
    ['a reset connection', reset],
    ['a body cut short', cutShort],
    ['truncated JSON', raw(200, 'application/json', '{"total_num":1,"data_list":[{"a"')],
    ['garbage', raw(200, 'application/json', '\u0000\u0001garbage')],
    ['an empty body', raw(200, 'application/json', '')],
    ['a 200 that is HTML', raw(200, 'text/html', '<html><title>Sign in</title></html>')],
    ['a 502 that is HTML', raw(502, 'text/html', '<html><title>Bad Gateway</title></html>')],
    ['a missing list', json(200, { total_num: 3 })],
    ['408', json(408, {})],
    ['500', json(500, { error_code: 'APIG.0601' })],
    ['503', unavailable],
    ['429', throttled()],
  ])('is read in spite of %s', async (_name, bad) => {
    const { url, received } = await serve(inTurn(bad, page));
    const { read, quota } = sourceFor([accountAt(url)]);
    expect(await read()).toMatchObject({ value: [], attempts: 2, requestId: 'req-1' });
    expect(received).toHaveLength(2);
    expect(quota.taken).toEqual([`prod ${events.operation}`, `prod ${events.operation}`]);
    expect(quota.done).toHaveLength(2);
  });

  it.each<[string, Reply, [kind: new (...args: never[]) => Error, message: RegExp]]>([
    ['resets', reset, [Unreachable, /^HSS gave no answer: .*account prod.*Check network/]],
    ['garbage', raw(200, 'text/plain', 'garbage'), [Unreachable, /no usable answer: 200 .*text\/plain/]],
    ['missing lists', json(200, {}), [Unreachable, /there is no data_list/]],
    ['500', json(500, { error_code: 'APIG.0601' }), [RequestFailed, /HSS failed: 500 APIG\.0601.*Tried 4 times/]],
    ['HTML 502', raw(502, 'text/html', '<title>Bad Gateway</title>'), [RequestFailed, /502 "Bad Gateway"/]],
    ['throttles', throttled(), [RequestFailed, /throttled.*429 APIGW\.0308.*Throttled in 4 of 4 attempts/]],
  ])('is given up after four %s', async (_name, bad, [kind, message]) => {
    const { url, received } = await serve(bad);
    const { read, quota } = sourceFor([accountAt(url)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(received).toHaveLength(4);
    expect(quota.done).toHaveLength(4);
  });

  it.each<[number, string, new (...args: never[]) => Error]>([
    [400, 'HSS.0001', ParameterRefused],
    [400, 'HSS.0013', PermissionRefused],
    [409, 'HSS.1005', RequestFailed],
  ])('that is refused with %i %s is not requested again', async (status, code, kind) => {
    const { url, received } = await serve(json(status, { error_code: code, error_msg: 'no' }));
    const { read, quota } = sourceFor([accountAt(url)]);
    expect(await failureOf(read())).toBeInstanceOf(kind);
    expect(received).toHaveLength(1);
    expect(quota.done).toEqual([undefined]);
  });

  it('backs off exponentially', async () => {
    const { url } = await serve(unavailable);
    const { read, clock } = sourceFor([accountAt(url)]);
    await failureOf(read());
    expect(clock.slept).toEqual([500, 1_000, 2_000]);
  });

  it('waits for Retry-After, in seconds or as a date', async () => {
    const { url } = await serve(
      inTurn(
        json(503, {}, { 'retry-after': '7' }),
        (response, request) => {
          const date = new Date(testNow() + 15_000).toUTCString();
          return json(503, {}, { 'retry-after': date })(response, request);
        },
        page,
      ),
    );
    const { read, clock } = sourceFor([accountAt(url)]);
    await read();
    expect(clock.slept[0]).toBe(7_000);
    // The fake clock is already 7 s on.
    expect(clock.slept[1]).toBeGreaterThan(6_000);
    expect(clock.slept[1]).toBeLessThanOrEqual(8_000);
  });

  it('holds its operation for at most 15 minutes, even for a longer Retry-After, and reports it', async () => {
    const { url } = await serve(throttled({ 'retry-after': '86400' }));
    const { read, quota, clock } = sourceFor([accountAt(url)]);
    const error = await failureOf(read());
    expect(quota.done[0]).toMatchObject({ retryAfterMs: 15 * 60_000 });
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(15 * 60_000);
    expect(error.message).toContain('a wait of more than 15 minutes');
  });

  it('waits for the whole Retry-After of up to 15 minutes if the account has no limit', async () => {
    const { url, received } = await serve(inTurn(throttled({ 'retry-after': '300' }), page));
    const { read, clock } = sourceFor([{ ...accountAt(url), requestsPerMinute: PLENTY_PER_MINUTE }]);
    expect(await read()).toMatchObject({ attempts: 2, throttled: 1 });
    expect(received).toHaveLength(2);
    expect(clock.slept).toEqual([300_000]);
  });

  it('fails at once if Retry-After is longer than its time budget', async () => {
    const { url, received } = await serve(json(503, {}, { 'retry-after': '120' }));
    const { read, clock } = sourceFor([accountAt(url)]);
    expect(await failureOf(read())).toBeInstanceOf(RequestFailed);
    expect(received).toHaveLength(1);
    expect(clock.slept).toEqual([]);
  });

  it('reports a throttled response to the quota, and counts it', async () => {
    const { url } = await serve(inTurn(throttled({ 'retry-after': '90' }), throttled(), page));
    const { read, quota } = sourceFor([accountAt(url)]);
    expect(await read()).toMatchObject({ attempts: 3, throttled: 2 });
    expect(quota.done).toEqual([
      { retryAfterMs: 90_000, limit: 5, windowMs: 60_000, dimension: 'user' },
      { retryAfterMs: null, limit: 5, windowMs: 60_000, dimension: 'user' },
      undefined,
    ]);
  });

  it('does not count throttling against its time budget', async () => {
    const long = throttled({ 'retry-after': '3600' });
    const { url } = await serve(inTurn(long, long, unavailable, page));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ attempts: 4, throttled: 2 });
  });

  it('ends at its deadline even with a dripping body', async () => {
    const { url, received } = await serve((response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    });
    const { read } = sourceFor([accountAt(url)], { pageTimeoutMs: 300 });
    const startedMs = performance.now();
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('no complete response within pageTimeout');
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(received).toHaveLength(1);
  });

  it('limits the size of a response, and does not request a larger one again', async () => {
    const { url, received } = await serve((response) => {
      response.writeHead(200);
      response.end(Buffer.alloc(33 * 1024 * 1024, 32));
    });
    const error = await failureOf(sourceFor([accountAt(url)]).read());
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('larger than 32 MB');
    expect(received).toHaveLength(1);
  });

  it('is not retried after the caller aborts', async () => {
    const { read, stop, quota, clock } = await (async () => {
      const { url } = await serve((response) => {
        response.writeHead(200);
        response.write('{');
        setTimeout(() => world.stop.abort(new Error('stopping')), 30);
      });
      const world = sourceFor([accountAt(url)]);
      return world;
    })();
    await expect(read()).rejects.toThrow(/^stopping$/);
    expect(stop.signal.aborted).toBe(true);
    expect(quota.taken).toHaveLength(1);
    expect(quota.done).toHaveLength(1);
    expect(clock.slept).toEqual([]);
  });

  it('takes no quota after the caller aborts', async () => {
    const { url, received } = await serve(page);
    const { read, stop, quota } = sourceFor([accountAt(url)]);
    stop.abort(new Error('stopped before'));
    await expect(read()).rejects.toThrow('stopped before');
    expect([quota.taken.length, received.length]).toEqual([0, 0]);
  });

  it('rethrows errors of `parse`', async () => {
    const { url, received } = await serve(page);
    const { source } = sourceFor([accountAt(url)]);
    const parse = () => {
      throw new RangeError('a bug');
    };
    await expect(source.read(scope, events, { parse, signal: new AbortController().signal })).rejects.toThrow(
      RangeError,
    );
    expect(received).toHaveLength(1);
  });

  it('keeps every digit of a long number', async () => {
    const { url } = await serve(raw(200, 'application/json', '{"data_list":[9223372036854775807]}'));
    expect((await sourceFor([accountAt(url)]).read()).value).toEqual([9223372036854775807n]);
  });

  it('reports a refused connection', async () => {
    const error = await failureOf(sourceFor([accountAt('http://127.0.0.1:1')]).read());
    expect(error.message).toMatch(/^HSS gave no answer: .*ECONNREFUSED/);
  });
});
