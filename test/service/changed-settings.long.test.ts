import { it } from 'vitest';
import { CHANGED_SETTINGS, sweepsNothing } from '../support/changed-settings.ts';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

it.each(CHANGED_SETTINGS)(
  'a changed setting of enterprise projects sweeps nothing of any list that is read by default: %s',
  (_name, scopes) => sweepsNothing(database, { scopes, streams: READ_BY_DEFAULT }),
);
