import { test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { refuteKeys } from '../support/refute-keys.ts';

const database = await createTestDatabase();

test('two records of a page with the same key are a row and a reject, and the list is not certified, in every list', () =>
  refuteKeys(database));
