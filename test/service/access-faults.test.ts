import { describe, expect, it } from 'vitest';
import type { Scope } from '../../src/core/account.ts';
import { DEMO_PASSWORD_USER, DEMO_PROJECT } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { syncOnce } from '../../src/sync/once.ts';
import { scope, OF_EVERY_KIND as streams } from '../support/engine.ts';
import { faultyWorlds } from '../support/faults.ts';
import { expectOrder, tombstones } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruth, expectTruthIn } from '../support/truth.ts';

/** Access that is refused or runs out in the middle of the work. */

const database = await createTestDatabase({ max: 20 });
const { fresh, expectHealed } = faultyWorlds(database);

describe('with permission refused for one of two projects', () => {
  const other = { id: '0123456789abcdef0123456789abcdef', region: DEMO_PROJECT.region };
  const refused: Scope = { ...scope, projectId: other.id };
  const signal = new AbortController().signal;

  it('the other completes and nothing is swept', async () => {
    const world = await fresh({ sandbox: { projects: [DEMO_PROJECT, other], events: 300 } });
    const sync = () => syncOnce(world.engine, { streams, scopes: [scope, refused] }, { signal });
    expect((await sync()).every(({ status }) => status === 'succeeded')).toBe(true);
    for (const estate of world.sandbox.estates.values()) estate.step(20, 'event');

    world.sandbox.faults.add({ kind: 'forbidden', projectId: other.id, times: Number.POSITIVE_INFINITY });
    const reports = await sync();
    for (const report of reports) {
      const isRefused = report.project_id === other.id;
      expect(report.status === 'succeeded', `${report.stream} in ${report.project_id}: ${report.status}`).toBe(
        !isRefused,
      );
      if (isRefused) expect(report).toMatchObject({ certificate: 'incomplete', deleted: 0, inserted: 0 });
    }
    await expectTruth(database.pool, world.sandbox, streams);
    for (const stream of streams) expect(await tombstones(database.pool, stream, other.id), stream.name).toBe(0);

    world.sandbox.faults.clear();
    expect((await sync()).every(({ status }) => status === 'succeeded')).toBe(true);
    await expectTruthIn(other.id, { pool: database.pool, sandbox: world.sandbox, streams });
    await expectOrder(database.pool);
  });
});

describe('a token that expires in the middle of a walk', () => {
  const { name, password, domain } = DEMO_PASSWORD_USER;
  const byPassword = {
    auth: { kind: 'password', user: async () => name, password: async () => password, domain: async () => domain },
  } as const;

  it('is renewed, and the walk continues', async () => {
    const world = await fresh({ account: { auth: { ...byPassword.auth, user: name, domain } } });
    world.sandbox.override('ListClusterEvents', ({ query, call }) => {
      if (Number(query.offset) > 200 && call < 6) world.sandbox.revokeTokens();
      return undefined;
    });
    const report = await world.run(hssClusterEvents);
    expect(report).toMatchObject({ status: 'succeeded', inserted: 600 });
    expect(report.requests).toBe(world.sandbox.requests.count('ListClusterEvents'));
    expect(world.sandbox.requests.count('KeystoneCreateUserTokenByPassword')).toBeGreaterThan(1);
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world);
  });

  it('is renewed before its lifetime ends', async () => {
    const world = await fresh({
      account: { auth: { ...byPassword.auth, user: name, domain } },
      sandbox: { tokenLifetimeMs: 90_000 },
    });
    world.sandbox.override('ListClusterEvents', () => {
      world.clock.advance(60_000);
      return undefined;
    });
    expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', inserted: 600 });
    world.sandbox.override('ListClusterEvents', undefined);
    await expectHealed(world);
  });
});
