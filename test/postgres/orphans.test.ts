import { expect, onTestFinished, test } from 'vitest';
import { listing } from '../../src/core/stream/endpoint.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { createStore } from '../../src/postgres/run/store.ts';
import { dbssAuditInstances as instances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports as reports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents as events } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities as vulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations as operations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { scope } from '../support/engine.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** When the mark of a parent is confirmed, so that its children are marked, too (docs/decisions.md D3). */

const { pool } = await createTestDatabase();
const store = createStore(pool, { timeZone: 'UTC' });

let projects = 0;
const MARKED = '2026-01-01T12:00:00Z';
const BEFORE = '2026-01-01T11:00:00Z';
const LATER = '2026-01-01T13:00:00Z';

interface Walk {
  readonly key?: string;
  readonly projectId?: string;
  readonly stream?: Stream;
  readonly certificate?: 'complete' | 'incomplete';
  readonly at?: string;
  readonly missing?: string | null;
  readonly evidence?: object;
}

const newProject = () => `project${++projects}`;

/** Stores what the last walk of a list concluded. */
async function walk(projectId: string, stream: Stream, given: Walk = {}): Promise<void> {
  const {
    key = '',
    certificate = 'complete',
    at = LATER,
    missing = null,
    evidence = { distinct: 3, rejects: 0 },
  } = given;
  await pool.query(
    `insert into sync.listings (project_id, stream, listing, account, region, params, enterprise_project_id, certificate, certified_at, certified, missing, evidence)
     values ($1, $2, $3, 'a', 'r', $4, 'e', $5, $6, '{"total":1}', $7, $8)`,
    [
      given.projectId ?? projectId,
      (given.stream ?? stream).name,
      key,
      key === 'child' ? { instance_id: 'i' } : {},
      certificate,
      at,
      missing,
      evidence,
    ],
  );
}

async function instance(projectId: string, id: string, deleted: string | null): Promise<void> {
  await pool.query(
    `insert into dbss.audit_instances (project_id, region, account, instance_id, _hash, _first_seen_at, _changed_at, _deleted_at)
     values ($1, 'r', 'a', $2, '', $3, $3, $4)`,
    [projectId, id, BEFORE, deleted],
  );
}

async function report(projectId: string, deleted: string | null = null): Promise<void> {
  await pool.query(
    `insert into dbss.audit_reports (project_id, region, account, instance_id, id, _hash, _first_seen_at, _changed_at, _deleted_at)
     values ($1, 'r', 'a', 'i', $2, '', $3, $3, $4)`,
    [projectId, deleted === null ? 'live' : 'gone', BEFORE, deleted],
  );
}

async function orphans(projectId: string, stream: Stream = reports): Promise<number> {
  const run = await store.open(stream, { ...scope, projectId });
  if (run === 'busy') throw new Error('another process holds the lock');
  onTestFinished(() => run.close());
  return await run.sweepOrphans();
}

test.each<[string, readonly Walk[], number]>([
  ['a later walk', [{}], 1],
  ['a walk twelve minutes later', [{ at: '2026-01-01T12:12:00Z' }], 1],
  ['a walk just before that', [{ at: '2026-01-01T12:11:59Z' }], 0],
  ['the walk that marked it', [{ at: MARKED }], 0],
  ['an earlier walk', [{ at: BEFORE }], 0],
  ['a walk that proved nothing', [{ certificate: 'incomplete' }], 0],
  ['a walk with rows in doubt', [{ missing: '[{"walks":1,"lastAt":0,"keys":["x"]}]' }], 0],
  ['a walk with rejects', [{ evidence: { distinct: 3, rejects: 1 } }], 0],
  ['a walk that knew no rejects', [{ evidence: { distinct: 3 } }], 1],
  ['a later walk, beside one of a list that is no more', [{}, { key: 'former=1' }], 1],
  ['no walk', [], 0],
  ['a walk of another project', [{ projectId: 'elsewhere' }], 0],
  ['a walk of another stream', [{ stream: events }], 0],
])('the mark of a parent, confirmed by %s', async (_name, walks, expected) => {
  const projectId = newProject();
  await instance(projectId, 'i', MARKED);
  await report(projectId);
  await report(projectId, BEFORE);
  await pool.query(`delete from sync.listings where project_id = 'elsewhere'`);
  for (const one of walks) await walk(projectId, instances, one);
  expect(await orphans(projectId)).toBe(expected);
  const { rows } = await pool.query(
    `select id, _deleted_at = $2 as earlier from dbss.audit_reports where project_id = $1 and _deleted_at is not null order by 1`,
    [projectId, BEFORE],
  );
  const gone = [{ id: 'gone', earlier: true }];
  expect(rows).toEqual(expected === 0 ? gone : [...gone, { id: 'live', earlier: false }]);
});

