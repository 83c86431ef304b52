import { expect, test } from 'vitest';
import { LANES_AT_ONCE } from '../../src/core/ports.ts';
import { streams } from '../../src/streams/index.ts';
import { forEachLane } from '../../src/sync/once.ts';

test('at most as many lanes work at once as the process has database connections for, with any number of accounts', async () => {
  const scopes = Array.from({ length: 30 }, (_, index) => ({
    account: `account ${index}`,
    region: 'r',
    projectId: `p${index}`,
    enterpriseProjectId: '0',
  }));
  let now = 0;
  let most = 0;
  let done = 0;
  await forEachLane(streams, scopes, async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((turn) => setImmediate(turn));
    now -= 1;
    done += 1;
  });
  expect({ most, done }).toEqual({ most: LANES_AT_ONCE, done: streams.length * scopes.length });
});
