import { expect, test } from 'vitest';
import { validate } from '../../src/core/stream/validate.ts';
import { WalkState } from '../../src/core/walk/walk-state.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { DuplicateKeys } from '../../src/sync/run/page-filters.ts';

const ORIGIN = { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' };

/** Pages of clusters, given by the names of their records, which all have one key. `gone` was the row before. */
function recordsOfOneKey(pages: readonly (readonly string[])[], row: string) {
  const walkState = new WalkState(hssProtectedClusters.order);
  const at = { origin: ORIGIN, listingKey: '' };
  const recordsOf = (names: readonly string[]) =>
    validate(
      hssProtectedClusters,
      names.map((cluster_name) => ({ cluster_id: 'c', cluster_name })),
      at,
    );
  const hash = recordsOf([row]).rows[0]?.hash ?? '';
  const parts = { stream: hssProtectedClusters, listingKey: '', walkState, known: { c: hash }, isFull: true };
  const duplicateKeys = new DuplicateKeys(parts);
  const written: unknown[] = [];
  const rejected: unknown[] = [];
  const take = ({ rows, rejects }: Pick<ReturnType<DuplicateKeys['sort']>, 'rows' | 'rejects'>) => {
    written.push(...rows.map((one) => one.row.cluster_name));
    rejected.push(...rejects.map(({ payload }) => JSON.parse(payload).cluster_name));
  };
  for (const [request, names] of pages.entries()) {
    const { rows, seen } = recordsOf(names);
    take(duplicateKeys.sort(rows));
    walkState.note({
      at: { offset: request * 10, limit: 10 },
      records: seen,
      total: 40,
      lastUpdateTime: null,
      rejects: 0,
    });
  }
  take(duplicateKeys.release('broken'));
  const lowest = recordsOf(pages.flat()).rows.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))[0]?.row.cluster_name;
  return { written, rejected: rejected.toSorted(), lowest, doubled: duplicateKeys.doubled };
}

test.each([
  ['on one page', [['a', 'b']]],
  ['on two pages', [['a'], ['b']]],
] as const)(
  'of two records with one key %s, one becomes the row once the record that was the row is not listed',
  (_, pages) => {
    const { written, rejected, lowest, doubled } = recordsOfOneKey(pages, 'gone');
    expect(written).toEqual([lowest]);
    expect(rejected).toEqual(['a', 'b'].filter((name) => name !== lowest));
    expect(Object.keys(doubled)).toEqual(['c']);
  },
);

test('the last record of a key that several records had becomes the row again', () => {
  expect(recordsOfOneKey([['a']], 'gone')).toMatchObject({ written: ['a'], rejected: [], doubled: {} });
});

test('of three records with one key only the one that is the row is written, wherever it is listed', () => {
  expect(recordsOfOneKey([['a', 'b'], ['row']], 'row')).toMatchObject({ written: ['row'], rejected: ['a', 'b'] });
});

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

test('the record that is the row of its key is recognized by the fingerprint that an earlier version stored', () => {
  const event = { event_id: 'e', event_name: 'x', event_content: '{"b":[2,1],"a":1}', update_time: 1_788_220_800_000 };
  const { rows } = validate(hssClusterEvents, [event, { ...event, event_name: 'y' }], {
    origin: ORIGIN,
    listingKey: '',
  });
  // As that version computed it for the first record.
  const known = { e: '88cb1ecb6634aa59aad8b54d1f32420d' };
  for (const isFull of [true, false]) {
    const walkState = new WalkState(hssClusterEvents.order);
    const keys = new DuplicateKeys({ stream: hssClusterEvents, listingKey: '', walkState, known, isFull });
    const { rows: written, rejects } = keys.sort(rows);
    expect([written.map(({ row }) => row.event_name), rejects.length]).toEqual([['x'], 1]);
    keys.release('open');
    expect(keys.doubled).toEqual({ e: rows[0]?.hash });
  }
});