test.each<[string, [here: string | null | 'none', there: string | null | 'none'], number]>([
  ['is listed', [null, 'none'], 0],
  ['is gone here and listed in another project', [MARKED, null], 1],
  ['is unknown here and gone in another project', ['none', MARKED], 0],
])('a parent that %s', async (_name, [here, there], expected) => {
  const [projectId, other] = [newProject(), newProject()];
  if (here !== 'none') await instance(projectId, 'i', here);
  if (there !== 'none') await instance(other, 'i', there);
  await instance(projectId, 'another', here === null ? MARKED : null);
  await report(projectId);
  await walk(projectId, instances);
  await walk(other, instances);
  expect(await orphans(projectId)).toBe(expected);
});

test('children in another project are left to its own run', async () => {
  const [projectId, other] = [newProject(), newProject()];
  for (const own of [projectId, other]) {
    await instance(own, 'i', MARKED);
    await report(own);
    await walk(own, instances);
  }
  expect(await orphans(projectId)).toBe(1);
});

test('a list without a parent has no orphans', async () => {
  expect(await orphans(newProject(), events)).toBe(0);
});

/** A parent that is in two lists, an operation of it, and the walks of all lists it can be in. */
async function inTwoLists(marks: readonly (string | null)[], walks: (index: number) => Walk | null): Promise<number> {
  const projectId = newProject();
  for (const [index, mark] of marks.entries()) {
    await pool.query(
      `insert into hss.image_vulnerabilities (project_id, region, account, image_type, handle_status, type, vul_id, _hash, _first_seen_at, _changed_at, _deleted_at)
       values ($1, 'r', 'a', 'local_image', $2, 'app_vul', 'v', '', $3, $3, $4)`,
      [projectId, index === 0 ? 'handled' : 'unhandled', BEFORE, mark],
    );
  }
  await pool.query(
    `insert into hss.image_vulnerability_operations (project_id, region, account, image_type, vul_id, operation_key, _hash, _first_seen_at, _changed_at)
     values ($1, 'r', 'a', 'local_image', 'v', 'o', '', $2, $2)`,
    [projectId, BEFORE],
  );
  for (const [index, params] of vulnerabilities.listings.entries()) {
    const given = walks(index);
    if (given !== null) await walk(projectId, vulnerabilities, { key: listing(params).key, ...given });
  }
  return orphans(projectId, operations);
}

test.each<[string, [marks: readonly (string | null)[], walks: (index: number) => Walk | null], number]>([
  ['all of them read since', [[MARKED, BEFORE], () => ({})], 1],
  ['one of them never read', [[MARKED, MARKED], (index) => (index === 0 ? null : {})], 0],
  ['one of them read by the walk that marked it', [[MARKED], (index) => (index === 0 ? { at: MARKED } : {})], 0],
  ['listed in one of them', [[MARKED, null], () => ({})], 0],
  ['marked in one of them after it was read', [[BEFORE, LATER], () => ({ at: MARKED })], 0],
])('a parent that can be in several lists, %s', async (_name, [marks, walks], expected) => {
  expect(await inTwoLists(marks, walks)).toBe(expected);
});

test('what was proven of a list is forgotten while its parent is not listed', async () => {
  const [projectId, other, unread] = [newProject(), newProject(), newProject()];
  await instance(projectId, 'i', MARKED);
  await instance(projectId, 'another', null);
  await instance(other, 'i', null);
  for (const own of [projectId, other, unread]) {
    await walk(own, reports, { key: 'child' });
    await walk(own, operations, { key: 'child' });
  }
  await walk(other, instances);
  await orphans(projectId);
  await orphans(other);
  const { rows } = await pool.query<{ at: string }>(
    `select project_id = $1 as here, stream, certificate, certified is null as forgotten from sync.listings
     where listing = 'child' and project_id = any($2) order by 1 desc, 2`,
    [projectId, [projectId, other, unread]],
  );
  const kept = { certificate: 'complete', forgotten: false };
  expect(rows).toEqual([
    { here: true, stream: reports.name, certificate: null, forgotten: true },
    { here: true, stream: operations.name, ...kept },
    { here: false, stream: reports.name, ...kept },
    { here: false, stream: reports.name, ...kept },
    { here: false, stream: operations.name, ...kept },
    { here: false, stream: operations.name, ...kept },
  ]);
});
