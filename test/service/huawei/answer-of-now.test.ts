import { describe, expect, it } from 'vitest';
import { accountAt, json, serve, sourceFor } from './support.ts';

const empty = { total_num: 0, data_list: [] };

describe('the time of an answer by the clock of the server', () => {
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
      return json(200, empty)(response, request);
    });
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ serverTime: null });
  });
});
