import { describe, expect, it } from 'vitest';
import {
  ApiMissing,
  CredentialsRefused,
  NotFound,
  ParameterRefused,
  PermissionRefused,
  RequestFailed,
} from '../../../src/core/errors.ts';
import { failureOf } from '../../../src/huawei/requests/api-failure.ts';
import { type CallSite, classify, isRetryable } from '../../../src/huawei/requests/classify.ts';

const site: CallSite = {
  account: 'prod',
  auth: 'aksk',
  service: 'hss',
  operation: 'GET /v5/{project_id}/cluster-protect/events',
  region: 'cn-north-4',
  projectId: '84b5',
  attempts: 4,
  throttled: 0,
};

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
});

const classified = (status: number, code: string) =>
  classify(failureOf(answer(status, { error_code: code, error_msg: 'text' })), site);

describe('an error answer', () => {
  it.each([
    ['APIG.0301', 401, CredentialsRefused],
    ['APIGW.0301', 401, CredentialsRefused],
    ['APIG.0303', 401, CredentialsRefused],
    ['APIG.0305', 401, CredentialsRefused],
    ['APIGW.0307', 401, CredentialsRefused],
    ['APIG.0307', 401, CredentialsRefused],
    ['APIG.0311', 401, CredentialsRefused],
    ['DBSS.10020100', 401, CredentialsRefused],
    ['whatever', 401, CredentialsRefused],
    ['APIGW.0302', 403, PermissionRefused],
    ['APIG.0306', 403, PermissionRefused],
    ['APIG.0310', 403, PermissionRefused],
    ['APIG.0402', 403, PermissionRefused],
    ['APIG.0801', 403, PermissionRefused],
    ['APIG.0802', 403, PermissionRefused],
    ['whatever', 403, PermissionRefused],
    ['HSS.0013', 400, PermissionRefused],
    ['HSS.0010', 400, PermissionRefused],
    ['HSS.0011', 400, NotFound],
    ['APIGW.0101', 404, NotFound],
    ['whatever', 404, NotFound],
    ['HSS.0001', 400, ParameterRefused],
    ['HSS.0002', 400, ParameterRefused],
    ['HSS.1011', 400, ParameterRefused],
    ['DBSS.10000001', 400, ParameterRefused],
    ['APIG.0201', 400, ParameterRefused],
    ['HSS.0003', 400, ParameterRefused],
    ['DBSS.10020021', 400, ParameterRefused],
    ['APIGW.0201', 413, ParameterRefused],
    ['00000001', 400, ParameterRefused],
    ['00000010', 400, PermissionRefused],
    ['00000013', 400, PermissionRefused],
    ['00000011', 400, NotFound],
    ['DBSS.10021004', 404, NotFound],
    ['HSS.9999', 400, RequestFailed],
    ['00001001', 400, RequestFailed],
    ['DBSS.10020102', 400, RequestFailed],
    ['APIG.0999', 400, RequestFailed],
    ['HSS.0014', 400, RequestFailed],
    ['HSS.1005', 400, RequestFailed],
    ['APIG.0201', 502, RequestFailed],
    ['APIG.0203', 504, RequestFailed],
    ['APIG.0308', 429, RequestFailed],
    ['APIG.0601', 500, RequestFailed],
    ['DBSS.11000000', 500, RequestFailed],
    ['whatever', 409, RequestFailed],
    ['whatever', 302, RequestFailed],
  ])('%s with %i is a %o', (code, status, kind) => {
    expect(classified(status, code)).toBeInstanceOf(kind);
  });

  it.each([
    [408, 'x', true],
    [429, 'x', true],
    [500, 'x', true],
    [503, 'APIG.0613', true],
    [403, 'APIGW.0308', true],
    [400, 'HSS.0001', false],
    [400, 'HSS.0010', false],
    [400, '00000010', false],
    [400, 'HSS.1001', true],
    [400, '00001001', true],
    [400, 'DBSS.10020102', true],
    [400, 'DBSS.10000001', false],
    [400, 'APIG.0201', false],
    [401, 'APIG.0301', false],
    [404, 'APIG.0101', false],
  ])('%i %s is worth another attempt: %s', (status, code, expected) => {
    expect(isRetryable(failureOf(answer(status, { error_code: code })))).toBe(expected);
  });

  it('with status 400 and no code is a refusal of a parameter, as a proxy in between gives it', () => {
    expect(classify(failureOf(answer(400, 'bad request')), site)).toBeInstanceOf(ParameterRefused);
  });

  it.each([
    ['APIG.0101', true],
    ['whatever', true],
    ['DBSS.10021004', false],
    ['HSS.0011', false],
  ])('with status 404 and %s says that the API itself is missing: %s', (code, missing) => {
    expect(classified(404, code) instanceof ApiMissing).toBe(missing);
  });

  it('by an identity policy keeps what IAM can decode, whole', () => {
    const encoded = 'e'.repeat(2_000);
    const body = { error_code: 'DBSS.403', error_msg: 'no', encoded_authorization_message: encoded };
    const error = classify(failureOf(answer(403, body)), { ...site, service: 'dbss' });
    expect(error.context).toMatchObject({ encodedAuthorizationMessage: encoded });
    expect(error.message).toContain('IAM can decode the authorization message in the log.');
    const without = classify(failureOf(answer(403, { encoded_authorization_message: '' })), site);
    expect(without.context).not.toHaveProperty('encodedAuthorizationMessage');
  });

  it('of permission names the setting for users with rights on some enterprise projects only', () => {
    expect(classified(400, 'HSS.0013').message).toContain('name one in `enterpriseProjectId`');
    const dbss = classify(failureOf(answer(403, {})), { ...site, service: 'dbss' });
    expect(dbss.message).not.toContain('enterpriseProjectId');
  });

  it('of the token service with 403 is a refusal of the credentials', () => {
    const failure = failureOf(answer(403, { error: { code: 403, message: 'locked' } }));
    const at = { ...site, auth: 'password', service: 'iam', operation: 'POST /v3/auth/tokens' } as const;
    expect(classify(failure, at)).toBeInstanceOf(CredentialsRefused);
  });

  it.each<[string, unknown, [code: string | null, message: string | null]]>([
    ['HSS', { error_code: 'HSS.0001', error_msg: 'bad', error_description: 'long' }, ['HSS.0001', 'bad']],
    ['HSS without a message', { error_code: '00000010', error_description: '参数错误' }, ['00000010', '参数错误']],
    ['DBSS, new', { error_code: 'DBSS.1', error_msg: 'm', details: [{ error_code: 'x' }] }, ['DBSS.1', 'm']],
    ['DBSS, details only', { details: [{ error_code: 'DBSS.2', error_msg: 'd' }] }, ['DBSS.2', 'd']],
    ['DBSS, old', { error: { error_code: 'DBSS.3', error_msg: 'o' } }, ['DBSS.3', 'o']],
    ['gateway', { error_msg: 'g', error_code: 'APIGW.0301', request_id: 'r' }, ['APIGW.0301', 'g']],
    ['IAM', { error: { code: 401, message: 'wrong', title: 'Unauthorized' } }, [null, 'wrong']],
    ['camelCase', { errorCode: 'E.1', errorMsg: 'camel' }, ['E.1', 'camel']],
    ['bare', { code: 'E.2', message: 'bare' }, ['E.2', 'bare']],
    ['error as text', { error: 'plain' }, [null, 'plain']],
    ['no JSON', 'upstream  reset\n', [null, 'upstream reset']],
    ['HTML', '<html><head><title>502 Bad Gateway</title></head><body>x</body></html>', [null, '502 Bad Gateway']],
    ['HTML without title', '<style>p{}</style><p>Sorry</p>', [null, 'Sorry']],
    ['nothing', '', [null, null]],
    ['a list', '[1]', [null, null]],
  ])('is read in the shape of %s', (_name, body, [code, message]) => {
    expect(failureOf(answer(401, body))).toMatchObject({ code, apiMessage: message });
  });

  it('gives its request id from the header, IAM trace id or body', () => {
    expect(failureOf(answer(401, {}, { 'x-request-id': 'a' })).requestId).toBe('a');
    expect(failureOf(answer(401, {}, { 'x-iam-trace-id': 'b' })).requestId).toBe('b');
    expect(failureOf(answer(401, { request_id: 'c' })).requestId).toBe('c');
    expect(failureOf(answer(401, {})).requestId).toBeNull();
  });

  it('becomes one line that names everything needed to act', () => {
    const body = { error_code: 'APIGW.0301', error_msg: 'Incorrect IAM\nauthentication information' };
    const failure = failureOf(answer(401, body, { 'x-request-id': '1f2e' }));
    const { message } = classify(failure, site, ['Your clock is 7 minutes ahead.']);
    expect(message).toBe(
      'HSS refused the credentials: 401 APIGW.0301 "Incorrect IAM authentication information" ' +
        '(GET /v5/{project_id}/cluster-protect/events, account prod, region cn-north-4, project 84b5, request id 1f2e). ' +
        'Your clock is 7 minutes ahead. ' +
        'Check the access key and the secret key (and the security token, if one is set). ' +
        'The gateway responds in the same way if the account is frozen or in arrears. ' +
        'Not retried: five failures in a row lock a key for 5 minutes.',
    );
  });

  it('of permission in a project says that the project may be the wrong one', () => {
    const advice =
      /Give the IAM user a role that may read HSS in this project\. .* Or the project id is wrong: `check --discover`/;
    const failure = failureOf(answer(403, {}));
    expect(classify(failure, site).message).toMatch(advice);
    expect(classify(failure, { ...site, projectId: null }).message).not.toContain('--discover');
  });

  it('never repeats a secret that the server echoes, and stays short', () => {
    const failure = failureOf(answer(401, { error_msg: `token MIIsecret is bad ${'x'.repeat(2_000)}` }), ['MIIsecret']);
    expect(failure.apiMessage).toContain('token [secret] is bad');
    expect(failure.apiMessage?.length).toBeLessThanOrEqual(300);
  });

  it('carries facts for the log and the status', () => {
    const error = classify(failureOf(answer(400, { error_code: 'HSS.0013' })), site);
    expect(error.context).toMatchObject({
      account: 'prod',
      projectId: '84b5',
      attempts: 4,
      code: 'HSS.0013',
      status: 400,
    });
    expect(error.recovery).toBe('skip');
  });
});
