import { expect, test } from 'vitest';
import { rowMakerOf } from '../../src/core/stream/row-maker.ts';
import { agreementOf } from '../../src/core/stream/validate.ts';
import { streams } from '../../src/streams/index.ts';
import { documentedRecord } from '../support/odd-records.ts';
import { compareWays } from '../support/same-rows.ts';

const origin = { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' };

test('generated functions and the general way make the same rows, fingerprints, COPY lines and drift of odd records', () => {
  for (const [index, stream] of streams.entries()) {
    const { made, agreed, wrong } = compareWays(stream, 15, index);
    expect(wrong, stream.name).toEqual([]);
    expect(made, `rows of ${stream.name} made by its generated function`).toBeGreaterThan(2);
    expect(agreed, `records of ${stream.name} that agree with the documents`).toBeGreaterThan(0);
  }
});

test('a record as in the documents is converted and compared by the generated functions of every stream', () => {
  for (const stream of streams) {
    const record = { ...documentedRecord(stream), project_id: 'p', region: 'r' };
    expect(rowMakerOf(stream)?.(record, { origin, isClean: true }), stream.name).not.toBe(false);
    expect(agreementOf(stream)?.(record, origin), stream.name).toBe(true);
  }
});
