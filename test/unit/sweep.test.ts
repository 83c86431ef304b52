import { describe, expect, it } from 'vitest';
import {
  certificateAfterSweep,
  confirmation,
  confirmedUntil,
  type Doubt,
  judgeSweep,
  keyText,
  LEAST_DISTANCE_MS,
  type MissingRow,
  type ParentList,
  refuted,
  type SweepDecision,
  type SweepInput,
} from '../../src/core/sweep.ts';
import { random } from '../support/random.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

type Answer = readonly string[];

/** `row-0`, `row-1` and so on. */
const rows = (count: number, from = 0): Answer => Array.from({ length: count }, (_, index) => `row-${index + from}`);

interface Situation {
  /** Enterprise project of each row. */
  readonly projectOf?: (id: string) => string | null;
  readonly question?: Partial<SweepInput>;
}

/** A table and certified full walks of its list, one after the other. */
class List {
  readonly #situation: Situation;
  readonly #live: Set<string>;
  #doubts: readonly Doubt[] = [];
  #now = 0;

  constructor(ids: Answer, situation: Situation = {}) {
    this.#live = new Set(ids);
    this.#situation = situation;
  }

  get live(): number {
    return this.#live.size;
  }

  /** A walk that contained these rows, so long after the one before. */
  walk(shown: Answer, afterMs = 0, question: Partial<SweepInput> = {}): SweepDecision {
    this.#now += afterMs;
    const seen = new Set(shown);
    const projectOf = this.#situation.projectOf ?? (() => null);
    const rowOf = (id: string): MissingRow => ({ key: [id], enterpriseProjectId: projectOf(id) });
    const liveByEnterprise = new Map<string, number>();
    for (const id of this.#live) {
      const project = projectOf(id);
      if (project !== null) liveByEnterprise.set(project, (liveByEnterprise.get(project) ?? 0) + 1);
    }
    const answer = judgeSweep({
      live: this.#live.size,
      liveByEnterprise,
      missing: [...this.#live].filter((id) => !seen.has(id)).map(rowOf),
      seen,
      listed: seen.size,
      doubts: this.#doubts,
      moved: false,
      unreadable: 0,
      surplus: 0,
      explained: 'none',
      hasParts: false,
      scopeBefore: 'all_granted_eps',
      scopeNow: 'all_granted_eps',
      acceptShrink: false,
      reconcileEveryMs: HOUR,
      now: this.#now,
      ...this.#situation.question,
      ...question,
    });
    this.#doubts = answer.doubts;
    for (const { key } of answer.sweep) this.#live.delete(keyText(key));
    for (const id of shown) this.#live.add(id);
    return answer;
  }
}

it('rows shown by a walk without a proof are no longer in doubt, and neither are those missed with them', () => {
  const doubts: readonly Doubt[] = [{ walks: 2, lastAt: 0, keys: ['a', 'b'] }];
  expect(refuted(doubts, new Set(['b', 'c']))).toEqual([]);
  expect(refuted(doubts, new Set(['c']))).toEqual(doubts);
});

it('missing rows are not marked while the count is higher than the number of rows read, because it may include them', () => {
  const answer = new List(rows(100), { question: { surplus: 3 } }).walk(rows(99));
  expect(answer).toMatchObject({ sweep: [], unconfirmed: 1, isImplausible: false });
});

describe('rows that went to another list of their stream', () => {
  const relocated = (ids: Answer): readonly MissingRow[] =>
    ids.map((id) => ({ key: [id], enterpriseProjectId: null, isRelocated: true }));
  const question: SweepInput = {
    live: 20,
    liveByEnterprise: new Map(),
    missing: relocated(rows(10)),
    seen: { has: () => false },
    listed: 10,
    doubts: [],
    moved: false,
    unreadable: 0,
    surplus: 0,
    explained: 'none',
    hasParts: false,
    scopeBefore: null,
    scopeNow: 'all_granted_eps',
    acceptShrink: false,
    reconcileEveryMs: HOUR,
    now: 0,
  };

  it('are marked at once if they are less than half of the list', () => {
    const answer = judgeSweep({ ...question, live: 21 });
    expect(answer.sweep).toHaveLength(10);
    expect(answer).toMatchObject({ unconfirmed: 0, isImplausible: false });
  });

  it('are marked only by a second walk if they are half of the list or more, because a row can stay in both lists', () => {
    const first = judgeSweep(question);
    expect(first).toMatchObject({ sweep: [], unconfirmed: 10, isImplausible: false });
    const { doubts } = first;
    expect(judgeSweep({ ...question, doubts, now: 5 * MINUTE }).sweep).toEqual([]);
    expect(judgeSweep({ ...question, doubts, now: 13 * MINUTE }).sweep).toHaveLength(10);
    const seen = { has: (key: string) => key === doubts[0]?.keys[0] };
    expect(judgeSweep({ ...question, doubts, seen, missing: [], now: 13 * MINUTE }).sweep).toEqual([]);
  });

  it('do not affect other rows, which are judged separately', () => {
    const [other] = rows(1, 10).map((id) => ({ key: [id], enterpriseProjectId: null }));
    const answer = judgeSweep({
      ...question,
      live: 200,
      missing: [...question.missing, ...(other ? [other, other, other, other, other] : [])],
    });
    expect(answer.sweep).toHaveLength(10);
    expect(answer).toMatchObject({ unconfirmed: 5, isImplausible: false });
  });

  it('do not excuse a response that lacks too many rows, because it also lacks rows of both lists', () => {
    const others = rows(5, 10).map((id) => ({ key: [id], enterpriseProjectId: null }));
    const answer = judgeSweep({ ...question, missing: [...question.missing, ...others] });
    expect(answer).toMatchObject({ sweep: [], unconfirmed: 15, isImplausible: true });
  });
});

describe('a few rows that vanish', () => {
  it('are marked at once: twenty of a thousand, and two of a hundred', () => {
    expect(new List(rows(1000)).walk(rows(980))).toMatchObject({ unconfirmed: 0, isImplausible: false });
    expect(new List(rows(1000)).walk(rows(980)).sweep).toHaveLength(20);
    expect(new List(rows(100)).walk(rows(98)).sweep).toHaveLength(2);
  });

  it('count as many if they are more than twenty, or more than two in a hundred', () => {
    for (const [live, left] of [
      [10_000, 9_979],
      [100, 97],
      [49, 48],
    ] as const) {
      const answer = new List(rows(live)).walk(rows(left));
      expect(answer).toMatchObject({ sweep: [], unconfirmed: live - left, isImplausible: false });
    }
  });

  it('from a list that moved are marked by the next walk that misses them too, also if it is a regular one', () => {
    const list = new List(rows(1000), { question: { moved: true } });
    expect(list.walk(rows(998))).toMatchObject({ sweep: [], unconfirmed: 2, confirmFrom: null, isImplausible: false });
    const [, ...others] = rows(998);
    const answer = list.walk(others, HOUR);
    expect(answer.sweep.map(({ key }) => key[0])).toEqual(['row-998', 'row-999']);
    expect(answer).toMatchObject({ unconfirmed: 1 });
  });

  it('are not marked at once by a walk in which other rows reappeared', () => {
    const list = new List(rows(100));
    list.walk(rows(90));
    expect(list.walk(rows(99), HOUR)).toMatchObject({ sweep: [], unconfirmed: 1 });
  });
});

describe('more rows than a few', () => {
  it('are marked by the third walk that misses them, twelve minutes or a twelfth of a reconcile period apart', () => {
    for (const [reconcileEveryMs, distance] of [
      [HOUR, 12 * MINUTE],
      [6 * HOUR, 30 * MINUTE],
    ] as const) {
      const list = new List(rows(100), { question: { reconcileEveryMs } });
      expect(list.walk(rows(95))).toMatchObject({ sweep: [], unconfirmed: 5, confirmFrom: distance });
      expect(list.walk(rows(95), distance)).toMatchObject({ sweep: [], confirmFrom: 2 * distance });
      expect(list.walk(rows(95), distance).sweep).toHaveLength(5);
    }
  });

  it('are not marked by any number of walks within the same minutes', () => {
    const list = new List(rows(100));
    list.walk(rows(95));
    for (let again = 0; again < 10; again += 1) expect(list.walk(rows(95), MINUTE).sweep).toEqual([]);
    // The eleventh is the second one that counts, and the one a minute after it does not.
    expect(list.walk(rows(95), 2 * MINUTE).sweep).toEqual([]);
    expect(list.walk(rows(95), MINUTE).sweep).toEqual([]);
    expect(list.walk(rows(95), 11 * MINUTE).sweep).toHaveLength(5);
  });

  it('are counted row by row: those that vanished later are marked later', () => {
    const list = new List(rows(100));
    list.walk(rows(95));
    list.walk(rows(90), 12 * MINUTE);
    expect(list.walk(rows(90), 12 * MINUTE).sweep.map(({ key }) => key[0])).toEqual(rows(5, 95));
    expect(list.walk(rows(90), 12 * MINUTE).sweep.map(({ key }) => key[0])).toEqual(rows(5, 90));
  });

  it('start over when one of them is listed again, because answers that differ confirm nothing', () => {
    const list = new List(rows(100));
    list.walk(rows(90));
    list.walk(rows(90), HOUR);
    expect(list.walk(rows(91), HOUR)).toMatchObject({ sweep: [], unconfirmed: 9 });
    expect(list.walk(rows(91), HOUR).sweep).toEqual([]);
    expect(list.walk(rows(91), HOUR).sweep).toHaveLength(9);
  });

  it('wait longer, not shorter, after a clock was set back', () => {
    const list = new List(rows(100));
    list.walk(rows(95), 2 * HOUR);
    expect(list.walk(rows(95), -HOUR).sweep).toEqual([]);
    list.walk(rows(95), 12 * MINUTE);
    expect(list.walk(rows(95), 12 * MINUTE).sweep).toHaveLength(5);
  });

  it('are marked at once with --accept-shrink', () => {
    expect(new List(rows(8)).walk([], 0, { acceptShrink: true }).sweep).toHaveLength(8);
  });
});

describe('a suspicious shrink', () => {
  it.each([
    ['a third of a list without enterprise projects', 300, 200],
    ['a fixed fifth', 25_000, 20_000],
    ['2 of 3 instances', 3, 1],
    ['3 of 4 instances', 4, 1],
    ['a list of 8 rows that is empty', 8, 0],
    ['a list of one row that is empty', 1, 0],
    ['every row of a long list', 10_000, 0],
  ])('withholds the certificate, and marks nothing in two walks however far apart: %s', (_name, live, left) => {
    const list = new List(rows(live));
    expect(list.walk(rows(left))).toMatchObject({ sweep: [], unconfirmed: live - left, isImplausible: true });
    expect(list.walk(rows(left), 26 * HOUR)).toMatchObject({
      sweep: [],
      unconfirmed: live - left,
      isImplausible: true,
    });
  });

  it('is accepted within two reconcile periods if it is real, including the time to notice it', () => {
    for (const reconcileEveryMs of [HOUR, 6 * HOUR, 24 * HOUR]) {
      const list = new List(rows(8_000), { question: { reconcileEveryMs } });
      let at = reconcileEveryMs;
      let answer = list.walk([], at);
      // The scheduler comes back with the first tick of 15 minutes at which a walk counts.
      while (answer.confirmFrom !== null) {
        const next = Math.ceil(answer.confirmFrom / (15 * MINUTE)) * 15 * MINUTE;
        answer = list.walk([], next - at);
        at = next;
      }
      expect(list.live).toBe(0);
      expect(answer.isImplausible).toBe(false);
      expect(at).toBeLessThanOrEqual(2 * reconcileEveryMs);
    }
  });

  it('does not begin with one row of two, or one in ten: the list stays certified with the number of missing rows', () => {
    for (const [live, left] of [
      [2, 1],
      [6, 5],
      [1000, 900],
    ] as const) {
      expect(new List(rows(live)).walk(rows(left))).toMatchObject({ isImplausible: false, unconfirmed: live - left });
    }
  });

  it('is an enterprise project as a whole, however few its rows are', () => {
    const projectOf = (id: string) => (Number(id.slice(4)) < 996 ? '0' : 'a');
    const whole = new List(rows(1000), { projectOf });
    expect(whole.walk(rows(996))).toMatchObject({ sweep: [], isImplausible: true, unconfirmed: 4 });
    expect(new List(rows(1000), { projectOf }).walk(rows(997)).sweep).toHaveLength(3);
  });

  it('is not confirmed by an empty response, unless it was an empty response itself', () => {
    const list = new List(rows(30));
    list.walk(rows(20));
    list.walk([], HOUR);
    expect(list.walk([], HOUR).sweep).toEqual([]);
    expect(list.walk([], HOUR).sweep).toHaveLength(30);
  });

  it('does not confirm an earlier, smaller shrink if almost everything is missing', () => {
    const list = new List(rows(100));
    list.walk(rows(95));
    list.walk(rows(95), HOUR);
    expect(list.walk(rows(40), HOUR).sweep).toEqual([]);
  });
});

describe('a list that ends where a cap would', () => {
  it.each([5_000, 500, 1_024, 4_095])('never marks the rows beyond its first %i, however many walks agree', (cap) => {
    const list = new List(rows(cap + 3_000));
    for (let walk = 0; walk < 10; walk += 1) {
      const answer = list.walk(rows(cap), 24 * HOUR);
      expect(answer).toMatchObject({ sweep: [], isImplausible: true, unconfirmed: 3_000 });
      expect(answer.confirmFrom).not.toBeNull();
    }
    expect(list.walk(rows(cap), 0, { acceptShrink: true }).sweep).toHaveLength(3_000);
  });

  it('is treated like any other list after its next change', () => {
    const list = new List(rows(8_000));
    list.walk(rows(5_000));
    list.walk(rows(5_001), HOUR);
    list.walk(rows(5_001), HOUR);
    expect(list.walk(rows(5_001), HOUR).sweep).toHaveLength(2_999);
  });

  it('is not suspected because of a few missing rows', () => {
    expect(new List(rows(5_003)).walk(rows(5_000)).sweep).toHaveLength(3);
  });

  it('that can be read in parts marks more than a few rows only in its parts, at any length', () => {
    const list = new List(rows(7_777), { question: { hasParts: true } });
    for (let walk = 0; walk < 10; walk += 1) {
      expect(list.walk(rows(4_777), 24 * HOUR)).toMatchObject({ sweep: [], doubts: [], isImplausible: true });
      const plausible = list.walk(rows(7_700), 24 * HOUR);
      expect(plausible).toMatchObject({ sweep: [], doubts: [], isImplausible: false, unconfirmed: 77 });
      expect(plausible.confirmFrom).not.toBeNull();
    }
    expect(list.walk(rows(7_770), HOUR).sweep).toHaveLength(7);
  });
});

describe('a part whose cluster is no longer listed', () => {
  it('does not count as a suspicious shrink while the cluster is missing, and its rows are marked with the cluster', () => {
    const list = new List(rows(50));
    expect(list.walk([], 0, { explained: 'likely' })).toMatchObject({
      sweep: [],
      isImplausible: false,
      unconfirmed: 50,
    });
    expect(list.walk([], 0, { explained: 'certain' }).sweep).toHaveLength(50);
    expect(new List(rows(50)).walk(rows(3), 0, { explained: 'certain' }).sweep).toHaveLength(47);
  });
});

describe('an absence that proves nothing', () => {
  it('is one beside a reject without a readable key: the row is neither marked nor remembered', () => {
    const list = new List(rows(100));
    expect(list.walk(rows(97), 0, { unreadable: 1 })).toMatchObject({ sweep: [], doubts: [], unconfirmed: 3 });
  });

  it('is one under a narrower setting of enterprise projects, in every walk', () => {
    const list = new List(rows(100), { question: { scopeNow: '0' } });
    for (let walk = 0; walk < 5; walk += 1) {
      expect(list.walk(rows(97), HOUR)).toMatchObject({ sweep: [], doubts: [], unconfirmed: 0, isImplausible: false });
    }
    expect(list.walk(rows(97), HOUR, { acceptShrink: true }).sweep).toHaveLength(3);
  });

  it('does not exist under a wider setting of enterprise projects', () => {
    const list = new List(rows(100));
    expect(list.walk(rows(98), 0, { scopeBefore: '0' }).sweep).toHaveLength(2);
  });
});

describe('answers that lack a random fifth of the rows each', () => {
  /** Walks of which each lacks a random fifth, an hour apart; answers with the walks and the rows that were marked. */
  function marksOf(length: number, lists: number): { readonly walks: number; readonly marks: number } {
    const chance = random(length);
    const all = rows(length);
    let walks = 0;
    let marks = 0;
    for (let index = 0; index < lists; index += 1) {
      const list = new List(all);
      for (let walk = 0; walk < 20; walk += 1, walks += 1) {
        marks += list.walk(
          all.filter(() => !chance.chance(0.2)),
          HOUR,
        ).sweep.length;
      }
    }
    return { walks, marks };
  }

  it.each([20, 50, 200])('mark none of %i rows in 2,000 walks', (length) => {
    expect(marksOf(length, 100)).toEqual({ walks: 2_000, marks: 0 });
  });

  it.each([1, 3, 5, 10])(
    'mark a row of %i in at most one walk of a hundred, which no answer tells from the truth',
    (length) => {
      const { walks, marks } = marksOf(length, 500);
      expect(marks / walks).toBeLessThanOrEqual(0.01);
    },
  );
});

describe('the certificate after a sweep', () => {
  const complete = {
    kind: 'complete',
    proof: 'order',
    evidence: { requests: 1, totalFirst: 1, totalLast: 1, distinct: 1, unreadable: 0, repeats: 0, rejects: 0 },
  } as const;

  it('does not mention rows that are not missing', () => {
    expect(certificateAfterSweep(complete, new List(rows(100)).walk(rows(98)))).toEqual(complete);
  });

  it('states how many rows are missing without a mark, and the earliest time at which a walk can confirm it', () => {
    const answer = new List(rows(100)).walk(rows(95));
    expect(certificateAfterSweep(complete, answer)).toMatchObject({
      kind: 'complete',
      evidence: { unconfirmed: 5, confirmFrom: LEAST_DISTANCE_MS },
    });
  });

  it('is incomplete if an implausible number of rows is missing', () => {
    const answer = new List(rows(100)).walk(rows(50));
    expect(certificateAfterSweep(complete, answer)).toMatchObject({
      kind: 'incomplete',
      reason: 'suspicious-shrink',
      evidence: { unconfirmed: 50, confirmFrom: 20 * MINUTE },
    });
  });

  it('makes the list due for a full walk as soon as such a walk can confirm the loss', () => {
    const { evidence } = certificateAfterSweep(complete, new List(rows(100)).walk(rows(50)));
    expect(confirmation(evidence, 20 * MINUTE - 1)).toBe('waits');
    expect(confirmation(evidence, 20 * MINUTE)).toBe('due');
    expect(confirmation(complete.evidence, HOUR)).toBe('none');
    expect(confirmation(null, HOUR)).toBe('none');
  });
});

describe('marking a parent marks its children', () => {
  const list: ParentList = { certificate: 'complete', certifiedAt: HOUR, doubts: [], rejects: 0 };
  const until = HOUR - LEAST_DISTANCE_MS;

  it.each<[string, readonly (ParentList | null)[], number | null]>([
    ['when it is at least twelve minutes older than the certificate of its list', [list], until],
    ['or than the oldest of the certificates of all its lists', [list, { ...list, certifiedAt: 2 * HOUR }], until],
    ['not when one of them was never read', [list, null], null],
    ['not when one of them is not certified', [list, { ...list, certificate: 'incomplete' }], null],
    ['not while rows of one of them are in doubt', [{ ...list, doubts: [{ walks: 1, lastAt: 0, keys: ['x'] }] }], null],
    ['not while one of them has a record that could not be read', [{ ...list, rejects: 1 }], null],
    ['not without any list', [], null],
  ])('%s', (_name, lists, expected) => {
    expect(confirmedUntil(lists)).toBe(expected);
  });
});
