import { afterEach, describe, expect, it } from 'vitest';
import {
  DEMO_PASSWORD_USER,
  DEMO_PROJECT,
  type Fault,
  type FaultKind,
  type PasswordUser,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/server/server.ts';

const EVENTS = `/v5/${DEMO_PROJECT.id}/cluster-protect/events`;
const projectPath = (version: string, rest: string, projectId = DEMO_PROJECT.id) => `/${version}/${projectId}${rest}`;
const auditPath = (instanceId: string) => projectPath('v1', `/audit/${instanceId}/reports/list`);
const INSTANCES = `/v2/${DEMO_PROJECT.id}/audit/instances`;
const ALL = { enterprise_project_id: 'all_granted_eps' } as const;
const open: Sandbox[] = [];
const START = Date.parse('2026-04-15T08:00:00Z');
const QUERY = { offset: '0', limit: '10', ...ALL } as const;

/** A clock that tests move by hand. */
function stoppedClock(): { now: () => number; advance: (ms: number) => void } {
  let time = START;
  return {
    now: () => time,
    advance: (ms) => {
      time += ms;
    },
  };
}

async function start(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ now: () => START, events: 100, ...options });
  open.push(sandbox);
  return sandbox;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((sandbox) => sandbox.close()));
});

describe('audit reports and instances', () => {
  const page = (number: number, size: number) => ({ method: 'POST', body: JSON.stringify({ page: number, size }) });

  it('page from 1, newest first', async () => {
    const sandbox = await start();
    const path = auditPath(sandbox.estate.instanceIds()[0] ?? '');
    const whole = await call(sandbox, path, page(1, 100));
    const halves = [await call(sandbox, path, page(1, 40)), await call(sandbox, path, page(2, 40))];
    expect(json(whole).total).toBe(80);
    expect(halves.flatMap((half) => json(half).reports)).toEqual(json(whole).reports);
    expect((await call(sandbox, path, page(0, 40))).status).toBe(400);
    expect((await call(sandbox, path, { method: 'POST', body: '{"page":1}' })).status).toBe(400);
    expect(json(await call(sandbox, path, page(1, 101))).error_code).toBe('DBSS.10000001');
  });

  it('include one report that is never ready, and others that are', async () => {
    const sandbox = await start();
    const stuck = () =>
      Array.from(sandbox.estate.records('reports'), ({ text }) => text).filter(
        (text) => !text.includes('"percentum":100'),
      );
    expect(stuck()).toHaveLength(1);
    sandbox.estate.step(1, 'report');
    expect(stuck()).toHaveLength(2);
    sandbox.estate.step(2, 'report');
    expect(stuck()).toHaveLength(1);
  });

  it('are served in the configured generations', async () => {
    const sandbox = await start({ instanceGenerations: ['v1', 'v1-dbss'] });
    const missing = await call(sandbox, projectPath('v2', '/audit/instances'));
    expect([missing.status, json(missing).error_code]).toEqual([404, 'APIG.0101']);
    const id = sandbox.estate.instanceIds()[0];
    expect(json(await call(sandbox, projectPath('v1', '/audit/instances')))).toMatchObject({
      instances: [{ instance_id: id }, {}, {}],
    });
    expect(json(await call(sandbox, projectPath('v1', '/dbss/audit/instances')))).toMatchObject({
      servers: [{ id }, {}, {}],
    });
  });
});

describe('permissions', () => {
  it('respond to a refused project as to a missing one', async () => {
    const user = { ...DEMO_PASSWORD_USER, name: 'stranger', projects: ['nothing'] };
    const sandbox = await start({ passwordUsers: [DEMO_PASSWORD_USER, user] });
    const refused = await call(sandbox, EVENTS, { query: QUERY, user });
    const unknown = await call(sandbox, projectPath('v5', '/cluster-protect/events', 'unknown'), { query: QUERY });
    expect([refused.status, json(refused).error_code]).toEqual([400, 'HSS.0013']);
    expect([unknown.status, json(unknown).error_code]).toEqual([400, 'HSS.0013']);
    expect((await call(sandbox, projectPath('v2', '/audit/instances'), { user })).status).toBe(403);
  });

  it('do not extend to paths that do not exist', async () => {
    const sandbox = await start();
    const answer = await call(sandbox, '/v9/nowhere');
    expect([answer.status, json(answer).error_code]).toEqual([404, 'APIGW.0101']);
  });
});

describe('the quota', () => {
  it('is a sliding window per user and operation, with the text of the gateway', async () => {
    const clock = stoppedClock();
    const sandbox = await start({ quota: 5, now: clock.now });
    for (let count = 0; count < 5; count += 1) {
      expect((await call(sandbox, EVENTS, { query: QUERY })).status).toBe(200);
      clock.advance(10_000);
    }
    const refused = await call(sandbox, EVENTS, { query: QUERY });
    expect(refused.status).toBe(429);
    expect(json(refused)).toEqual({
      error_code: 'APIGW.0308',
      error_msg: 'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute',
      request_id: refused.headers.get('x-request-id'),
    });
    expect(refused.headers.has('retry-after')).toBe(false);
    expect((await call(sandbox, INSTANCES)).status).toBe(200);
    clock.advance(10_000);
    expect((await call(sandbox, EVENTS, { query: QUERY })).status).toBe(200);
    expect((await call(sandbox, EVENTS, { query: QUERY })).status).toBe(429);
  });

  it('can have another window, another dimension and a hint', async () => {
    const sandbox = await start({ quotaPerIp: 1, quotaWindowMs: 2_000, retryAfter: true });
    await call(sandbox, EVENTS, { query: QUERY });
    const refused = await call(sandbox, EVENTS, { query: QUERY });
    expect(refused.text).toContain('policy ip over ratelimit,limit:1,time:2 second');
    expect(refused.headers.get('retry-after')).toBe('2');
  });
});

