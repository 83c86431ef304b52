import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { CHILD_CLOCK } from '../support/clock.ts';
import { createTestDatabase } from '../support/postgres.ts';

const { url } = await createTestDatabase();

test('two processes keep to 5 in every sliding window, by the clock of the server', async () => {
  const windowMs = 400;
  const arrivals: number[] = [];
  const server = createServer((_, response) => {
    arrivals.push(performance.now());
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const script = fileURLToPath(new URL('../support/take-quota.ts', import.meta.url));
  const args = [...CHILD_CLOCK.args, script, url, `http://127.0.0.1:${port}`, String(windowMs), '4', '3000'];
  const children = [1, 2].map(() =>
    spawn(process.execPath, args, {
      env: { ...process.env, ...CHILD_CLOCK.env() },
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  for (const child of children) child.stdin.write('go\n');
  await Promise.all(children.map((child) => once(child, 'exit')));

  const crowds = arrivals.map((from) => arrivals.filter((at) => at >= from && at < from + windowMs).length);
  expect(Math.max(...crowds)).toBeLessThanOrEqual(5);
  expect(arrivals.length).toBeGreaterThan(10); // of 3,000 / 440 * 5 = 34 at most
});
