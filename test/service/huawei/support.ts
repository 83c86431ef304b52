import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Account, Auth, Scope } from '../../../src/core/account.ts';
import { MalformedAnswer } from '../../../src/core/errors.ts';
import type { ApiCall, Clock, Quota, Suspensions, Throttle } from '../../../src/core/ports.ts';
import { parseJson } from '../../../src/core/stream/json.ts';
import { createPageSource } from '../../../src/huawei/requests/read-call.ts';
import { createHttp, type Http } from '../../../src/huawei/transport/http.ts';
import { testNow } from '../../support/clock.ts';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Reply = (response: ServerResponse, request: Received) => void | Promise<void>;

/** A loopback server that answers as told and remembers what it was asked. */
export async function serve(reply: Reply): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const request = { method, url, headers, body: Buffer.concat(chunks).toString() };
      received.push(request);
      response.setHeader('date', new Date(testNow()).toUTCString());
      Promise.resolve(reply(response, request)).catch((error: unknown) => response.destroy(new Error(String(error))));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, received };
}

/** One reply after the other; the last one is repeated. */
export function inTurn(...replies: readonly Reply[]): Reply {
  let next = 0;
  return (response, request) => {
    const reply = replies[Math.min(next, replies.length - 1)];
    next += 1;
    return reply?.(response, request);
  };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export const page = json(200, { total_num: 0, data_list: [] }, { 'x-request-id': 'req-1' });
export const signatureRefused = json(401, { error_code: 'APIGW.0301', error_msg: 'verify aksk signature fail' });
export const tokenOutlived = json(401, { error_code: 'APIGW.0307', error_msg: 'the token must be updated' });

/** Sleeping takes no time but moves the clock; `slept` says how long it would have been. */
export function fakeClock(): Clock & { slept: number[]; advance(ms: number): void } {
  let ahead = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => testNow() + ahead,
    advance: (ms) => {
      ahead += ms;
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      ahead += ms;
    },
  };
}

function fakeQuota(): Quota & { taken: string[]; done: (Throttle | undefined)[] } {
  const taken: string[] = [];
  const done: (Throttle | undefined)[] = [];
  return {
    taken,
    done,
    async acquire({ account, operation }) {
      taken.push(`${account} ${operation}`);
      return { done: async (throttle) => void done.push(throttle) };
    },
  };
}

export function fakeSuspensions(clock: Clock): Suspensions & { held: Map<string, string>; lifted: number } {
  const held = new Map<string, string>();
  const until = new Date(clock.now() + 600_000);
  let serverNow: Date | null = null;
  return {
    held,
    lifted: 0,
    async find(account, fingerprint) {
      const reason = held.get(`${account} ${fingerprint}`);
      return reason === undefined ? null : { until, reason, serverNow };
    },
    async suspend(account, fingerprint, { reason, serverTime }) {
      if (held.has(`${account} ${fingerprint}`)) throw new Error('suspended twice');
      held.set(`${account} ${fingerprint}`, reason);
      serverNow = serverTime;
      return { until, reason, serverNow };
    },
    async lift() {
      this.lifted += 1;
    },
  };
}

export function fakeLogger() {
  const lines: { level: string; fields: object; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

export const secret = (value: string) => () => Promise.resolve(value);
export const AKSK: Auth = { kind: 'aksk', accessKey: secret('AKAKAKAK'), secretKey: secret('SKSKSKSK') };

export function accountAt(url: string, auth: Auth = AKSK, name = 'prod'): Account {
  return {
    name,
    auth,
    endpoints: { hss: url, dbss: url, iam: url, eps: url, sts: url, metadata: url },
    requestsPerMinute: 5,
  };
}

export const scope: Scope = {
  account: 'prod',
  region: 'cn-north-4',
  projectId: '84b5266c14ae489fa6549827f032dc62',
  enterpriseProjectId: 'all_granted_eps',
};

export const events: ApiCall = {
  service: 'hss',
  method: 'GET',
  operation: 'GET /v5/{project_id}/cluster-protect/events',
  path: `/v5/${scope.projectId}/cluster-protect/events`,
  query: { offset: 0, limit: 200, enterprise_project_id: 'all_granted_eps' },
};

function listOf(text: string): readonly unknown[] {
  const body = parseJson(text);
  if (typeof body === 'object' && body !== null && 'data_list' in body && Array.isArray(body.data_list)) {
    return body.data_list;
  }
  throw new MalformedAnswer('there is no data_list');
}

export interface World {
  readonly pageTimeoutMs?: number;
  readonly http?: Http;
  readonly clock?: ReturnType<typeof fakeClock>;
}

/** A page source over fakes, closed when the test ends. Jitter is off: waits are 0.5 s, 1 s, 2 s. */
export function sourceFor(
  accounts: readonly Account[],
  { clock = fakeClock(), http = createHttp(), ...rest }: World = {},
) {
  const quota = fakeQuota();
  const suspensions = fakeSuspensions(clock);
  const logger = fakeLogger();
  const source = createPageSource({ accounts, quota, suspensions, clock, logger, http, random: () => 0.5, ...rest });
  onTestFinished(() => http.close());
  const stop = new AbortController();
  const read = (call: ApiCall = events, at: Scope = scope) =>
    source.read(at, call, { parse: listOf, signal: stop.signal });
  return { source, quota, suspensions, clock, logger, stop, read };
}

/** What a promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const thrown: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  return thrown instanceof Error ? thrown : new Error(`not an error: ${String(thrown)}`);
}