describe('faults', () => {
  const strike = async (fault: Fault): Promise<{ broken: Answer | undefined; after: Answer }> => {
    const sandbox = await start();
    sandbox.faults.add(fault);
    const broken = await call(sandbox, EVENTS, { query: QUERY }).catch(() => undefined);
    return { broken, after: await call(sandbox, EVENTS, { query: QUERY }) };
  };

  it.each<readonly [FaultKind, number | undefined]>([
    ['reset', undefined],
    ['reset-mid-body', undefined],
    ['truncated', 200],
    ['bad-gateway', 502],
    ['html', 200],
    ['throttled', 429],
    ['server-error', 500],
    ['no-list', 200],
    ['forbidden', 400],
    ['token-expired', 401],
  ])('%s happens once', async (kind, status) => {
    const { broken, after } = await strike({ kind, operation: 'ListClusterEvents' });
    expect(broken?.status).toBe(status);
    if (broken?.status === 200) expect(() => records(broken)).toThrow();
    expect(records(after)).toHaveLength(10);
  });

  it('affect the configured requests, times and counts', async () => {
    const sandbox = await start();
    sandbox.faults.add({
      kind: 'server-error',
      operation: 'ListClusterEvents',
      times: 2,
      when: ({ call: count }) => count > 1,
    });
    const statuses: number[] = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await call(sandbox, EVENTS, { query: QUERY })).status);
    expect(statuses).toEqual([200, 500, 500, 200]);
    expect(sandbox.faults.pending()).toBe(0);
  });

  it('delay a response', async () => {
    const sandbox = await start();
    for (const kind of ['slow', 'late'] as const) {
      sandbox.faults.add({ kind, operation: 'ListClusterEvents', delayMs: 60 });
      const begun = performance.now();
      expect(records(await call(sandbox, EVENTS, { query: QUERY }))).toHaveLength(10);
      expect(performance.now() - begun).toBeGreaterThan(50);
    }
  });
});

describe('tests', () => {
  it('can serve records of their own, digit for digit', async () => {
    const sandbox = await start();
    const body = String.raw`{"total_num":1,"data_list":[{"event_id":"a\u0000b\ud800","event_type":9223372036854775807}]}`;
    sandbox.override('ListClusterEvents', ({ query }) => (query.offset === '0' ? body : undefined));
    expect((await call(sandbox, EVENTS, { query: QUERY })).text).toBe(body);
    expect(records(await call(sandbox, EVENTS, { query: { ...QUERY, offset: '10' } }))).toHaveLength(10);
    sandbox.override('ListClusterEvents', (_request, normal) =>
      normal().body.replace('"total_num":100', '"total_num":99'),
    );
    expect(json(await call(sandbox, EVENTS, { query: QUERY })).total_num).toBe(99);
  });

  it('can read the received requests', async () => {
    const sandbox = await start({ logSize: 3 });
    for (let count = 0; count < 6; count += 1) await call(sandbox, EVENTS, { query: QUERY });
    await fetch(`${sandbox.url}${EVENTS}`);
    expect(sandbox.requests.entries()).toMatchObject([
      { operation: 'KeystoneCreateUserTokenByPassword', status: 201, call: 6 },
      { operation: 'ListClusterEvents', status: 200, user: 'demo-user', query: QUERY, call: 6 },
      { operation: 'ListClusterEvents', status: 401, user: undefined, call: 7 },
    ]);
    expect([sandbox.requests.count(), sandbox.requests.count('ListClusterEvents')]).toEqual([13, 7]);
  });

  it('get the time and an id with every response', async () => {
    const sandbox = await start();
    const { headers } = await call(sandbox, EVENTS, { query: QUERY });
    expect(headers.get('date')).toBe('Wed, 15 Apr 2026 08:00:00 GMT');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
  });
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface TestCall {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly user?: PasswordUser;
}

/** Asks with a fresh token; signatures have tests of their own. */
async function call(sandbox: Sandbox, path: string, options: TestCall = {}): Promise<Answer> {
  const { user = DEMO_PASSWORD_USER, query = {}, body, method = 'GET' } = options;
  const login = { name: user.name, password: user.password, domain: { name: user.domain } };
  const auth = { identity: { methods: ['password'], password: { user: login } } };
  const issued = await fetch(`${sandbox.url}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }) });
  const headers = { 'x-auth-token': issued.headers.get('x-subject-token') ?? '' };
  const target = `${sandbox.url}${path}?${new URLSearchParams(query)}`;
  const response = await fetch(target, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function json(answer: Answer): Record<string, unknown> {
  const value: unknown = JSON.parse(answer.text);
  return Object.fromEntries(Object.entries(value ?? {}));
}

function records(answer: Answer): Record<string, unknown>[] {
  const { data_list: list } = json(answer);
  if (!Array.isArray(list)) throw new Error(`No list in ${answer.status} ${answer.text.slice(0, 300)}`);
  return list.map((each: unknown) => Object.fromEntries(Object.entries(each ?? {})));
}
