import { expect, onTestFinished, test } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import { createPool, withClient } from '../../src/postgres/connection/pool.ts';
import { outageLog } from '../../src/postgres/connection/readiness.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/tcp-proxy.ts';

const { url } = await createTestDatabase();

test('an outage of the database is one line when it begins and one when it is over, and so is the next one', async () => {
  const direct = new URL(url);
  const proxy = await startProxy(direct.hostname, Number(direct.port));
  direct.hostname = '127.0.0.1';
  direct.port = String(proxy.port);
  const pool = createPool(direct.href, { max: 2, applicationName: 'test', onError: () => {} });
  onTestFinished(() => pool.end());
  const lines: string[] = [];
  const write = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
  const log = outageLog({ debug() {}, info: write('info'), warn: write('warn'), error: write('error') });
  onTestFinished(() => log.stop());
  log.watch(pool);
  const ask = () =>
    withClient(pool, (client) => client.query('select 1')).catch((err: unknown) => log.error({ err }, 'broke off'));

  const outage = [
    'warn: the database is unreachable; the service keeps trying, and logs when it is reachable again',
    'info: the database is reachable again',
  ];
  for (const expected of [outage, [...outage, ...outage]]) {
    await proxy.cut();
    for (let tries = 0; tries < 5; tries += 1) await ask();
    expect(lines).toHaveLength(expected.length - 1);
    await proxy.restore();
    await expect.poll(() => lines).toEqual(expected);
  }

  log.warn({ err: new DatabaseError('lacks a privilege', { code: '42501' }) }, 'another matter');
  log.warn({ err: new Error('of the API') }, 'yet another');
  expect(lines.slice(4)).toEqual(['warn: another matter', 'warn: yet another']);
});
