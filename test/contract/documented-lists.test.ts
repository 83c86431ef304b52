import { afterAll, describe, expect, test } from 'vitest';
import { isObject } from '../../src/core/stream/json.ts';
import { type Fact, type OperationFacts, pagingOf, rowFields } from '../../src/facts/facts.ts';
import { DOCUMENTED_LISTS } from '../../src/sandbox/documented/lists.ts';
import { DEMO_PASSWORD_USER, DEMO_PROJECT, startSandbox } from '../../src/sandbox/server/server.ts';
import { contradictions, facts } from '../support/facts.ts';

/** Every list of the sandbox that is made from the facts, asked as the facts say and held against them. */

const NOW = Date.parse('2026-04-15T08:00:00Z');
const DAY_MS = 86_400_000;
const HOSTS = 5;
const sandbox = await startSandbox({
  now: () => NOW,
  hosts: HOSTS,
  clusters: 3,
  vulnerabilities: 8,
  events: 20,
  reports: 6,
});
afterAll(() => sandbox.close());

const login = {
  name: DEMO_PASSWORD_USER.name,
  password: DEMO_PASSWORD_USER.password,
  domain: { name: DEMO_PASSWORD_USER.domain },
};
const auth = { identity: { methods: ['password'], password: { user: login } } };
const issued = await fetch(`${sandbox.url}/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }) });
const token = issued.headers.get('x-subject-token') ?? '';

const factsOf = (operation: string): OperationFacts => {
  const found = [...facts.values()].find((one) => one.operation === operation);
  if (found === undefined) throw new Error(`no facts of ${operation}`);
  return found;
};

type Values = Readonly<Record<string, string>>;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks for a page; parameters are put where the facts say. */
async function ask(operation: string, values: Values, page: { offset: number; limit: number }): Promise<Answer> {
  const { method, path, parameters } = factsOf(operation);
  const query = new URLSearchParams();
  const headers: Record<string, string> = { 'x-auth-token': token };
  const { kind, in: place, asText } = pagingOf(factsOf(operation));
  const numbers =
    kind === 'page' ? { page: page.offset / page.limit + 1, size: page.limit } : kind === 'whole' ? {} : page;
  const sent = asText
    ? Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]))
    : numbers;
  if (place === 'query') for (const [name, value] of Object.entries(sent)) query.set(name, String(value));
  for (const [name, value] of Object.entries(values)) {
    if (parameters[name]?.in === 'query') query.set(name, value);
    if (parameters[name]?.in === 'header') headers[name] = value;
  }
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(name === 'project_id' ? DEMO_PROJECT.id : (values[name] ?? '')),
  );
  const time = { start_time: '2026-01-01 00:00:00', end_time: '2026-04-16 00:00:00' };
  const body = method === 'POST' ? { body: JSON.stringify({ ...sent, time }) } : {};
  const response = await fetch(`${sandbox.url}${target}?${query}`, { method, headers, ...body });
  const answer: unknown = await response.json();
  return { status: response.status, body: isObject(answer) ? answer : {} };
}

/** Parameters that a request needs besides those of the page, and that of the enterprise project. */
function neededBy({ parameters }: OperationFacts): readonly (readonly [string, Fact])[] {
  return Object.entries(parameters).filter(
    ([name, { required, in: place }]) => required === true && place !== 'body' && !['offset', 'limit'].includes(name),
  );
}

/** All sets of values for them that a list has rows for, as the estate tells. */
function listingsOf(operation: (typeof DOCUMENTED_LISTS)[number]['operation']): readonly Values[] {
  const known = factsOf(operation);
  const everywhere = 'enterprise_project_id' in known.parameters ? { enterprise_project_id: 'all_granted_eps' } : {};
  const all = [...sandbox.estate.records(operation)].map(({ request, text }) => {
    const record: unknown = JSON.parse(text);
    const values = { ...(isObject(record) ? record : {}), ...request, region: DEMO_PROJECT.region };
    const times = { start_time: 0, begin_time: 0, end_time: NOW + DAY_MS };
    const needed = neededBy(known).map(([name]) => [name, String({ ...values, ...times }[name])]);
    return JSON.stringify({ ...Object.fromEntries(needed), ...everywhere });
  });
  return [...new Set(all)].map((text): Values => JSON.parse(text));
}

async function readAll(operation: string, values: Values): Promise<readonly unknown[]> {
  const known = factsOf(operation);
  const paging = pagingOf(known);
  const limit = Math.min(200, paging.max ?? 50);
  const rows: unknown[] = [];
  for (;;) {
    const { status, body } = await ask(operation, values, { offset: rows.length, limit });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(contradictions(known.response, body), `${operation} ${JSON.stringify(values)}`).toEqual([]);
    const page = body[known.list ?? ''];
    if (!Array.isArray(page)) throw new Error(`no list in ${JSON.stringify(body).slice(0, 200)}`);
    rows.push(...page);
    if (known.total !== null && page.length > 0) expect(body[known.total]).toBeGreaterThanOrEqual(rows.length);
    const isLast = paging.kind === 'whole' || (paging.kind === 'page' && page.length < limit);
    if (page.length === 0 || isLast) return rows;
  }
}

describe.each(DOCUMENTED_LISTS)('$operation', ({ operation, key }) => {
  test('shows only documented fields, and every row can be read, while the estate changes from list to list', async () => {
    const listings = listingsOf(operation);
    expect(listings.length).toBeGreaterThan(0);
    let read = 0;
    for (const values of listings) {
      const rows = await readAll(operation, values);
      expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(rows.length);
      read += rows.length;
    }
    const held = [...sandbox.estate.records(operation)];
    expect(read).toBe(held.length);
    const keys = held.map(({ request, text }) => {
      const record: unknown = JSON.parse(text);
      return JSON.stringify(key.map((name) => (isObject(record) ? record[name] : undefined) ?? request[name]));
    });
    expect(new Set(keys).size).toBe(keys.length);
    sandbox.estate.step(200, 'documented');
  });

  test('refuses a request without what is required, a value that is not documented, and a page that is too large', async () => {
    const known = factsOf(operation);
    const [values = {}] = listingsOf(operation);
    const page = { offset: 0, limit: pagingOf(known).min ?? 10 };
    expect((await ask(operation, values, page)).status).toBe(200);
    for (const [name] of neededBy(known).filter(([, { in: place }]) => place !== 'path')) {
      const { [name]: _, ...rest } = values;
      const { status, body } = await ask(operation, rest, page);
      expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(`${name} is required`)]);
    }
    const [limited] =
      Object.entries(known.parameters).find(([, { in: place, values: some }]) => place === 'query' && some) ?? [];
    if (limited !== undefined) {
      expect((await ask(operation, { ...values, [limited]: 'undocumented' }, page)).status).toBe(400);
    }
    const { max } = pagingOf(known);
    if (max !== undefined) expect((await ask(operation, values, { ...page, limit: max + 1 })).status).toBe(400);
  });
});

async function all(operation: (typeof DOCUMENTED_LISTS)[number]['operation']) {
  const rows = await Promise.all(listingsOf(operation).map((values) => readAll(operation, values)));
  const { item } = rowFields(factsOf(operation));
  return rows.flat().flatMap((row) => {
    const record = isObject(row) && item !== undefined ? row[item] : row;
    return isObject(record) ? [record] : [];
  });
}

describe('the lists of the sandbox belong to one estate', () => {
  test('every host id that a list has is that of a host, with the same name', async () => {
    const hosts = new Map((await all('ListHostStatus')).map(({ host_id, host_name }) => [host_id, host_name]));
    expect(hosts.size).toBe(HOSTS);
    for (const { operation } of DOCUMENTED_LISTS) {
      if (!('host_id' in rowFields(factsOf(operation)).fields)) continue;
      for (const { host_id, host_name } of await all(operation)) {
        expect(hosts.has(host_id), `${operation}: ${String(host_id)}`).toBe(true);
        if (host_name !== undefined) expect(host_name, operation).toBe(hosts.get(host_id));
      }
    }
  });

  test('every cluster id is that of a cluster, and every vulnerability of a host is one of the list of vulnerabilities', async () => {
    const clusters = new Set(sandbox.estate.clusterIds());
    for (const operation of ['ListClusterRisks', 'ListContainers', 'ListClusterProtectionPolicy'] as const) {
      for (const { cluster_id } of await all(operation)) expect(clusters.has(String(cluster_id)), operation).toBe(true);
    }
    const known = new Set((await all('ListVulnerabilities')).map(({ vul_id }) => vul_id));
    for (const { vul_id } of await all('ListVulHostVuls')) expect(known.has(vul_id)).toBe(true);
  });
});

describe('a list with times', () => {
  const host = { category: 'host', enterprise_project_id: 'all_granted_eps' };
  const timesOf = async (values: Values) => {
    const rows = await readAll('ListSecurityEvents', { ...host, ...values });
    return rows.map((row) => Number(isObject(row) ? row.occur_time : 0));
  };

  test('is sorted newest first, and cut by a window or by a number of days', async () => {
    const times = await timesOf({});
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    const [from, to] = [NOW - 20 * DAY_MS, NOW - 10 * DAY_MS];
    const inside = times.filter((time) => time >= from && time <= to);
    expect(inside.length).toBeGreaterThan(5);
    expect(await timesOf({ begin_time: String(from), end_time: String(to) })).toEqual(inside);
    expect(await timesOf({ last_days: '3' })).toEqual(times.filter((time) => time >= NOW - 3 * DAY_MS));
  });

  test('shows the default enterprise project if none is requested', async () => {
    const { body } = await ask('ListHostStatus', {}, { offset: 0, limit: 200 });
    const everything = await all('ListHostStatus');
    const ours = everything.filter(({ enterprise_project_id }) => enterprise_project_id === '0');
    expect(ours.length).toBeLessThan(everything.length);
    expect(body.total_num).toBe(ours.length);
  });

  test('is sorted as requested if the order is documented', async () => {
    const order = { ...listingsOf('ListEventHandleHistory')[0], sort_key: 'handle_time', sort_dir: 'asc' };
    const rows = await readAll('ListEventHandleHistory', order);
    const times = rows.map((row) => Number(isObject(row) ? row.handle_time : 0));
    expect(times.length).toBeGreaterThan(100);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('is filtered by the times in the body of a DBSS request', async () => {
    const [values = {}] = listingsOf('ListAuditAlarmLogNew');
    const rows = await readAll('ListAuditAlarmLogNew', values);
    expect(rows.length).toBeGreaterThan(20);
    expect(rows[0]).toMatchObject({ alarm_time: expect.stringMatching(/^2026-0[34]-\d\d \d\d:\d\d:\d\d$/) });
  });
});

test('the same seed makes the same lists, whenever they are first read', async () => {
  const texts: string[] = [];
  for (const seed of [5, 5, 6]) {
    const other = await startSandbox({ now: () => NOW, seed, hosts: 8 });
    other.estate.step(10);
    const [first, second] = [[...other.estate.records('ListHostStatus')], [...other.estate.records('ListVulHostVuls')]];
    texts.push(JSON.stringify([first, second]));
    await other.close();
  }
  expect(texts[0] === texts[1]).toBe(true);
  expect(texts[0] === texts[2]).toBe(false);
});
