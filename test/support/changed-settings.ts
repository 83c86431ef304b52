import { expect } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { scope } from './engine.ts';
import { tombstones } from './order.ts';
import type { TestDatabase } from './postgres.ts';
import { smallWorlds } from './tombstones.ts';
import { expectTruth } from './truth.ts';

const wide = scope;
const narrow: Scope = { ...scope, enterpriseProjectId: '0' };

/** Settings of enterprise projects, one after the other, that end where they began or with all that is stored. */
export const CHANGED_SETTINGS: readonly (readonly [string, readonly Scope[]])[] = [
  ['narrower and back', [wide, narrow, narrow, narrow, wide]],
  [
    'narrower, another narrow one, and back',
    [wide, narrow, { ...scope, enterpriseProjectId: '6f0d3a52-7c1e-4b6a-9a55-2f6d1f0c8b11' }, narrow, wide],
  ],
  ['narrow from the start, wider, and narrow again', [narrow, wide, narrow, narrow, wide]],
  ['a project that does not exist', [wide, { ...scope, enterpriseProjectId: 'there-is-none' }, wide]],
];

interface Change {
  readonly scopes: readonly Scope[];
  /** One of every kind when absent. */
  readonly streams?: readonly Stream[];
}

/** Reads everything under each setting in turn: no row is marked, and no version is closed. */
export async function sweepsNothing(database: TestDatabase, { scopes, streams }: Change): Promise<void> {
  const { fresh, closedVersions } = smallWorlds(database);
  const world = await fresh({ reconcileEveryMs: 1, ...(streams === undefined ? {} : { streams }) });
  for (const own of scopes) {
    for (const report of await world.runAll({ scope: own }))
      expect(report, report.stream).toMatchObject({ deleted: 0 });
  }
  await expectTruth(database.pool, world.sandbox, world.streams);
  for (const stream of world.streams) {
    expect(await tombstones(database.pool, stream), stream.name).toBe(0);
    if (stream.history !== null) expect(await closedVersions(stream), stream.name).toBe(0);
  }
}
