import { expect, test } from 'vitest';
import {
  callFor,
  type Endpoint,
  FIRST_DIALECT,
  listing,
  offsetPaging,
  pagePaging,
  part,
  unlearntSpelling,
  wholePaging,
} from '../../src/core/stream/endpoint.ts';

const scope = { account: 'prod', region: 'cn-north-4', projectId: '84b5', enterpriseProjectId: 'all_granted_eps' };
const at = { offset: 0, limit: 200 };
const history: Endpoint = {
  service: 'hss',
  method: 'GET',
  paths: ['/v5/{project_id}/image/vulnerability/handle-history'],
  enterpriseProjects: true,
  spellings: { image_type: { local_image: ['local_image', 'local'] } },
};
const reports: Endpoint = {
  service: 'dbss',
  method: 'POST',
  paths: ['/v1/{project_id}/audit/{instance_id}/reports/list'],
  enterpriseProjects: false,
};
const instances: Endpoint = {
  service: 'dbss',
  method: 'GET',
  paths: ['/v2/{project_id}/instances', '/v1/{project_id}/instances'],
  enterpriseProjects: false,
};

test('parameters named in the path fill it, the others go to the query, beside the page', () => {
  const paging = pagePaging({ list: 'reports' });
  expect(
    callFor({ endpoint: reports, paging }, scope, {
      listing: listing({ instance_id: 'i/1 ?' }),
      at: { offset: 100, limit: 100 },
    }),
  ).toEqual({
    service: 'dbss',
    method: 'POST',
    operation: 'POST /v1/{project_id}/audit/{instance_id}/reports/list',
    path: '/v1/84b5/audit/i%2F1%20%3F/reports/list',
    query: {},
    body: { page: 2, size: 100 },
  });
  const params = listing({ vul_id: 'V', image_type: 'local_image' });
  expect(
    callFor({ endpoint: history, paging: offsetPaging({ list: 'data_list' }) }, scope, { listing: params, at }),
  ).toMatchObject({
    query: { enterprise_project_id: 'all_granted_eps', vul_id: 'V', image_type: 'local_image', offset: 0, limit: 200 },
  });
});

test('the learnt spelling and generation are used, and an unknown value is sent unchanged', () => {
  const paging = offsetPaging({ list: 'data_list' });
  const learnt = { generation: 1, spellings: { 'image_type=local_image': 'local' } };
  expect(
    callFor({ endpoint: history, paging }, scope, {
      listing: listing({ image_type: 'local_image' }),
      at,
      dialect: learnt,
    }).query,
  ).toMatchObject({
    image_type: 'local',
  });
  expect(
    callFor({ endpoint: history, paging }, scope, { listing: listing({ image_type: 'cicd' }), at, dialect: learnt })
      .query,
  ).toMatchObject({
    image_type: 'cicd',
  });
  expect(callFor({ endpoint: instances, paging }, scope, { listing: listing(), at, dialect: learnt })).toMatchObject({
    path: '/v1/84b5/instances',
    operation: 'GET /v1/{project_id}/instances',
  });
  // A generation that a newer version no longer knows must not leave the endpoint without a path.
  expect(
    callFor({ endpoint: instances, paging }, scope, {
      listing: listing(),
      at,
      dialect: { generation: 7, spellings: {} },
    }).path,
  ).toBe('/v2/84b5/instances');
});

test('a spelling is undecided until it is learnt, and only if the documents disagree', () => {
  const local = listing({ image_type: 'local_image', vul_id: 'V' });
  expect(unlearntSpelling(history, local, FIRST_DIALECT)).toEqual({
    name: 'image_type=local_image',
    spellings: ['local_image', 'local'],
  });
  const learnt = { generation: null, spellings: { 'image_type=local_image': 'local_image' } };
  expect(unlearntSpelling(history, local, learnt)).toBeNull();
  expect(unlearntSpelling(history, listing({ image_type: 'registry' }), FIRST_DIALECT)).toBeNull();
  expect(unlearntSpelling(instances, local, FIRST_DIALECT)).toBeNull();
});

test('a listing is known by its parameters, in whatever order they come', () => {
  expect(listing({ b: '2', a: '1&x=y' }).key).toBe('a=1%26x%3Dy&b=2');
  expect(listing({ a: '1&x=y', b: '2' }).key).toBe(listing({ b: '2', a: '1&x=y' }).key);
  expect(listing().key).toBe('');
  expect(part(listing({ a: '1' }), 'cluster_id', 'c').key).toBe('a=1&cluster_id=c');
});

test('constants go into the query and the body of every request, and a parameter under its name on the wire', () => {
  const endpoint: Endpoint = {
    ...reports,
    query: { with_detail: 'true' },
    body: { type: 'ALL', page: 7 },
    names: { handle_status: 'is_handled' },
    spellings: { handle_status: { handled: ['true'], unhandled: ['false'] } },
  };
  const paging = pagePaging({ list: 'operate_log', asText: true });
  const one = listing({ instance_id: 'i', handle_status: 'handled' });
  const call = callFor({ endpoint, paging }, scope, { listing: one, at: { offset: 100, limit: 100 } });
  expect(call.query).toEqual({ with_detail: 'true', is_handled: 'true' });
  expect(call.body).toEqual({ type: 'ALL', page: '2', size: '100' });
  expect(unlearntSpelling(endpoint, one, FIRST_DIALECT), 'a value with one spelling is not tried').toBeNull();
  const withoutPages = callFor(
    { endpoint: { ...endpoint, body: { a: 1 } }, paging: wholePaging({ list: 'agents' }) },
    scope,
    { listing: one, at },
  );
  expect(withoutPages.body).toEqual({ a: 1 });
});
