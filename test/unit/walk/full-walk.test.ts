import { expect, test } from 'vitest';
import type { Certificate } from '../../../src/core/certificate.ts';
import { fullWalk } from '../../../src/core/walk/full-walk.ts';
import type { Capped } from '../../../src/core/walk/result.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { driveWalk, requestBound } from '../../support/drive-walk.ts';
import { type ListOptions, MovingList, ORDERS, type ServerOptions } from '../../support/moving-list.ts';
import { random } from '../../support/random.ts';

interface Walked {
  readonly certificate: Certificate;
  readonly capped: Capped | null;
  readonly requests: number;
  readonly missed: readonly string[];
  readonly walkState: WalkState;
}

interface Setting extends Partial<ListOptions> {
  readonly server?: Partial<ServerOptions>;
  readonly limit?: number;
  readonly cap?: number;
  readonly between?: (list: MovingList, request: number) => void;
}

function walk({ server = {}, limit = 200, cap, between = () => {}, ...options }: Setting): Walked {
  const list = new MovingList(options, server, random(1));
  const walkState = new WalkState(ORDERS);
  const result = driveWalk(fullWalk({ limit, cap: cap ?? null, orders: ORDERS }, walkState), list, { between });
  const missed = list.listedThroughout.filter((key) => !walkState.seen.has(key));
  return { ...result, requests: walkState.requests, missed, walkState };
}

function outcome({ certificate }: Walked): string {
  return certificate.kind === 'complete' ? String(certificate.proof) : certificate.reason;
}

test('a quiet list of 9,900 rows, newest first, costs at most 52 requests', () => {
  const walked = walk({ rows: 9900, handled: 0.1 });
  expect(outcome(walked)).toBe('order');
  expect(walked.requests).toBeLessThanOrEqual(52);
});

test('quiet ordered lists of any length stay within the bound', () => {
  for (const sorting of ['update', 'create', 'id'] as const) {
    for (const direction of [1, -1] as const) {
      for (const rows of [0, 1, 5, 199, 200, 201, 390, 394, 395, 396, 589, 590, 591, 1000, 1175, 2345]) {
        const walked = walk({ rows, sorting, direction });
        expect(outcome(walked)).toMatch(/atomic|order/);
        // Exactly one full page: whether it is all only shows behind it, and the head is looked at once more.
        const bound = rows === 200 ? 3 : Math.max(1, requestBound(rows, 200));
        expect(walked.requests, `${rows} rows by ${sorting} ${direction}`).toBeLessThanOrEqual(
          // An end at a round number may be a cap, so it is looked behind.
          bound + (direction === 1 && (rows - 200) % 195 === 0 ? 1 : 0) + (rows === 1000 ? 1 : 0),
        );
      }
    }
  }
});

test('a list that fits one page is complete after one request', () => {
  const walked = walk({ rows: 150, sorting: 'shuffled' });
  expect([outcome(walked), walked.requests]).toEqual(['atomic', 1]);
});

