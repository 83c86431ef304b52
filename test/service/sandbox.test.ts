import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  DEMO_PASSWORD_USER,
  DEMO_PROJECT,
  EXAMPLE_INSTANCE_ID,
  EXAMPLE_VULNERABILITY_ID,
  type PasswordUser,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/server/server.ts';

const projectPath = (version: string, rest: string, projectId = DEMO_PROJECT.id) => `/${version}/${projectId}${rest}`;
const auditPath = (instanceId: string) => projectPath('v1', `/audit/${instanceId}/reports/list`);
const EVENTS = projectPath('v5', '/cluster-protect/events');
const REPORTS = projectPath('v5', '/security-check/containers/cluster-reports');
const HISTORY = projectPath('v5', '/image/vulnerability/handle-history');
const VULNERABILITIES = projectPath('v5', '/images/vulnerabilities');
const CLUSTERS = projectPath('v5', '/cluster-protect/clusters');
const ALL = { enterprise_project_id: 'all_granted_eps' } as const;
const open: Sandbox[] = [];
const NOW = Date.parse('2026-04-15T08:00:00Z');
const FIRST_PAGE = { offset: '0', limit: '200' } as const;

async function start(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ now: () => NOW, events: 400, ...options });
  open.push(sandbox);
  return sandbox;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((sandbox) => sandbox.close()));
});

const published = (name: string): string =>
  readFileSync(new URL(`../fixtures/published/${name}.json`, import.meta.url), 'utf8');

describe('the published examples', () => {
  it('are returned byte for byte', async () => {
    const sandbox = await start({ examples: true });
    const history = { vul_id: EXAMPLE_VULNERABILITY_ID, image_type: 'local_image' };
    const answers = [
      await call(sandbox, EVENTS, { query: FIRST_PAGE }),
      await call(sandbox, REPORTS),
      await call(sandbox, HISTORY, { query: history }),
      await call(sandbox, auditPath(EXAMPLE_INSTANCE_ID), { method: 'POST', body: '{"page":1,"size":1}' }),
    ];
    expect(answers.map((each) => each.text)).toEqual([
      published('hss-cluster-protect-events.en'),
      published('hss-cluster-reports'),
      published('hss-image-vulnerability-handle-history'),
      published('dbss-audit-reports'),
    ]);
    const chinese = await start({ examples: true, eventsDocument: 'zh' });
    const { text } = await call(chinese, EVENTS, { query: FIRST_PAGE });
    expect(text).toBe(published('hss-cluster-protect-events.zh'));
  });

  it('are reachable from their parents', async () => {
    const sandbox = await start({ examples: true });
    const query = { type: 'app_vul', handle_status: 'handled', image_type: 'local', ...ALL };
    const [vulnerability] = records(await call(sandbox, VULNERABILITIES, { query }));
    expect(vulnerability?.vul_id).toBe(EXAMPLE_VULNERABILITY_ID);
    expect((await call(sandbox, projectPath('v2', '/audit/instances'))).text).toContain(EXAMPLE_INSTANCE_ID);
    expect(records(await call(sandbox, CLUSTERS, { query: FIRST_PAGE }))).toHaveLength(2);
    expect(records(await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, offset: '10' } }))).toEqual([]);
  });
});

