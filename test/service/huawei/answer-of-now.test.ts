import { describe, expect, it } from 'vitest';
import { accountAt, events, fakeClock, inTurn, json, type Reply, serve, sourceFor } from './support.ts';

const empty = { total_num: 0, data_list: [] };

describe('the time of a response by the clock of the server', () => {
  it.each([
    ['is its Date header', 'Sat, 28 Nov 2026 05:30:00 GMT', Date.UTC(2026, 10, 28, 5, 30)],
    ['is unknown when the header is no date', 'yesterday', null],
  ])('%s', async (_name, date, expected) => {
    const { url } = await serve(json(200, empty, { date }));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ serverTime: expected });
  });

  it('is unknown when the server sends no Date header', async () => {
    const { url } = await serve((response, request) => {
      response.sendDate = false;
      response.removeHeader('date');
      return json(200, empty)(response, request);
    });
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ serverTime: null });
  });
});

describe('a request for a page', () => {
  it('tells caches not to answer', async () => {
    const { url, received } = await serve(json(200, empty));
    await sourceFor([accountAt(url)]).read();
    expect(received[0]?.headers).toMatchObject({ 'cache-control': 'no-cache', pragma: 'no-cache' });
  });

  it('that is repeated sends its parameters in another order, with the same signature', async () => {
    const { url, received } = await serve(json(200, empty));
    const { read } = sourceFor([accountAt(url)]);
    await read();
    await read({ ...events, again: true });
    const [first = '', second = ''] = received.map((request) => request.url);
    const parameters = (target: string) => [...new URLSearchParams(target.split('?')[1])];
    expect(second).not.toBe(first);
    expect(parameters(second)).toEqual(parameters(first).reverse());
  });
});

describe('a response is detected as stale', () => {
  const MINUTE = 60_000;
  const NOON = Date.UTC(2026, 10, 28, 12);
  const at = (ms: number, headers: Record<string, string> = {}, body: unknown = empty): Reply =>
    json(200, body, { date: new Date(ms).toUTCString(), ...headers });

  /** Whether each of the answers is taken for an old one; `waits` pass before them. */
  async function judged(replies: readonly Reply[], waits: readonly number[] = []): Promise<boolean[]> {
    const { url } = await serve(inTurn(...replies));
    const clock = fakeClock();
    const { read } = sourceFor([accountAt(url)], { clock });
    const old: boolean[] = [];
    for (const index of replies.keys()) {
      clock.advance(waits[index] ?? 0);
      old.push((await read()).isOld);
    }
    return old;
  }

  it('when a cache states its age', async () => {
    expect(await judged([at(NOON, { age: '0' }), at(NOON, { age: '7' })])).toEqual([false, true]);
  });

  it('when its Date is before that of a response received before the request was sent', async () => {
    expect(await judged([at(NOON), at(NOON - MINUTE), at(NOON + 1_000)])).toEqual([false, true, false]);
  });

  it('not when clocks of several servers differ by a few seconds', async () => {
    expect(await judged([at(NOON), at(NOON - 3_000), at(NOON - 5_000)])).toEqual([false, false, false]);
  });

  it('not when the clock of this machine was set back together with that of the server', async () => {
    expect(await judged([at(NOON), at(NOON - 10 * MINUTE)], [0, -10 * MINUTE])).toEqual([false, false]);
  });

  it('not after the server has had the earlier time for 15 minutes', async () => {
    const later = [1, 2, 16, 17].map((minutes) => at(NOON - 60 * MINUTE + minutes * MINUTE));
    const waits = [0, MINUTE, MINUTE, 14 * MINUTE, MINUTE];
    expect(await judged([at(NOON), ...later], waits)).toEqual([false, true, true, false, false]);
  });

  it('when it repeats the request id and the body of another response, whatever its Date', async () => {
    const replay = at(NOON + MINUTE, { 'x-request-id': 'r1' });
    expect(await judged([at(NOON, { 'x-request-id': 'r1' }), replay])).toEqual([false, true]);
  });

  it('when it repeats a request id in the body, if no header has one', async () => {
    const replay = at(NOON, {}, { ...empty, request_id: 'r2' });
    expect(await judged([replay, replay])).toEqual([false, true]);
  });

  it('not when the server gives all its responses the same id', async () => {
    const one = { 'x-request-id': 'gateway' };
    const answers = [1, 2, 3].map((total) => at(NOON, one, { total_num: total, data_list: [] }));
    expect(await judged(answers)).toEqual([false, false, false]);
  });
});
