import { expect, test } from 'vitest';
import { systemClock } from '../../src/app.ts';

test('a sleep ends with the reason of its signal, before it starts or in the middle', async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort(new Error('stopping'));
  await expect(sleeping).rejects.toThrow('stopping');
  await expect(systemClock.sleep(60_000, stop.signal)).rejects.toThrow('stopping');
});

test('a sleep of no or negative length ends at once, one beyond 32 bits does not', async () => {
  await systemClock.sleep(0);
  await systemClock.sleep(-5);
  const long = systemClock.sleep(2 ** 31 + 1, AbortSignal.timeout(20));
  await expect(long).rejects.toMatchObject({ name: 'TimeoutError' });
});