describe('the estate', () => {
  it('is the same for the same seed and another for another', async () => {
    const query = { ...FIRST_PAGE, ...ALL };
    const texts: string[] = [];
    for (const seed of [1, 1, 2]) {
      const sandbox = await start({ seed });
      sandbox.estate.step(50);
      texts.push((await call(sandbox, EVENTS, { query })).text);
    }
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  it('has the requested sizes', async () => {
    const sandbox = await start({ events: 5_000, clusters: 20, reports: 500, instances: 4 });
    const counts = { events: 5_000, clusters: 20, reports: 500, instances: 4, vulnerabilities: 400 };
    expect(sandbox.estate.counts()).toMatchObject(counts);
    const ids = Array.from(sandbox.estate.records('events'), ({ text }) => /"event_id":"([^"]+)"/.exec(text)?.[1]);
    expect(new Set(ids).size).toBe(5_000);
  });

  it('repeats resource_info in event_content', async () => {
    const sandbox = await start();
    for (const event of records(await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, ...ALL } }))) {
      const { enforcementAction, ...content } = JSON.parse(`${event.event_content}`);
      const expected = { ...content, enforcement_action: enforcementAction };
      expect(event.resource_info).toMatchObject(expected);
    }
  });

  it.each([
    ['snake', 'a1195953dece4a44fbb0e4ef084f9f1d533fb4b43ec94d4643a6ae2ff745eba4'],
    ['camel', '0c31402476532ce7ade2e32dfc1b6b5f374005d4f350154570ad001a46b541ff'],
  ] as const)('writes events byte for byte as in earlier versions, in %s case', async (casing, digest) => {
    const sandbox = await start({ events: 800, lists: { ListClusterEvents: { casing } } });
    let text = '';
    for (const offset of ['0', '200', '400', '600'])
      text += (await call(sandbox, EVENTS, { query: { offset, limit: '200', ...ALL } })).text;
    expect(hash('sha256', text)).toBe(digest);
  });

  it('shows one project the records of that project only', async () => {
    const other = { id: 'ffffffffffffffffffffffffffffffff', region: 'eu-west-101', events: 30 };
    const sandbox = await start({ projects: [DEMO_PROJECT, other] });
    const path = projectPath('v5', '/cluster-protect/events', other.id);
    const answer = await call(sandbox, path, { query: { ...FIRST_PAGE, ...ALL } });
    expect(json(answer).total_num).toBe(30);
    expect(new Set(records(answer).map((each) => each.project_id))).toEqual(new Set([other.id]));
  });

  it('changes like real lists: handled events move to the newest end, new ones appear there', async () => {
    const sandbox = await start();
    const query = { ...FIRST_PAGE, ...ALL };
    sandbox.estate.step(1, 'handled');
    const [handled] = records(await call(sandbox, EVENTS, { query }));
    expect(handled).toMatchObject({ handle_status: 'handled', update_time: NOW });
    sandbox.estate.step(1, 'event');
    const [created] = records(await call(sandbox, EVENTS, { query }));
    expect(created).toMatchObject({ handle_status: 'unhandled', create_time: NOW + 1 });
    sandbox.estate.step(3, 'removed');
    expect(json(await call(sandbox, EVENTS, { query })).total_num).toBe(398);
  });

  it('keeps every order through many changes', async () => {
    const sandbox = await start({ lists: { ListClusterEvents: { order: 'create_desc' } } });
    await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, ...ALL } });
    for (const kind of ['event', 'handled', 'removed'] as const) sandbox.estate.step(100, kind);
    const pages = [
      await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, ...ALL } }),
      await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, offset: '200', ...ALL } }),
    ];
    const rows = pages.flatMap((page) => records(page));
    const truth = Array.from(sandbox.estate.records('events'), ({ text }) => text);
    expect(rows).toHaveLength(400);
    expect(new Set(rows.map((row) => JSON.stringify(row)))).toEqual(new Set(truth));
    const times = rows.map((row) => Number(row.create_time));
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  it('spreads its events evenly without a noisy cluster, incidents included', async () => {
    const { estate } = await start({ events: 20_000, clusters: 20, retiredClusters: 0, noisyCluster: false });
    const sizes = Map.groupBy(estate.records('events'), ({ text }) => JSON.parse(text).cluster_id);
    const largest = Math.max(...[...sizes.values()].map((events) => events.length));
    expect(sizes.size).toBe(20);
    expect(largest).toBeLessThan(1_000 * 1.15);
  });
});

