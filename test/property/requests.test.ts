import { expect, test } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import type { RunReport } from '../../src/core/store.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import { requestBound } from '../support/drive-walk.ts';
import { quietLogger } from '../support/engine.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { random } from '../support/random.ts';
import { type Manner, PLAIN, SimulatedApi } from '../support/simulated-api.ts';
import { newEvent } from '../support/simulated-changes.ts';
import { Estate, REAL } from '../support/simulated-estate.ts';
import { SOUND } from '../support/simulated-faults.ts';

/** What ordinary lists cost. Whatever else a proof asks for, it must not ask it of them. */

const scope: Scope = { account: 'a1', region: 'r1', projectId: 'p1', enterpriseProjectId: 'all_granted_eps' };
const MINUTE_MS = 60_000;
const ORDERED: readonly Pick<Manner, 'sorting' | 'direction'>[] = [
  { sorting: 'update', direction: -1 },
  { sorting: 'update', direction: 1 },
  { sorting: 'create', direction: -1 },
  { sorting: 'create', direction: 1 },
];

/** Cluster events, one a minute, a tenth of them handled since, read by the real engine on a clock of their own. */
function events(rows: number, order: Pick<Manner, 'sorting' | 'direction'> = PLAIN) {
  const dice = random(1);
  const estate = new Estate(dice, Date.UTC(2026, 0, 5));
  for (let cluster = 0; cluster < 5; cluster += 1) estate.add('clusters');
  for (let row = 0; row < rows; row += 1, estate.now += MINUTE_MS) newEvent(estate);
  const handle = (share: number) => {
    for (const item of [...estate.items.events]) {
      if (!dice.chance(share)) continue;
      estate.now += 20_000;
      estate.touch(item);
    }
  };
  handle(0.1);
  estate.now += 10 * MINUTE_MS;
  const source = new SimulatedApi({
    estate,
    manners: {
      clusters: PLAIN,
      checks: PLAIN,
      events: { ...PLAIN, ...order, cap: 10_000 },
      vulnerabilities: PLAIN,
      operations: PLAIN,
      instances: PLAIN,
      reports: PLAIN,
    },
    trouble: { failing: 0, empties: 0, hidden: null, refused: null },
    faults: { ...SOUND },
    plentiful: false,
    wait: () => {
      estate.now += 400;
    },
  });
  const engine: Engine = {
    source,
    store: new MemoryStore(() => estate.now),
    clock: { now: () => estate.now, sleep: async () => {} },
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => stream.reconcileEveryMs,
  };
  const run = async (full = false): Promise<Pick<RunReport, 'certificate' | 'walk' | 'requests'>> => {
    estate.now += 2 * MINUTE_MS;
    const report = await runStream(engine, REAL.events, scope, { signal: new AbortController().signal, full });
    const { certificate, walk, requests } = report;
    return { certificate, walk, requests };
  };
  return { estate, handle, run };
}

test('9,900 events are proven complete in at most 54 requests, and again at every full walk', async () => {
  const { run } = events(9_900);
  for (const full of [false, true]) {
    const report = await run(full);
    expect(report).toMatchObject({ certificate: 'complete', walk: 'full' });
    expect(report.requests).toBeLessThanOrEqual(54);
  }
});

test('a poll of a list that stands still takes one request', async () => {
  const { run } = events(3_000);
  await run();
  for (let poll = 0; poll < 5; poll += 1) {
    expect(await run()).toEqual({ certificate: 'complete', walk: 'probe', requests: 1 });
  }
});

test('a poll of a list with changes within a page takes at most two requests', async () => {
  const { handle, run } = events(3_000);
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
      const { run } = events(rows, order);
      const report = await run();
      expect(report.certificate, JSON.stringify(order)).toBe('complete');
      taken += report.requests;
      least += requestBound(rows, REAL.events.paging.limit);
    }
  }
  expect(taken / least).toBeLessThanOrEqual(1.06);
});
