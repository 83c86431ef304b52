import { type FastifyInstance, fastify } from 'fastify';
import type { Pool } from 'pg';
import type { Config } from '../config/config.ts';
import { ConfigurationError, coerceError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';
import { GROUP_NAMES, type Stream } from '../core/stream/stream.ts';
import { type MigrationState, migrationState } from '../postgres/schema/migrate.ts';
import type { ServiceState } from '../sync/service/service.ts';
import { CONTENT_SECURITY_POLICY } from './html.ts';
import { type Metrics, readGauges } from './metrics.ts';
import { createAnswerCache, createReadings, type Readings, type Selection } from './readings.ts';
import { type Content, statusContent, statusPage, unavailable } from './status-page.ts';

export interface OpsParts {
  readonly config: Config;
  readonly pool: Pool;
  /** The enabled streams. */
  readonly streams: readonly Stream[];
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly state: () => ServiceState;
}

export interface OpsServer {
  /** Null if the server is disabled. */
  readonly url: string | null;
  close(): Promise<void>;
}

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
} as const;

const HTML = 'text/html; charset=utf-8';

/** Serves `/livez`, `/readyz`, `/metrics` and the status page. Read-only. */
export async function startOpsServer(parts: OpsParts): Promise<OpsServer> {
  const { config, pool, streams, logger } = parts;
  if (!config.server.enabled) return { url: null, close: async () => {} };
  const installation = createReadings(pool, config, streams);
  const app = fastify({ logger: false, bodyLimit: 1024, forceCloseConnections: true });
  app.addHook('onSend', async (_, reply) => {
    reply.headers(HEADERS);
  });
  // Readings that currently fail: logged once until they work again, because Prometheus and open status pages ask
  // several times a minute.
  const failing = new Set<string>();
  app.addHook('onResponse', async ({ routeOptions: { url = '' } }, { statusCode }) => {
    if (statusCode < 500) failing.delete(url);
  });
  app.setErrorHandler((error, { routeOptions: { url = '' } }, reply) => {
    const { message } = coerceError(error);
    if (!failing.has(url)) logger.warn({ error: message, path: url }, 'a page could not be served');
    failing.add(url);
    return reply.code(500).type('text/plain; charset=utf-8').send('This request failed; the log has the reason.\n');
  });
  app.setNotFoundHandler((_, reply) =>
    reply.code(404).type('text/plain; charset=utf-8').send('Available: /, /livez, /readyz and /metrics.\n'),
  );
  addHealth(app, parts);
  addMetrics(app, parts.metrics, installation);
  addStatus(app, installation);
  return { url: await listen(app, config), close: () => app.close() };
}

function addHealth(app: FastifyInstance, { pool, state }: OpsParts): void {
  const startedAt = Date.now();
  app.get('/livez', async () => ({ alive: true, uptime_seconds: Math.round((Date.now() - startedAt) / 1000) }));
  app.get('/readyz', async (_, reply) => {
    const result = await readiness({ pool, state });
    return reply.code(result.ready ? 200 : 503).send(result);
  });
}

function addMetrics(app: FastifyInstance, { registry }: Metrics, installation: Readings): void {
  const gauges = createAnswerCache(0, async () => (await readGauges(installation)).metrics());
  app.get('/metrics', async (_, reply) =>
    reply.type(registry.contentType).send(`${await registry.metrics()}\n${await gauges('')}`),
  );
}

interface Answer {
  readonly code: number;
  /** The encoded page, shared by all requests. */
  readonly page: Buffer;
  readonly fragment: Buffer;
}

const PAGE_MS = 1_000;

function addStatus(app: FastifyInstance, installation: Readings): void {
  const projects = new Set(installation.projects);
  const answer = createAnswerCache(PAGE_MS, async (key): Promise<Answer> => {
    const [project = '', group] = key.split(' ');
    const chosen = {
      project: projects.has(project) ? project : null,
      group: GROUP_NAMES.find((name) => name === group) ?? null,
    };
    const { code, content } = await contentOf(installation, chosen);
    return { code, page: Buffer.from(statusPage(content)), fragment: Buffer.from(content.body.text) };
  });
  // Unknown values get the page of all tables, which bounds the cache.
  const answerTo = (query: unknown) => {
    const { project, group }: { project?: unknown; group?: unknown } =
      typeof query === 'object' && query !== null ? query : {};
    const known = [projects.has(String(project)) ? project : '', GROUP_NAMES.find((name) => name === group) ?? ''];
    return answer(known.join(' '));
  };
  app.get('/', async ({ query }, reply) => {
    const { code, page } = await answerTo(query);
    return reply.code(code).type(HTML).send(page);
  });
  app.get('/fragment', async ({ query }, reply) => {
    const { code, fragment } = await answerTo(query);
    return reply.code(code).type(HTML).send(fragment);
  });
}

async function contentOf(
  installation: Readings,
  chosen: Selection,
): Promise<{ readonly code: number; readonly content: Content }> {
  try {
    return { code: 200, content: statusContent(await installation.page(chosen)) };
  } catch (error) {
    return { code: 503, content: unavailable(coerceError(error).message) };
  }
}

async function listen(app: FastifyInstance, { server: { host, port } }: Config): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const reason =
      code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code || coerceError(error).message})`;
    throw new ConfigurationError(
      `server: port ${port} of ${host} ${reason}: set server.port or SECURITY_SYNC_PORT`,
      {},
      { cause: error },
    );
  }
}

export interface Readiness {
  readonly ready: boolean;
  /** `ok` or the problem, for each requirement of the service. */
  readonly checks: Readonly<Record<'database' | 'migrations' | 'service', string>>;
}

export interface HealthParts {
  readonly pool: Pool;
  readonly state: () => ServiceState;
  readonly timeoutMs?: number;
}

const MIGRATIONS: Readonly<Record<MigrationState, string>> = {
  current: 'ok',
  absent: 'the database has no schema yet',
  behind: 'the schema is older than this program: run security-sync migrate',
  newer: 'the schema is newer than this program: run the newer version',
};

/** Whether the service can work, and why not. Never contains a password: messages name host, user and database. */
export async function readiness({ pool, state, timeoutMs = 3_000 }: HealthParts): Promise<Readiness> {
  const service = state() === 'running' ? 'ok' : state();
  try {
    const migrations = MIGRATIONS[await within(timeoutMs, migrationState(pool))];
    return { ready: service === 'ok' && migrations === 'ok', checks: { database: 'ok', migrations, service } };
  } catch (error) {
    return { ready: false, checks: { database: coerceError(error).message, migrations: 'unknown', service } };
  }
}

/** Rejects if the work takes longer: a probe must answer before its caller gives up. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the database does not answer within ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
