import { expect, test } from 'vitest';
import { validate } from '../../src/core/stream/validate.ts';
import { WalkState } from '../../src/core/walk/walk-state.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { DuplicateKeys } from '../../src/sync/run/page-filters.ts';

const ORIGIN = { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' };

test('a row that changes several times while its list is read ends with the content shown last', () => {
  const walkState = new WalkState(hssProtectedClusters.order);
  const duplicateKeys = new DuplicateKeys({
    stream: hssProtectedClusters,
    listingKey: '',
    walkState,
    known: {},
    isFull: true,
  });
  const written: unknown[] = [];
  for (const [request, cluster_name] of ['first', 'second', 'first', 'third'].entries()) {
    const { rows, seen } = validate(hssProtectedClusters, [{ cluster_id: 'c', cluster_name }], {
      origin: ORIGIN,
      listingKey: '',
    });
    written.push(...duplicateKeys.sort(rows).rows.map(({ row }) => row.cluster_name));
    const at = { offset: request * 10, limit: 10 };
    walkState.note({ at, records: seen, total: 40, lastUpdateTime: null, rejects: 0 });
  }
  written.push(...duplicateKeys.release('unique').rows.map(({ row }) => row.cluster_name));
  expect(written.at(-1)).toBe('third');
});
