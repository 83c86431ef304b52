import { expect, it, onTestFinished } from 'vitest';
import { DatabaseError } from '../../src/core/errors.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import type { Operation } from '../../src/sandbox/server/operations.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { startChild } from '../support/child.ts';
import { untilUnlocked } from '../support/crash.ts';
import { nthRequest } from '../support/faults.ts';
import { expectOrder } from '../support/order.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { expectTruth } from '../support/truth.ts';
import { killBackends, startWorld, type World, wipe } from '../support/world.ts';

const database = await createTestDatabase({ max: 20 });
const { pool } = database;

type Break = (stop: AbortController) => Promise<void>;

const breaks: readonly (readonly [string, Break])[] = [
  ['was stopped', async (stop) => stop.abort(new Error('stopped'))],
  ['lost its database', () => killBackends(database.url)],
];

const nested: readonly (readonly [Stream, Stream, Operation])[] = [
  [hssImageVulnerabilities, hssImageVulnerabilityOperations, 'ListGeneralImageVulOperations'],
  [dbssAuditInstances, dbssAuditReports, 'ListAuditReports'],
];

it.each(
  nested.map(([parent, child, operation], index) => {
    const [name, act] = breaks[index % breaks.length] ?? expect.unreachable();
    return { parent, child, operation, name, act };
  }),
)(
  'does not read lists of $child.name again that a run certified before it $name',
  async ({ parent, child, operation, act }) => {
    await wipe(database);
    const world = await startWorld(database, {
      sandbox: { vulnerabilities: 10, instances: 8, reports: 40 },
      sandboxClock: 'real',
    });
    await world.run(parent);
    const stop = new AbortController();
    world.sandbox.faults.add({ kind: 'late', when: nthRequest(6, operation), meanwhile: () => act(stop) });
    await world.run(child, { signal: stop.signal }).catch(() => {});
    expect(world.sandbox.faults.pending()).toBe(0);
    world.sandbox.faults.clear();
    // A connection that was ended is in the pool until its end is noticed.
    await expect.poll(async () => (await pool.query('select 1')).rowCount).toBe(1);
    const { rows } = await pool.query<{ listing: string; params: Record<string, string> }>(
      `select listing, params from sync.listings where stream = $1 and certificate = 'complete'`,
      [child.name],
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);

    world.sandbox.requests.clear();
    expect(await world.run(child)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
    const asked = new Set(world.sandbox.requests.entries().map(({ path, query }) => nameOf({ path, query })));
    for (const { params } of rows) {
      const name = params.vul_id === undefined ? String(params.instance_id) : `${params.image_type}/${params.vul_id}`;
      expect(asked.has(name), name).toBe(false);
    }
    await expectTruth(pool, world.sandbox, [parent, child]);
    await expectOrder(pool);
    // And the run after that one reads them all.
    world.sandbox.requests.clear();
    await world.run(child, { full: true });
    expect(world.sandbox.requests.count(operation)).toBeGreaterThanOrEqual(rows.length);
  },
);

/** The list a request asked for: an audit instance, or a vulnerability in a kind of image. */
function nameOf({ path, query }: { readonly path: string; readonly query: Readonly<Record<string, string>> }): string {
  const [, instance] = /\/audit\/([^/]+)\/reports/.exec(path) ?? [];
  if (instance !== undefined) return instance;
  return `${query.image_type === 'registry' ? 'registry' : 'local_image'}/${query.vul_id}`;
}

it.each([1, 3])('loses nothing if it fails at request %i after a certified walk', async (at) => {
  await wipe(database);
  const world = await startWorld(database, { sandbox: { clusters: 3, events: 1_200 }, sandboxClock: 'real' });
  await world.run(hssClusterEvents);
  const { estate } = world.sandbox;
  estate.step(10, 'removed');
  // More than two pages at the newest end.
  estate.step(350, 'event');
  estate.step(150, 'handled');
  world.sandbox.faults.add({
    kind: 'late',
    when: nthRequest(at, 'ListClusterEvents'),
    meanwhile: () => killBackends(database.url),
  });
  await expect(world.run(hssClusterEvents)).rejects.toThrow(DatabaseError);
  expect(world.sandbox.faults.pending()).toBe(0);
  // A little more happens before the next one, all of it at the head.
  estate.step(3, 'event');
  estate.step(2, 'handled');
  const upToNow = await world.run(hssClusterEvents);
  expect(upToNow).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  await expectTruthOfListed(world);
  await world.run(hssClusterEvents, { full: true });
  await world.run(hssClusterEvents, { full: true });
  await expectTruth(pool, world.sandbox, [hssClusterEvents]);
  await expectOrder(pool);
});

it('a run that was interrupted between the certificate and its own result is concluded by the next one without a request', async () => {
  await wipe(database);
  const world = await startWorld(database, { sandbox: { clusters: 3, events: 300 }, sandboxClock: 'real' });
  await world.run(hssClusterEvents);
  await pool.query(
    `create function refuse_result() returns trigger language plpgsql as $$ begin raise exception 'no result'; end $$;
     create trigger no_result before update on sync.runs for each row when (new.finished_at is not null)
       execute function refuse_result()`,
  );
  onTestFinished(async () => {
    await pool.query('drop function if exists refuse_result() cascade');
  });
  world.sandbox.estate.step(40, 'event');
  await expect(world.run(hssClusterEvents, { full: true })).rejects.toThrow('no result');
  await pool.query('drop function refuse_result() cascade');
  expect(await world.compare(hssClusterEvents)).toMatchObject({ missing: [], different: [] });
  world.sandbox.estate.step(3, 'event');
  world.sandbox.estate.step(2, 'handled');
  const { rows } = await pool.query<{ at: Date }>('select certified_at as at from sync.listings');
  expect(await world.run(hssClusterEvents)).toMatchObject({
    status: 'succeeded',
    certificate: 'complete',
    certified_at: rows[0]?.at.toISOString(),
    requests: 0,
  });
  expect(await world.run(hssClusterEvents)).toMatchObject({ certificate: 'complete', inserted: 3 });
  await expectTruthOfListed(world);
});

/** Removals may wait for a full walk; whatever is listed must be there with its newest content. */
async function expectTruthOfListed(world: World): Promise<void> {
  const { missing, different } = await world.compare(hssClusterEvents);
  expect({ missing, different }).toEqual({ missing: [], different: [] });
}

it('loses nothing if its process is killed between two pages after a certified walk', async () => {
  await wipe(database);
  const world = await startWorld(database, { sandbox: { clusters: 3, events: 800 }, sandboxClock: 'real' });
  await world.run(hssClusterEvents);
  world.sandbox.estate.step(420, 'event');
  world.sandbox.estate.step(80, 'handled');
  const child = startChild('test/support/sync-child.ts', [
    database.url,
    world.sandbox.url,
    hssClusterEvents.name,
    '500',
    '45000',
  ]);
  world.sandbox.faults.add({
    kind: 'late',
    delayMs: 50,
    operation: 'ListClusterEvents',
    when: ({ call }) => {
      if (call < 3 || Number(world.sandbox.requests.entries().at(-1)?.query.offset) !== 0) return false;
      child.process.kill('SIGKILL');
      return true;
    },
  });
  expect(await child.ended).toBe('SIGKILL');
  world.sandbox.faults.clear();
  await untilUnlocked(database);
  expect(await world.run(hssClusterEvents)).toMatchObject({ status: 'succeeded', certificate: 'complete' });
  await expectTruth(pool, world.sandbox, [hssClusterEvents]);
  await expectOrder(pool);
});
