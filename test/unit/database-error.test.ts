import { expect, test } from 'vitest';
import { toDatabaseError } from '../../src/postgres/connection/database-error.ts';

const URL_OF_POOLER = 'postgres://writer:secret@pooler.example:6432/app';

// What pg-pool throws when none of its connections became free, and the driver when a new one was not opened in time.
test.each(['timeout exceeded when trying to connect', 'timeout expired'])(
  'a connection that was not given in time ("%s") is told with the place and the pooler that may be full',
  (message) => {
    const told = toDatabaseError(new Error(message), URL_OF_POOLER).message;
    expect(told).toContain('pooler.example:6432');
    expect(told).toMatch(/pooler without connections left/);
    expect(told).not.toContain('secret');
  },
);

test('the message for a query_wait_timeout of PgBouncer names the size of its pool', () => {
  // https://www.pgbouncer.org/config.html: query_wait_timeout
  const ended = Object.assign(new Error('query_wait_timeout'), { code: '08P01' });
  expect(toDatabaseError(ended, URL_OF_POOLER).message).toMatch(
    /^no connection to Postgres at pooler\.example:6432 became free in time: .*default_pool_size/,
  );
});

test('the message for a connection that the server ended while idle names the setting to raise', () => {
  // https://www.postgresql.org/docs/current/errcodes-appendix.html: idle_session_timeout
  const ended = Object.assign(new Error('terminating connection due to idle-session timeout'), { code: '57P05' });
  expect(toDatabaseError(ended, URL_OF_POOLER).message).toBe(
    'Postgres at pooler.example:6432 ended a connection that was idle: raise idle_session_timeout for user "writer" to a minute or more',
  );
});
