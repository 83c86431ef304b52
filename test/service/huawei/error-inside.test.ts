import { describe, expect, it } from 'vitest';
import {
  CredentialsRefused,
  ParameterRefused,
  PermissionRefused,
  RequestFailed,
  Unreachable,
} from '../../../src/core/errors.ts';
import { accountAt, failureOf, inTurn, json, page, type Reply, serve, sourceFor } from './support.ts';

const inside = (error_code: unknown, more: object = {}) =>
  json(200, { error_code, error_msg: 'internal error', total_num: 0, data_list: [], ...more });
const noContent: Reply = (response) => void response.writeHead(204).end();

describe('a response with status 200, an error code and no row', () => {
  it.each<[string, unknown, [kind: new (...args: never[]) => Error, requests: number]]>([
    ['a failure of the service', 'HSS.1001', [RequestFailed, 4]],
    ['a code of numbers only', 10_020_102, [RequestFailed, 4]],
    ['a missing permission', 'HSS.0013', [PermissionRefused, 1]],
    ['a parameter', 'HSS.0001', [ParameterRefused, 1]],
    ['the credentials', 'APIGW.0301', [CredentialsRefused, 1]],
  ])('is the error of its code: %s', async (_name, code, [kind, requests]) => {
    const { url, received } = await serve(inside(code));
    const { read, suspensions } = sourceFor([accountAt(url)]);
    const error = await failureOf(read());
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(`200 ${code} "internal error"`);
    expect(received).toHaveLength(requests);
    expect(suspensions.held.size).toBe(kind === CredentialsRefused ? 1 : 0);
  });

  it('is an error also without a list', async () => {
    const { url } = await serve(inside('HSS.1001', { data_list: undefined }));
    expect(await failureOf(sourceFor([accountAt(url)]).read())).toBeInstanceOf(RequestFailed);
  });

  it('is requested again', async () => {
    const { url } = await serve(inTurn(inside('HSS.1001'), page));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ value: [], attempts: 2 });
  });

  it.each(['', '0', 0, '200', null, 'success'])('is an empty list if the code %j means success', async (code) => {
    const { url } = await serve(inside(code));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ value: [], attempts: 1 });
  });
});

it('a response with status 204 is read as a list with a count of 0', async () => {
  const { url } = await serve(noContent);
  const { source, stop, read } = sourceFor([accountAt(url)]);
  expect(await failureOf(read())).toBeInstanceOf(Unreachable);
  const scope = { account: 'prod', region: 'cn-north-4', projectId: 'p', enterpriseProjectId: '0' };
  const call = { service: 'hss', method: 'GET', operation: 'GET /x', path: '/x' } as const;
  expect(await source.read(scope, call, { parse: (text) => text, signal: stop.signal })).toMatchObject({
    value: '{"total_num":0,"total":0}',
    attempts: 1,
  });
});
