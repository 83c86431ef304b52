import { describe, expect, it } from 'vitest';
import { isThrottle, retryAfterOf, throttleOf } from '../../../src/huawei/requests/classify.ts';

const failure = (apiMessage: string | null, code: string | null = 'APIGW.0308', status = 429) => ({
  status,
  code,
  apiMessage,
  requestId: null,
});

describe('a throttled answer', () => {
  it.each<[string, object]>([
    [
      'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute',
      { limit: 5, windowMs: 60_000, dimension: 'user' },
    ],
    [
      'The throttling threshold has been reached: policy ip over ratelimit,limit:5,time:5 second',
      { limit: 5, windowMs: 5_000, dimension: 'ip' },
    ],
    [
      'The throttling threshold has been reached: policy api over ratelimit,limit:2000,time:1 minute',
      { limit: 2_000, windowMs: 60_000, dimension: 'api' },
    ],
    ['policy user over ratelimit,limit:600,time:2 hours', { limit: 600, windowMs: 7_200_000, dimension: 'user' }],
    ['policy user over ratelimit, limit: 9, time: 1 day', { limit: 9, windowMs: 86_400_000, dimension: 'user' }],
    ['policy user over ratelimit,limit:10', { limit: 10, windowMs: null, dimension: 'user' }],
    ['policy domain over ratelimit,limit:0,time:0 minute', { limit: null, windowMs: null, dimension: null }],
    ['Too many requests', { limit: null, windowMs: null, dimension: null }],
  ])('is parsed: %s', (text, expected) => {
    expect(throttleOf(failure(text), 1_500)).toEqual({ retryAfterMs: 1_500, ...expected });
  });

  it('may contain no limit', () => {
    expect(throttleOf(failure(null), null)).toEqual({
      retryAfterMs: null,
      limit: null,
      windowMs: null,
      dimension: null,
    });
  });

  it('is known by status or by either spelling of the code', () => {
    expect(isThrottle(failure(null, null, 429))).toBe(true);
    expect(isThrottle(failure(null, 'APIG.0308', 403))).toBe(true);
    expect(isThrottle(failure(null, 'APIGW.0308', 400))).toBe(true);
    expect(isThrottle(failure(null, 'APIG.0301', 401))).toBe(false);
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 3, 1);

  it.each<[string | undefined, number | null]>([
    ['7', 7_000],
    [' 0 ', 0],
    ['1.5', 1_500],
    ['Wed, 01 Apr 2026 00:00:30 GMT', 30_000],
    ['Tue, 31 Mar 2026 00:00:00 GMT', 0],
    ['soon', null],
    ['', null],
    [undefined, null],
  ])('%s is %s ms', (header, expected) => {
    expect(retryAfterOf(header, now)).toBe(expected);
  });
});
