import { expect, test } from 'vitest';
import type { ObservedPage, SeenRecord } from '../../../src/core/walk/observed-page.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { walkFor } from '../../../src/sync/run/walk-listing.ts';

const rows = (count: number): SeenRecord[] =>
  Array.from({ length: count }, (_, index) => ({ key: `${index}`, content: 'c', sort: [] }));

/** Answers one after the other; the last one again and again. */
function walk(...answers: readonly Partial<ObservedPage>[]) {
  const walkState = new WalkState([]);
  const steps = walkFor('whole', { limit: 1_000_000, cap: null, orders: [], wholeRefused: false }, walkState);
  let step = steps.next();
  let asked = 0;
  while (!step.done) {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    expect(step.value.at.offset, 'a list without pages has no other place').toBe(0);
    const { records = [] } = answer ?? {};
    step = steps.next({
      at: step.value.at,
      total: records.length,
      lastUpdateTime: null,
      rejects: 0,
      ...answer,
      records,
    });
  }
  const { certificate } = step.value;
  return { ...certificate, asked };
}

test('one response contains the whole list if it has no pages', () => {
  expect(walk({ records: rows(3) })).toMatchObject({ kind: 'complete', proof: 'atomic', asked: 1 });
  expect(walk({ records: rows(5_000) })).toMatchObject({ kind: 'complete', proof: 'atomic', asked: 1 });
  expect(walk({ records: [] })).toMatchObject({ kind: 'complete', proof: 'atomic', asked: 1 });
});

test('a response with fewer rows than its count is requested again, and then proves nothing', () => {
  const short = { records: rows(3), total: 4 };
  expect(walk(short, { records: rows(4) })).toMatchObject({ kind: 'complete', asked: 2 });
  expect(walk(short)).toMatchObject({ kind: 'incomplete', reason: 'count', asked: 2 });
  expect(walk({ records: [], total: 4 })).toMatchObject({ kind: 'incomplete', reason: 'count' });
});

test('a count below the number of rows of its own response is ignored', () => {
  expect(walk({ records: rows(3), total: 2 })).toMatchObject({
    kind: 'complete',
    evidence: { totalContradicted: true },
  });
});

test('a list without pages proves nothing if its response is suspect', () => {
  expect(walk({ records: rows(3), suspect: 'old-answer' })).toMatchObject({ kind: 'incomplete', reason: 'old-answer' });
});
