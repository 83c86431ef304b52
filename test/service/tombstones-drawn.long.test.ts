import { it } from 'vitest';
import { READ_BY_DEFAULT } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { drawnTombstones } from '../support/tombstones-drawn.ts';

const database = await createTestDatabase();

const SEEDS = Number(process.env.SEEDS ?? 20);
const FIRST_SEED = Number(process.env.SEED ?? 2);

it.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'no row that is listed is ever marked as gone, whatever goes wrong: SEED=%i SEEDS=1 npm run test:long -- test/service/tombstones-drawn.long.test.ts',
  (seed) => drawnTombstones(database, { seed, streams: READ_BY_DEFAULT }),
);
