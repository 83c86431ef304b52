import { expect, test } from 'vitest';
import { REAL } from '../support/simulated-estate.ts';
import { simulatedEvents } from '../support/simulated-events.ts';

/** 12,000 events behind a cap of 10,000, the newest last, a count that stops at the cap, and an update time of the list. */
async function split(hint: 'silent' | 'honest') {
  const events = simulatedEvents(12_000, { direction: 1, countsCap: true, hint });
  await events.read(REAL.clusters);
  expect(await events.run()).toMatchObject({ certificate: 'complete' });
  const change = () => {
    const [item] = events.estate.items.events.filter(({ update, create }) => update === create).slice(-5);
    if (item === undefined) throw new Error('every event was handled');
    events.touch(item);
  };
  return { ...events, change };
}

test('a list read in parts is polled part by part if the only sign of no change is an update time that never moved', async () => {
  const { read, change, hint } = await split('silent');
  for (let poll = 1; poll <= 2; poll += 1) {
    change();
    expect(await read()).toMatchObject({ certificate: 'complete', updated: 1 });
    expect(hint()).toMatchObject({ silent: poll });
  }
});

test('a list whose update time moved with a change is polled with one request while it is unchanged', async () => {
  const { read, change, hint } = await split('honest');
  change();
  expect(await read()).toMatchObject({ certificate: 'complete', updated: 1 });
  expect(hint()).toMatchObject({ right: 1 });
  expect(await read()).toMatchObject({ certificate: 'complete', walk: 'probe', requests: 1 });
});
