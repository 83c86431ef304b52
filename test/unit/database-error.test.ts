import { expect, test } from 'vitest';
import { toDatabaseError } from '../../src/postgres/connection/database-error.ts';

const URL_OF_POOLER = 'postgres://writer:secret@pooler.example:6432/app';

// What pg-pool throws when none of its connections became free, and when a new one was not opened in time.
test.each(['timeout exceeded when trying to connect', 'Connection terminated due to connection timeout'])(
  'a connection that was not given in time ("%s") is told with the place and the pooler that may be full',
  (message) => {
    const told = toDatabaseError(new Error(message), URL_OF_POOLER).message;
    expect(told).toContain('pooler.example:6432');
    expect(told).toMatch(/pooler without connections left/);
    expect(told).not.toContain('secret');
  },
);
