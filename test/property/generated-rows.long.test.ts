import { expect, test } from 'vitest';
import { streams } from '../../src/streams/index.ts';
import { compareWays } from '../support/same-rows.ts';

const RECORDS = 300_000;

test('generated functions and the general way agree byte for byte over 300,000 odd records of all streams', () => {
  const each = Math.ceil(RECORDS / streams.length);
  for (const [index, stream] of streams.entries()) {
    const { wrong } = compareWays(stream, each, 1_000_000 + index);
    expect(wrong.slice(0, 3), `${stream.name}: ${wrong.length} of ${each} differ`).toEqual([]);
  }
});
