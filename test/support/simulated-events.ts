import type { Scope } from '../../src/core/account.ts';
import type { RunReport } from '../../src/core/store.ts';
import { type Engine, runStream } from '../../src/sync/run/run-stream.ts';
import { quietLogger } from './engine.ts';
import { MemoryStore } from './memory-store.ts';
import { random } from './random.ts';
import { type Manner, PLAIN, SimulatedApi } from './simulated-api.ts';
import { newEvent } from './simulated-changes.ts';
import { Estate, type Item, REAL } from './simulated-estate.ts';
import { SOUND } from './simulated-faults.ts';

const scope: Scope = { account: 'a1', region: 'r1', projectId: 'p1', enterpriseProjectId: 'all_granted_eps' };
const MINUTE_MS = 60_000;

/** Events of five clusters, one a minute, a tenth of them handled since, read by the real engine on a clock of their own. */
export function simulatedEvents(rows: number, manner: Partial<Manner> = {}) {
  const dice = random(1);
  const estate = new Estate(dice, Date.UTC(2026, 0, 5));
  for (let cluster = 0; cluster < 5; cluster += 1) estate.add('clusters');
  for (let row = 0; row < rows; row += 1, estate.now += MINUTE_MS) newEvent(estate);
  const touch = (item: Item) => {
    estate.now += 20_000;
    estate.touch(item);
  };
  const handle = (share: number) => {
    for (const item of [...estate.items.events]) if (dice.chance(share)) touch(item);
  };
  handle(0.1);
  estate.now += 10 * MINUTE_MS;
  const source = new SimulatedApi({
    estate,
    manners: {
      clusters: PLAIN,
      checks: PLAIN,
      events: { ...PLAIN, cap: 10_000, ...manner },
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
  const store = new MemoryStore(() => estate.now);
  const engine: Engine = {
    source,
    store,
    clock: { now: () => estate.now, sleep: async () => {} },
    logger: quietLogger,
    timeZone: 'UTC',
    reconcileEveryMs: (stream) => stream.reconcileEveryMs,
  };
  const read = async (stream = REAL.events, full = false): Promise<RunReport> => {
    estate.now += 2 * MINUTE_MS;
    return await runStream(engine, { stream, scope }, { signal: new AbortController().signal, full });
  };
  const run = async (full = false): Promise<Pick<RunReport, 'certificate' | 'walk' | 'requests'>> => {
    const { certificate, walk, requests } = await read(REAL.events, full);
    return { certificate, walk, requests };
  };
  /** The hint of the list as a whole. */
  const hint = () => store.remembered(REAL.events, scope).get('')?.state.hint ?? null;
  return { estate, handle, touch, read, run, hint };
}
