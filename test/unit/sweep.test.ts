import { describe, expect, it } from 'vitest';
import { judgeSweep, type MissingRow, type SweepAnswer, type SweepQuestion } from '../../src/core/sweep.ts';

const row = (id: number, enterpriseProjectId: string | null = null): MissingRow => ({
  key: [`row-${id}`],
  enterpriseProjectId,
});
const rows = (count: number, enterpriseProjectId: string | null = null) =>
  Array.from({ length: count }, (_, id) => row(id, enterpriseProjectId));

const calm: SweepQuestion = {
  live: 100,
  liveByEnterprise: new Map(),
  missing: rows(3),
  missingBefore: new Set(),
  moved: false,
  unreadable: 0,
  scopeBefore: 'all_granted_eps',
  scopeNow: 'all_granted_eps',
  acceptShrink: false,
  agreement: null,
  reconcileEveryMs: 1000,
  now: 10_000,
};

describe('after a certified walk', () => {
  it('sweeps the rows of a list that stood still', () => {
    expect(judgeSweep(calm).sweep).toHaveLength(3);
  });

  it('waits for a second walk when the list moved', () => {
    const first = judgeSweep({ ...calm, moved: true });
    expect(first.sweep).toEqual([]);
    const second = judgeSweep({
      ...calm,
      moved: true,
      missing: [row(1), row(7)],
      missingBefore: new Set(first.remember),
    });
    expect(second.sweep).toEqual([row(1)]);
    expect(second.remember).toEqual(['row-7']);
  });

  it('waits for a second walk when the whole list is gone, however short it was', () => {
    const emptied = { ...calm, live: 3 };
    const first = judgeSweep(emptied);
    expect(first).toMatchObject({ sweep: [], suspicious: false });
    expect(judgeSweep({ ...emptied, missingBefore: new Set(first.remember) }).sweep).toHaveLength(3);
    expect(judgeSweep({ ...emptied, acceptShrink: true }).sweep).toHaveLength(3);
  });

  it('does not take an empty answer for the confirmation of anything but an empty one', () => {
    const emptied = { ...calm, live: 3, missingBefore: new Set(['row-0', 'row-1']) };
    const answer = judgeSweep(emptied);
    expect(answer).toMatchObject({ sweep: [], remember: ['row-0', 'row-1', 'row-2'] });
    const shrunk = { ...calm, missing: rows(100), missingBefore: new Set(rows(60).map(({ key }) => key[0] ?? '')) };
    expect(judgeSweep({ ...shrunk, agreement: { walks: 2, lastAt: 0 } })).toMatchObject({
      sweep: [],
      agreement: { walks: 1 },
    });
  });

  it('sweeps nothing while a reject hides which row it is', () => {
    expect(judgeSweep({ ...calm, unreadable: 1 }).sweep).toEqual([]);
  });

  it('sweeps nothing under a narrower setting of enterprise projects, again and again', () => {
    const narrowed = { ...calm, scopeNow: '0' };
    expect(judgeSweep(narrowed).sweep).toEqual([]);
    expect(judgeSweep({ ...narrowed, missingBefore: new Set(['row-0', 'row-1', 'row-2']) }).sweep).toEqual([]);
    expect(judgeSweep({ ...narrowed, acceptShrink: true }).sweep).toHaveLength(3);
  });

  it('does not remember an absence that proves nothing', () => {
    expect(judgeSweep({ ...calm, unreadable: 1 }).remember).toEqual([]);
    expect(judgeSweep({ ...calm, scopeNow: '0' }).remember).toEqual([]);
  });

  it('sweeps under a wider setting', () => {
    expect(judgeSweep({ ...calm, scopeBefore: '0', scopeNow: 'all_granted_eps' }).sweep).toHaveLength(3);
  });
});

describe('a shrink beyond belief', () => {
  const shrunk = { ...calm, missing: rows(51) };

  it('stops when more than half vanished', () => {
    expect(judgeSweep(shrunk)).toMatchObject({ sweep: [], suspicious: true, agreement: { walks: 1, lastAt: 10_000 } });
    expect(judgeSweep({ ...shrunk, missing: rows(50) }).suspicious).toBe(false);
  });

  it('lets a short list lose up to ten rows', () => {
    expect(judgeSweep({ ...calm, live: 10, missing: rows(10) })).toMatchObject({ suspicious: false });
    expect(judgeSweep({ ...calm, live: 11, missing: rows(11) })).toMatchObject({ suspicious: true });
  });

  it('stops when an enterprise project vanished as a whole', () => {
    const question = {
      ...calm,
      live: 1000,
      liveByEnterprise: new Map([
        ['a', 4],
        ['0', 996],
      ]),
      missing: rows(4, 'a'),
    };
    expect(judgeSweep(question).suspicious).toBe(true);
    expect(judgeSweep({ ...question, missing: rows(3, 'a') }).suspicious).toBe(false);
  });

  it('is believed by the third walk that agrees, a reconcile period apart', () => {
    const first = judgeSweep(shrunk);
    const later = (before: SweepAnswer, now: number, missing = shrunk.missing) =>
      judgeSweep({ ...shrunk, missing, missingBefore: new Set(before.remember), agreement: before.agreement, now });
    const tooSoon = later(first, 10_500);
    expect(tooSoon.agreement).toEqual(first.agreement);
    const second = later(tooSoon, 11_000);
    expect(second).toMatchObject({ suspicious: true, agreement: { walks: 2, lastAt: 11_000 } });
    const third = later(second, 12_000);
    expect(third).toMatchObject({ suspicious: false, agreement: null });
    expect(third.sweep).toHaveLength(51);
  });

  it('is believed only as far as all three walks agree', () => {
    const first = judgeSweep({ ...shrunk, missing: rows(60) });
    const later = (before: SweepAnswer, now: number, missing: readonly MissingRow[]) =>
      judgeSweep({ ...shrunk, missing, missingBefore: new Set(before.remember), agreement: before.agreement, now });
    const second = later(first, 11_000, rows(55));
    const third = later(second, 12_000, rows(60));
    expect(third.sweep).toHaveLength(55);
    // Rows that were not missing before agree with nothing.
    const others = Array.from({ length: 60 }, (_, id) => row(id + 40));
    expect(later(second, 12_000, others)).toMatchObject({ sweep: [], suspicious: true, agreement: { walks: 1 } });
  });

  it('is believed at once when somebody says so', () => {
    expect(judgeSweep({ ...shrunk, acceptShrink: true }).sweep).toHaveLength(51);
  });

  it('starts over when the rows come back in between', () => {
    expect(judgeSweep({ ...calm, agreement: { walks: 2, lastAt: 0 } }).agreement).toBeNull();
  });
});