test('a row that goes to the head behind the reader is found there', () => {
  const walked = walk({ rows: 2000, between: (list, request) => request === 5 && list.change('handleOld', 20) });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test('rows that moved from one page to the one before it are read by stepping back', () => {
  const walked = walk({ rows: 2000, between: (list, request) => request === 3 && list.change('deleteNew', 60) });
  expect([outcome(walked), walked.missed, walked.walkState.gapsClosed]).toEqual(['order', [], 1]);
});

test('a head that grew beyond one page is read until one page holds all that moved meanwhile', () => {
  const walked = walk({
    rows: 2000,
    between: (list, request) => {
      list.pass(60_000);
      if (request === 6) for (let row = 0; row < 250; row += 1) list.change('handleOld');
      list.change('handle');
    },
  });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test('a gap between two pages of a head that is read again is closed too', () => {
  let steppedBack = 0;
  for (let at = 10; at < 24; at += 1) {
    const between = (list: MovingList, request: number) => {
      if (request === 6) for (let row = 0; row < 50; row += 1) list.change('handleOld');
      if (request === 8) list.pass(1_200_000);
      if (request === 8) list.change('insert');
      if (request === at) list.change('deleteNew', 12);
    };
    const walked = walk({ rows: 200, limit: 20, between });
    if (outcome(walked) === 'order') expect(walked.missed, `deleted after request ${at}`).toEqual([]);
    steppedBack += outcome(walked) === 'order' ? walked.walkState.gapsClosed : 0;
  }
  expect(steppedBack).toBeGreaterThan(0);
});

test('equal counts do not prove a list that moved', () => {
  // The oldest row goes up, is buried under rows that were read, and a row that came makes up for it in the count.
  const between = (list: MovingList, request: number) => {
    if (request !== 3) return;
    list.change('handleOld');
    for (let row = 0; row < 23; row += 1) list.change('handleRead');
    list.change('deleteNew');
    list.change('insert');
  };
  const walked = walk({ rows: 120, spacingMs: 10, limit: 20, between });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test('more changes in five minutes than fit a page prove nothing while they go on', () => {
  const walked = walk({ rows: 3000, between: (list) => list.change('handle', 30) });
  expect(outcome(walked)).toBe('moving');
});

test('a shuffled list is never certified', () => {
  expect(outcome(walk({ rows: 500, sorting: 'shuffled' }))).toBe('unordered');
});

test('an empty response at the end of a walk does not prove that the list is empty', () => {
  for (const sorting of ['update', 'create', 'unknown', 'shuffled'] as const) {
    for (const direction of [1, -1] as const) {
      for (let slip = 2; slip < 12; slip += 1) {
        const walked = walk({ rows: 90, limit: 20, sorting, direction, server: { slips: [slip] } });
        expect(outcome(walked), `${sorting} ${direction}, request ${slip}`).not.toBe('atomic');
        if (walked.certificate.kind === 'complete') expect(walked.missed).toEqual([]);
      }
    }
  }
});

test('a list that had rows and is empty twice in a row counts as moved', () => {
  const list = { rows: 90, limit: 20, sorting: 'shuffled' } as const;
  const { requests } = walk(list);
  const walked = walk({ ...list, server: { slips: [requests, requests + 1] } });
  expect([outcome(walked), walked.walkState.moved]).toEqual(['atomic', true]);
});

test('a list in an unknown order is complete if two readings are equal', () => {
  const walked = walk({ rows: 1001, sorting: 'unknown', server: { hint: 'honest' } });
  // Ties whose order changes with every request do not matter: every rank is different.
  expect([outcome(walked), walked.requests]).toEqual(['quiet', 12]);
});

test('a list counts as moved if a row moves up past the reader while another one disappears and a third one arrives', () => {
  let claims = 0;
  for (let request = 2; request < 6; request += 1) {
    const walked = walk({
      rows: 1000,
      sorting: 'unknown',
      between: (list, at) => at === request && list.change('moveUp'),
    });
    if (outcome(walked) === 'quiet') claims += walked.missed.length;
  }
  expect(claims).toBe(0);
});

test('a list without an order is complete if rows change in their places while it is read twice', () => {
  const walks = Array.from({ length: 10 }, (_, index) =>
    walk({ rows: 1000, sorting: 'unknown', between: (list, at) => at === index + 2 && list.change('handle') }),
  );
  expect(new Set(walks.map(outcome))).toEqual(new Set(['quiet']));
  expect(walks.flatMap(({ missed }) => missed)).toEqual([]);
});

test('a list with more equal keys than fit a page is certified only if it does not move', () => {
  expect(outcome(walk({ rows: 1000, tieRun: 300, tieAt: 400, between: (list) => list.change('delete') }))).toBe('ties');
});

test('a list with equal keys that fit a page is proven by its order', () => {
  const walked = walk({
    rows: 1000,
    tieRun: 150,
    tieAt: 400,
    between: (list, at) => at === 2 && list.change('delete'),
  });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test('the end of an ascending list is read before the pass, so rows that move to its end are found', () => {
  const between = (list: MovingList) => {
    list.pass(1000);
    list.change('handleOld', 3);
  };
  const walked = walk({ rows: 1500, direction: 1, skewMs: 290_000, between });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test.each([2000, 5000, 20_000, 60_000])(
  'a row that moves behind the reader near the end of an ascending list is found (%i ms apart)',
  (spacingMs) => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const list = new MovingList(
        { rows: 120, direction: 1, spacingMs, skewMs: 299_000, handled: 0.1 },
        {},
        random(seed),
      );
      const walkState = new WalkState(ORDERS);
      const between = (_: MovingList, request: number) => {
        list.pass(2000);
        if (request > 5) list.change('handle', 2);
      };
      const { certificate } = driveWalk(fullWalk({ limit: 20, cap: null, orders: ORDERS }, walkState), list, {
        between,
      });
      if (certificate.kind === 'complete')
        expect(list.listedThroughout.filter((key) => !walkState.seen.has(key))).toEqual([]);
    }
  },
);

test('a count at the declared cap means that the list has to be split', () => {
  expect(walk({ rows: 12_000, server: { cap: 10_000, total: { most: 10_000 } }, cap: 10_000 })).toMatchObject({
    capped: { cap: 10_000, isDeclared: true },
    requests: 3,
  });
});

test('a list that grows beyond the cap while it is read has to be split', () => {
  const server = { cap: 1000, total: { most: 1000 } } as const;
  const walked = walk({ rows: 995, server, cap: 1000, between: (list) => list.change('insert', 5) });
  expect([outcome(walked), walked.capped]).toEqual(['capped', { cap: 1000, isDeclared: true }]);
});

test.each(['empty', 'error'] as const)('an undeclared cap is noticed (%s behind it)', (beyondCap) => {
  expect(walk({ rows: 3000, server: { cap: 2000, beyondCap } })).toMatchObject({
    capped: { cap: 2000, isDeclared: false },
  });
});

test('an offset that is refused because the list became shorter does not mean a cap', () => {
  const server = { cap: 1000, beyondCap: 'error' } as const;
  const walked = walk({ rows: 990, server, limit: 50, between: (list, at) => at === 15 && list.change('delete', 400) });
  expect(walked.capped).toBeNull();
});

test('a server with a page size of its own is read to the end', () => {
  const walked = walk({ rows: 1000, server: { clamp: 100 } });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test.each([5, 6, 9])('pages of %i rows, hardly longer than the overlap of two pages, are read to the end', (clamp) => {
  const walked = walk({ rows: 150, server: { clamp } });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test.each([1, 2, 3])('pages of %i rows, shorter than the overlap, hide no row from a claim', (clamp) => {
  const walked = walk({ rows: 60, server: { clamp } });
  expect(walked.certificate.kind === 'complete' ? walked.missed : []).toEqual([]);
});

test('the page size that the server applies is learnt, so a page of that size does not count as the end', () => {
  // Pages end at 100, 195, 290 ... 955, which is what the count says.
  const walked = walk({ rows: 1000, server: { clamp: 100, total: { off: -45 } } });
  expect([outcome(walked), walked.missed]).toEqual(['order', []]);
});

test('short pages of a server that filters rows do not count as the end of the list', () => {
  for (const filtered of [0.02, 0.3, 0.8]) expect(walk({ rows: 1000, server: { filtered } }).missed).toEqual([]);
});

test('a count that contradicts the list is recorded and ignored', () => {
  for (const off of [-120, 7, 5000]) {
    const walked = walk({ rows: 997, server: { total: { off } } });
    // One that promises more rows is overruled only by a second, identical reading.
    expect([outcome(walked), walked.missed]).toEqual([off < 0 ? 'order' : 'quiet', []]);
    expect(walked.certificate.evidence.totalContradicted).toBe(true);
  }
});

test('a list with a positive count and no rows proves nothing', () => {
  expect(walk({ rows: 100, server: { empties: 1 } })).toMatchObject({ capped: { cap: 0 }, requests: 3 });
});

test('rows listed twice on a page and rejects without a key are counted separately', () => {
  const walked = walk({ rows: 800, twins: 0.05, poison: 0.05, sorting: 'unknown' });
  expect(outcome(walked)).toBe('quiet');
  expect(walked.certificate.evidence.totalContradicted).toBeUndefined();
});

test('a missing value refutes an order, a value hidden by a reject does not', () => {
  expect(
    walk({ rows: 1000, nulls: true })
      .walkState.fitting()
      .map(({ name }) => name),
  ).not.toContain('update_time desc');
  expect(outcome(walk({ rows: 1000, poison: 0.1 }))).toBe('order');
});

test('an order for which no record has a readable value proves nothing', () => {
  expect(outcome(walk({ rows: 1000, poison: 1 }))).toBe('quiet');
});

test('a walk stops if the server ignores the offset', () => {
  const list = new MovingList({ rows: 1000 }, {}, random(1));
  const walkState = new WalkState(ORDERS);
  const steps = fullWalk({ limit: 200, cap: null, orders: ORDERS }, walkState);
  let step = steps.next();
  while (!step.done) step = steps.next({ ...list.observed({ offset: 0, limit: 200 }), at: step.value.at });
  expect([step.value.certificate.kind, walkState.requests < 60]).toEqual(['incomplete', true]);
});

test('a list is not certified if the server changes its order and a row can be between the two orders', () => {
  let claims = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const list = new MovingList({ rows: 600, sorting: 'create', handled: 0.002 }, {}, random(seed));
    const walkState = new WalkState(ORDERS);
    const between = (_: MovingList, request: number) => request === 6 && list.sortBy('update', -1);
    const { certificate } = driveWalk(fullWalk({ limit: 50, cap: null, orders: ORDERS }, walkState), list, { between });
    if (certificate.kind === 'complete')
      claims += list.listedThroughout.filter((key) => !walkState.seen.has(key)).length;
  }
  expect(claims).toBe(0);
});
