import { expect, test } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/ports.ts';
import { createLogger } from '../../src/logger.ts';

/** What `log` writes, as text and decoded. */
async function written(log: (logger: Logger) => void, level: 'debug' | 'info' = 'info') {
  let text = '';
  const stream = {
    write(line: string) {
      text += line;
    },
  };
  log(await createLogger({ level, to: 'stdout', stream }));
  const lines: Record<string, unknown>[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { text, lines };
}

test('a line is one JSON object with level, time and message', async () => {
  const { lines } = await written((logger) =>
    logger.info({ stream: 'hss_cluster_events', total: 12345678901234567890n }, 'done'),
  );
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      stream: 'hss_cluster_events',
      total: expect.anything(),
      msg: 'done',
    },
  ]);
});

test('lines below the level are not written', async () => {
  expect((await written((logger) => logger.debug({}, 'detail'))).lines).toHaveLength(0);
  expect((await written((logger) => logger.debug({}, 'detail'), 'debug')).lines).toHaveLength(1);
});

test.for([
  { headers: { anything: 's3cret' } },
  { request: { Authorization: 's3cret' } },
  { 'X-Auth-Token': 's3cret' },
  { a: [{ b: { x_security_token: 's3cret' } }] },
  { account: { auth: { secretKey: 's3cret', accessKey: 's3cret' } } },
  { secret_access_key: 's3cret', password: 's3cret', token: 's3cret', securityToken: 's3cret', SK: 's3cret' },
  { err: Object.assign(new Error('failed'), { config: { password: 's3cret' } }) },
  { error: new DatabaseError('away', {}, { cause: Object.assign(new Error('inner'), { token: 's3cret' }) }) },
  { url: 'postgres://user:s3cret@db:5432/x', note: 'from postgres://user:s3cret@db:5432/x?sslmode=require' },
])('no secret is written: %j', async (fields) => {
  const { text } = await written((logger) => logger.error(fields, 'cannot reach postgres://user:s3cret@db/x'));
  expect(text).toContain('cannot reach postgres://user:***@db/x');
  expect(text).not.toContain('s3cret');
});

test('an error keeps its name, message, context and cause, under any key', async () => {
  const error = new DatabaseError('away', { code: '57P03' }, { cause: new Error('inner') });
  const { lines } = await written((logger) => logger.warn({ problem: error }, 'x'));
  expect(lines[0]?.problem).toMatchObject({
    type: 'DatabaseError',
    message: 'away',
    context: { code: '57P03' },
    cause: { type: 'Error', message: 'inner' },
  });
});

test('dates are written as instants, and a circle ends', async () => {
  const circle: { self?: unknown; at: Date } = { at: new Date(0) };
  circle.self = circle;
  const { lines } = await written((logger) => logger.info({ circle }, 'x'));
  expect(lines[0]?.circle).toMatchObject({ at: '1970-01-01T00:00:00.000Z' });
});
