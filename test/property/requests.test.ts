import { expect, test } from 'vitest';
import { requestBound } from '../support/drive-walk.ts';
import type { Manner } from '../support/simulated-api.ts';
import { REAL } from '../support/simulated-estate.ts';
import { simulatedEvents } from '../support/simulated-events.ts';

/** What ordinary lists cost. Whatever else a proof asks for, it must not ask it of them. */

const ORDERED: readonly Pick<Manner, 'sorting' | 'direction'>[] = [
  { sorting: 'update', direction: -1 },
  { sorting: 'update', direction: 1 },
  { sorting: 'create', direction: -1 },
  { sorting: 'create', direction: 1 },
];

test('9,900 events are proven complete in at most 54 requests, and again at every full walk', async () => {
  const { run } = simulatedEvents(9_900);
  for (const full of [false, true]) {
    const report = await run(full);
    expect(report).toMatchObject({ certificate: 'complete', walk: 'full' });
    expect(report.requests).toBeLessThanOrEqual(54);
  }
});

test('a poll of an unchanged list takes one request', async () => {
  const { run } = simulatedEvents(3_000);
  await run();
  for (let poll = 0; poll < 5; poll += 1) {
    expect(await run()).toEqual({ certificate: 'complete', walk: 'probe', requests: 1 });
  }
});

test('a poll of a list with changes within a page takes at most two requests', async () => {
  const { handle, run } = simulatedEvents(3_000);
  await run();
  for (let poll = 0; poll < 5; poll += 1) {
    handle(0.03);
    const report = await run();
    expect(report).toMatchObject({ certificate: 'complete', walk: 'head' });
    expect(report.requests).toBeLessThanOrEqual(2);
  }
});

test('full walks of ordered lists take at most 1.06 times the least that overlapping pages take', async () => {
  let taken = 0;
  let least = 0;
  for (const order of ORDERED) {
    for (const rows of [1_500, 4_000]) {
      const { run } = simulatedEvents(rows, order);
      const report = await run();
      expect(report.certificate, JSON.stringify(order)).toBe('complete');
      taken += report.requests;
      least += requestBound(rows, REAL.events.paging.limit);
    }
  }
  expect(taken / least).toBeLessThanOrEqual(1.06);
});
