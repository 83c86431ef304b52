import { random } from '../../test/support/random.ts';
import { handle, newEvent, newReport, newVulnerability } from '../../test/support/simulated-changes.ts';
import { Estate, type Kind } from '../../test/support/simulated-estate.ts';

const DAY_MS = 86_400_000;

/** Kinds of changes in a day, with their frequency. */
const HABITS: readonly { readonly perDay: number; readonly happens: (estate: Estate) => void }[] = [
  { perDay: 300, happens: (estate) => newEvent(estate) },
  { perDay: 200, happens: (estate) => touchAny(estate, 'events') },
  { perDay: 20, happens: (estate) => touchAny(estate, 'clusters') },
  { perDay: 20, happens: (estate) => touchAny(estate, 'checks') },
  { perDay: 60, happens: (estate) => newVulnerability(estate, 0) },
  { perDay: 40, happens: handleAny },
  { perDay: 30, happens: (estate) => touchAny(estate, 'vulnerabilities') },
  { perDay: 4, happens: (estate) => touchAny(estate, 'instances') },
  { perDay: 40, happens: (estate) => newReport(estate) },
  { perDay: 80, happens: progress },
];

/** 20 clusters, 8,000 events, 3,000 vulnerabilities of which 400 are handled, 4 instances with 900 reports. */
export function typicalEstate(seed: number, now: number): Estate {
  const estate = new Estate(random(seed), now - 40 * DAY_MS);
  const add = (count: number, make: () => void) => {
    const step = Math.floor((40 * DAY_MS) / (count + 1));
    estate.now = now - 40 * DAY_MS;
    for (let left = count; left > 0; left -= 1) {
      estate.now += step;
      make();
    }
  };
  add(20, () => estate.add('clusters'));
  add(20, () => estate.add('checks'));
  add(8000, () => newEvent(estate));
  add(3000, () => newVulnerability(estate, 0));
  for (const item of estate.items.vulnerabilities.slice(0, 400)) {
    estate.now = item.create + 60_000;
    handle(estate, item);
  }
  add(4, () => estate.add('instances'));
  add(900, () => newReport(estate));
  estate.now = now - 35 * DAY_MS;
  for (const item of estate.items.events.filter(() => estate.random.chance(0.4))) {
    estate.now = Math.max(estate.now + 1000, item.create + 3_600_000);
    if (estate.now < now) estate.touch(item);
  }
  estate.now = now;
  return estate;
}

/** The next change, and the time until then. */
export function nextHabit(estate: Estate): { readonly afterMs: number; readonly happens: () => void } {
  const all = HABITS.reduce((sum, { perDay }) => sum + perDay, 0);
  const afterMs = Math.max(1, Math.round((-Math.log(1 - estate.random()) * DAY_MS) / all));
  let at = estate.random() * all;
  const habit = HABITS.find(({ perDay }) => {
    at -= perDay;
    return at < 0;
  });
  return { afterMs, happens: () => habit?.happens(estate) };
}

function touchAny(estate: Estate, kind: Kind): void {
  const item = estate.any(kind);
  if (item !== undefined) estate.touch(item);
}

/** Advances a report in progress: one of the newest of its instance. */
function progress(estate: Estate): void {
  const newest = estate.items.reports.toSorted((a, b) => b.create - a.create);
  const item = newest[estate.random.int(8)];
  if (item !== undefined) estate.touch(item);
}

/** Handles an open vulnerability, or reverts an earlier decision. */
function handleAny(estate: Estate): void {
  const wanted = estate.random.chance(0.75) ? 'unhandled' : 'handled';
  for (let tries = 0; tries < 100; tries += 1) {
    const item = estate.any('vulnerabilities');
    if (item?.params.handle_status !== wanted) continue;
    handle(estate, item);
    return;
  }
}
