import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAuthorization, signatureFits } from '../../src/sandbox/auth/signature.ts';
import {
  DEMO_KEY,
  DEMO_PASSWORD_USER,
  DEMO_PROJECT,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/server/server.ts';

const EVENTS = `/v5/${DEMO_PROJECT.id}/cluster-protect/events`;
const ALL = { enterprise_project_id: 'all_granted_eps' } as const;
const open: Sandbox[] = [];
const START = Date.parse('2026-04-15T08:00:00Z');
const QUERY = { offset: '0', limit: '10', ...ALL } as const;
const MINUTE_MS = 60_000;

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

const codeOf = (answer: Answer): readonly unknown[] => [answer.status, json(answer).error_code];

interface Vector {
  readonly id: string;
  readonly algorithm: string;
  readonly sk: string;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, readonly string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly authorization: string;
}

describe('signatures', () => {
  const vectors: Vector[] = JSON.parse(
    readFileSync(new URL('../fixtures/signing/vectors.json', import.meta.url), 'utf8'),
  ).vectors.filter((each: Vector) => each.algorithm === 'SDK-HMAC-SHA256');

  it.each(vectors.map((each) => [each.id, each] as const))(
    'fit the published case %s, and not once a part is changed',
    (_id, vector) => {
      const query = Object.entries(vector.query).flatMap(([name, values]) =>
        values.map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
      );
      const request = {
        method: vector.method,
        target: query.length === 0 ? vector.path : `${vector.path}?${query.join('&')}`,
        headers: new Map(Object.entries(vector.headers).map(([name, value]) => [name.toLowerCase(), value])),
        body: Buffer.from(vector.body),
      };
      const parsed = parseAuthorization(vector.authorization);
      if (parsed === undefined) throw new Error('The vector has no signature');
      expect(signatureFits(request, parsed, vector.sk)).toBe(true);
      expect(signatureFits({ ...request, method: 'DELETE' }, parsed, vector.sk)).toBe(false);
      expect(signatureFits(request, parsed, `${vector.sk}x`)).toBe(false);
      expect(signatureFits({ ...request, body: Buffer.from(`${vector.body} `) }, parsed, vector.sk)).toBe(false);
    },
  );

  it.each<readonly [string, (request: Outgoing) => Partial<Outgoing>]>([
    ['query', ({ target }) => ({ target: target.replace('limit=10', 'limit=11') })],
    ['path', ({ target }) => ({ target: target.replace('events', 'clusters') })],
    ['method', () => ({ method: 'POST', target: projectPath('v1', '/audit/x/reports/list') })],
    ['body', () => ({ body: '{}' })],
    ['date', ({ headers }) => ({ headers: { ...headers, 'x-sdk-date': '20260415T080001Z' } })],
    ['signed header', ({ headers }) => ({ headers: { ...headers, 'x-project-id': 'changed' } })],
    [
      'access key',
      ({ headers }) => ({
        headers: { ...headers, authorization: `${headers.authorization}`.replace('Access=', 'Access=x') },
      }),
    ],
  ])('are refused when the %s is changed', async (_part, tamper) => {
    const sandbox = await start();
    const headers = { 'x-project-id': 'signed' };
    expect((await call(sandbox, EVENTS, { query: QUERY, headers })).status).toBe(200);
    const answer = await call(sandbox, EVENTS, { query: QUERY, headers, tamper });
    expect(codeOf(answer)).toEqual([401, 'APIGW.0301']);
    expect(json(answer).request_id).toBe(answer.headers.get('x-request-id'));
  });

  it('may exclude the body with a header', async () => {
    const sandbox = await start();
    const path = `/v1/${sandbox.estate.project.id}/audit/${sandbox.estate.instanceIds()[0]}/reports/list`;
    const body = '{"page":1,"size":10}';
    const headers = { 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD' };
    const tamper = () => ({ body: '{"page":1,"size":11}' });
    expect((await call(sandbox, path, { method: 'POST', body, headers, tamper })).status).toBe(200);
    expect((await call(sandbox, path, { method: 'POST', body, tamper })).status).toBe(401);
  });

  it('are refused if they are 16 minutes off, not 14', async () => {
    const sandbox = await start();
    expect((await call(sandbox, EVENTS, { query: QUERY, signedAt: START - 14 * MINUTE_MS })).status).toBe(200);
    expect((await call(sandbox, EVENTS, { query: QUERY, signedAt: START + 16 * MINUTE_MS })).status).toBe(401);
  });

  it('lock a key for five minutes after five failures in a row', async () => {
    const clock = stoppedClock();
    const sandbox = await start({ now: clock.now });
    const wrong = { ...DEMO_KEY, secretKey: 'wrong' };
    for (let failure = 0; failure < 5; failure += 1) await call(sandbox, EVENTS, { query: QUERY, key: wrong });
    expect(codeOf(await call(sandbox, EVENTS, { query: QUERY }))).toEqual([401, 'APIGW.0301']);
    clock.advance(5 * MINUTE_MS);
    expect((await call(sandbox, EVENTS, { query: QUERY })).status).toBe(200);
    for (let failure = 0; failure < 8; failure += 1) {
      if (failure % 4 === 3) await call(sandbox, EVENTS, { query: QUERY });
      await call(sandbox, EVENTS, { query: QUERY, key: wrong });
    }
    expect((await call(sandbox, EVENTS, { query: QUERY })).status).toBe(200);
  });
});

describe('tokens', () => {
  const login = (sandbox: Sandbox, password: string = DEMO_PASSWORD_USER.password) => {
    const user = { name: DEMO_PASSWORD_USER.name, password, domain: { name: DEMO_PASSWORD_USER.domain } };
    const auth = {
      identity: { methods: ['password'], password: { user } },
      scope: { project: { name: 'cn-north-4' } },
    };
    return call(sandbox, '/v3/auth/tokens', { method: 'POST', body: JSON.stringify({ auth }), unsigned: true });
  };
  const withToken = (sandbox: Sandbox, token: string) =>
    call(sandbox, EVENTS, { query: QUERY, headers: { 'x-auth-token': token }, unsigned: true });

  it('are given for a password, open the lists and expire', async () => {
    const clock = stoppedClock();
    const sandbox = await start({ now: clock.now, tokenLifetimeMs: 10 * MINUTE_MS, tokenLength: 32_768 });
    const answer = await login(sandbox);
    const token = answer.headers.get('x-subject-token') ?? '';
    expect([answer.status, token.length]).toEqual([201, 32_768]);
    expect(answer.text).toContain('"expires_at":"2026-04-15T08:10:00.000000Z"');
    expect((await withToken(sandbox, token)).status).toBe(200);
    clock.advance(10 * MINUTE_MS);
    expect(codeOf(await withToken(sandbox, token))).toEqual([401, 'APIGW.0307']);
    expect(codeOf(await withToken(sandbox, 'invented'))).toEqual([401, 'APIGW.0301']);
  });

  it('are not given for a wrong password', async () => {
    expect((await login(await start(), 'wrong')).status).toBe(401);
  });

  it('are required, unless the request is signed', async () => {
    const sandbox = await start();
    expect(codeOf(await call(sandbox, EVENTS, { query: QUERY, unsigned: true }))).toEqual([401, 'APIGW.0301']);
  });

  it('come as temporary keys from the metadata service', async () => {
    const sandbox = await start();
    const headers = { 'x-metadata-token-ttl-seconds': '21600' };
    const session = await call(sandbox, '/meta-data/latest/api/token', { method: 'PUT', headers, unsigned: true });
    const found = await call(sandbox, '/openstack/latest/securitykey', {
      headers: { 'x-metadata-token': session.text },
      unsigned: true,
    });
    const { access, secret, securitytoken } = JSON.parse(found.text).credential;
    const key = { accessKey: access, secretKey: secret };
    expect((await call(sandbox, EVENTS, { query: QUERY, key: { ...key, securityToken: securitytoken } })).status).toBe(
      200,
    );
    expect((await call(sandbox, EVENTS, { query: QUERY, key })).status).toBe(401);
    expect((await call(sandbox, '/openstack/latest/securitykey', { unsigned: true })).status).toBe(401);
  });
});

/** An answer, with its body as text: what is compared is what came over the wire. */
interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** A call of a test. */
interface TestCall {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: { readonly accessKey: string; readonly secretKey: string; readonly securityToken?: string };
  /** When the request says it was signed, in epoch milliseconds. */
  readonly signedAt?: number;
  /** Changes the request between signing and sending. */
  readonly tamper?: (request: Outgoing) => Partial<Outgoing>;
  readonly unsigned?: boolean;
}

/** A request ready to be sent. */
interface Outgoing {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The path of a project's resource. */
function projectPath(version: string, rest: string, projectId: string = DEMO_PROJECT.id): string {
  return `/${version}/${projectId}${rest}`;
}

/** Calls the sandbox with a signature made here, step by step as the documents describe it. */
async function call(sandbox: Sandbox, path: string, options: TestCall = {}): Promise<Answer> {
  const signed = options.unsigned === true ? plain(path, options) : sign(sandbox, path, options);
  return send(sandbox, { ...signed, ...options.tamper?.(signed) });
}

/** The JSON of an answer. */
function json(answer: Answer): Record<string, unknown> {
  const value: unknown = JSON.parse(answer.text);
  return Object.fromEntries(Object.entries(value ?? {}));
}

function plain(path: string, { method = 'GET', query = {}, body = '', headers = {} }: TestCall): Outgoing {
  const search = new URLSearchParams(query).toString();
  return { method, target: search === '' ? path : `${path}?${search}`, headers, body };
}

function sign(sandbox: Sandbox, path: string, options: TestCall): Outgoing {
  const { method = 'GET', query = {}, body = '', key = DEMO_KEY } = options;
  const at = new Date(options.signedAt ?? sandbox.settings.now());
  const date = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const headers: Record<string, string> = {
    host: `127.0.0.1:${sandbox.port}`,
    'x-sdk-date': date,
    ...(key.securityToken === undefined ? {} : { 'x-security-token': key.securityToken }),
    ...options.headers,
  };
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const names = Object.keys(headers).sort();
  const search = Object.entries(query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&');
  const payload = headers['x-sdk-content-sha256'] ?? sha256(body);
  const canonical = `${method}\n${path}/\n${search}\n${names.map((name) => `${name}:${headers[name]}\n`).join('')}\n${names.join(';')}\n${payload}`;
  const signature = createHmac('sha256', key.secretKey)
    .update(`SDK-HMAC-SHA256\n${date}\n${sha256(canonical)}`)
    .digest('hex');
  const authorization = `SDK-HMAC-SHA256 Access=${key.accessKey}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { method, target: search === '' ? path : `${path}?${search}`, headers: { ...headers, authorization }, body };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function send({ port }: Sandbox, { method, target, headers, body }: Outgoing): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
    const all = { ...headers, ...length };
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path: target,
      headers: all,
      agent: false,
      maxHeaderSize: 65_536,
    };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const entries = Object.entries(response.headers).map(([name, value]) => [name, `${value}`] as const);
        resolve({
          status: response.statusCode ?? 0,
          headers: new Map(entries),
          text: Buffer.concat(chunks).toString(),
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