describe('the lists', () => {
  it('show the default enterprise project unless all are asked for', async () => {
    const sandbox = await start();
    const plain = json(await call(sandbox, EVENTS, { query: FIRST_PAGE }));
    const all = json(await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, ...ALL } }));
    expect(all.total_num).toBe(400);
    expect(Number(plain.total_num)).toBeLessThan(400);
    const answer = await call(sandbox, EVENTS, { query: FIRST_PAGE });
    expect(new Set(records(answer).map((each) => each.enterprise_project_id))).toEqual(new Set(['0']));
  });

  it('page through everything without gaps', async () => {
    const sandbox = await start();
    const seen = new Set<unknown>();
    for (let offset = 0; offset < 400; offset += 50) {
      const query = { offset: `${offset}`, limit: '50', ...ALL };
      for (const row of records(await call(sandbox, EVENTS, { query }))) seen.add(row.event_id);
    }
    expect(seen.size).toBe(400);
  });

  it.each([
    ['a limit below 10', { offset: '0', limit: '9' }],
    ['a limit above 200', { offset: '0', limit: '201' }],
    ['an offset above 2,000,000', { offset: '2000001', limit: '10' }],
    ['a negative offset', { offset: '-1', limit: '10' }],
    ['no offset', { limit: '10' }],
    ['no limit', { offset: '0' }],
    ['a limit that is no number', { offset: '0', limit: 'ten' }],
  ])('refuse %s', async (_name, query) => {
    const sandbox = await start();
    const answer = await call(sandbox, EVENTS, { query });
    expect(answer.status).toBe(400);
    expect(json(answer)).toMatchObject({
      error_code: 'HSS.0001',
      error_msg: expect.any(String),
      error_description: expect.any(String),
    });
  });

  it('end at the cap, which only the count shows', async () => {
    const sandbox = await start({ events: 12_000, clusters: 2 });
    const last = await call(sandbox, EVENTS, { query: { offset: '9990', limit: '200', ...ALL } });
    expect(json(last).total_num).toBe(10_000);
    expect(records(last)).toHaveLength(10);
    const beyond = await call(sandbox, EVENTS, { query: { offset: '10000', limit: '200', ...ALL } });
    expect(records(beyond)).toEqual([]);
    const strict = await start({ events: 12_000, clusters: 2, beyondEventCap: 'error' });
    expect((await call(strict, EVENTS, { query: { offset: '10000', limit: '200', ...ALL } })).status).toBe(400);
  });

  it('split by cluster into parts that add up, also after changes', async () => {
    const sandbox = await start();
    for (const events of [400, 450]) {
      let sum = 0;
      for (const cluster_id of [...sandbox.estate.clusterIds(), 'unknown'])
        sum += Number(json(await call(sandbox, EVENTS, { query: { ...FIRST_PAGE, ...ALL, cluster_id } })).total_num);
      expect(sum).toBe(events);
      sandbox.estate.step(50, 'event');
    }
  });

  it('accept one spelling of the image type', async () => {
    const sandbox = await start();
    const ask = (on: Sandbox, image_type: string) => call(on, HISTORY, { query: { vul_id: 'x', image_type } });
    expect((await ask(sandbox, 'local')).status).toBe(200);
    expect(json(await ask(sandbox, 'local_image')).error_code).toBe('HSS.0001');
    const other = await start({ imageTypeSpelling: 'local_image', otherImageType: 'empty' });
    expect((await ask(other, 'local_image')).status).toBe(200);
    expect(records(await ask(other, 'local'))).toEqual([]);
  });

  it('list under handled what has a handling history', async () => {
    const sandbox = await start();
    const truth = new Set(Array.from(sandbox.estate.records('operations'), ({ request }) => request.vul_id));
    const query = { type: 'linux_vul', handle_status: 'handled', image_type: 'registry', limit: '200', ...ALL };
    const rows = records(await call(sandbox, VULNERABILITIES, { query }));
    expect(rows.length).toBeGreaterThan(5);
    for (const row of rows) expect(truth).toContain(row.vul_id);
    const history = { vul_id: `${rows[0]?.vul_id}`, image_type: 'registry', ...ALL };
    expect(records(await call(sandbox, HISTORY, { query: history })).length).toBeGreaterThan(0);
  });

  it('come in another order with every request if shuffled, and with unstable ties if configured', async () => {
    for (const behaviour of [{ order: 'shuffled' }, { ties: 60, tieOrder: 'unstable' }] as const) {
      const sandbox = await start({ lists: { ListClusterEvents: behaviour } });
      const query = { ...FIRST_PAGE, ...ALL };
      const first = records(await call(sandbox, EVENTS, { query })).map((row) => row.event_id);
      const second = records(await call(sandbox, EVENTS, { query })).map((row) => row.event_id);
      expect(first).not.toEqual(second);
      expect(new Set(first).size).toBe(200);
    }
  });

  it('spell events in camelCase when asked', async () => {
    const sandbox = await start({ lists: { ListClusterEvents: { casing: 'camel' } } });
    const [row] = records(await call(sandbox, EVENTS, { query: FIRST_PAGE }));
    expect(row).toMatchObject({
      projectId: DEMO_PROJECT.id,
      updateTime: expect.any(Number),
      event_id: expect.any(String),
    });
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
