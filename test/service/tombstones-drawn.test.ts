import { it } from 'vitest';
import { OF_EVERY_KIND } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { drawnTombstones } from '../support/tombstones-drawn.ts';

const database = await createTestDatabase();

const SEEDS = Number(process.env.SEEDS ?? 1);
const FIRST_SEED = Number(process.env.SEED ?? 1);

it.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'no row that is listed is ever marked as gone, whatever goes wrong: SEED=%i SEEDS=1 npx vitest run test/service/tombstones-drawn.test.ts',
  (seed) => drawnTombstones(database, { seed, streams: OF_EVERY_KIND }),
);
