import type { z } from 'zod';
import { accountsOf, reportConflicts, type SecretAt, scopesOf } from './config/accounts.ts';
import { type Environment, renderAll, secretOf, withEnvironment } from './config/environment.ts';
import { reportRegions } from './config/regions.ts';
import { configSchema, type RawConfig } from './config/schema.ts';
import { type Report, readSource } from './config/source.ts';
import type { Account, Scope, Secret } from './core/account.ts';
import { ConfigurationError } from './core/errors.ts';
import { counted } from './core/text.ts';

export interface StreamSettings {
  readonly enabled: boolean;
  /** Cron of 5 or 6 fields; the stream's own where it is absent. */
  readonly schedule?: string;
  /** A full walk at least this often; the stream's own where it is absent. */
  readonly reconcileEveryMs?: number;
  /** How old the data may get before it is stale; the stream's own where it is absent. */
  readonly targetMs?: number;
}

/** Everything a user can decide, checked and frozen. */
export interface Config {
  /** The file it came from; null when everything came from the environment. */
  readonly file: string | null;
  /** No URL: the embedded Postgres. */
  readonly database: { readonly url: Secret | null };
  readonly accounts: readonly Account[];
  readonly scopes: readonly Scope[];
  /** One entry for every stream. */
  readonly streams: Readonly<Record<string, StreamSettings>>;
  /** How often lists are read beyond what polls show of them, and the share (0 to 1) of each quota that this may take. */
  readonly fullReads: { readonly everyMs: number; readonly share: number };
  readonly server: { readonly enabled: boolean; readonly host: string; readonly port: number };
  readonly log: { readonly level: RawConfig['log']['level'] };
  /** How long something is kept; null for ever. */
  readonly retention: {
    readonly runsMs: number | null;
    readonly rejectsMs: number | null;
    readonly historyMs: number | null;
  };
  /** The zone of DBSS times, which name none. */
  readonly dbssTimeZone: string;
  /** For one page of a list: its requests and the waits between them, but not those for quota, in ms. */
  readonly pageTimeoutMs: number;
}

export interface LoadOptions {
  /** Names of all streams. */
  readonly streams: readonly string[];
  /** `--config`. */
  readonly file?: string | undefined;
  readonly env?: Environment;
  /** False for what only looks at the database: no account at all is then fine, a half-configured one is not. */
  readonly needsAccounts?: boolean;
  /** True for what needs the database alone: the rest of the file is not looked at, nor any secret that it mentions. */
  readonly databaseOnly?: boolean;
}

/**
 * Reads the configuration: a file, the environment, or both. Throws one `ConfigurationError` with every problem and its
 * path, and no value of a secret. The only place that looks at `process.env`.
 */
export async function loadConfig({
  streams,
  file,
  env = process.env,
  databaseOnly = false,
  needsAccounts = !databaseOnly,
}: LoadOptions): Promise<Config> {
  const problems = new Map<string, string>();
  const origins = new Map<string, string>();
  const report: Report = (path, problem) => {
    const shown = origins.get(path) ?? path;
    // The first problem of a place is the cause of the others there.
    if (!problems.has(shown)) problems.set(shown, problem);
  };
  const source = await readSource(file, env, report);
  throwIfAny(problems, source.file);
  const completed = withEnvironment(source, { env, streams, needsAccounts });
  for (const [path, origin] of completed.origins) origins.set(path, origin);
  const content = databaseOnly ? databaseOf(completed.content) : completed.content;
  const rendered = await renderAll(env, content, report);
  const parsed = configSchema(streams, needsAccounts).safeParse(rendered);
  reportRegions(rendered, streams, report);
  for (const issue of parsed.error?.issues ?? []) report(pathOf(issue), issue.message);
  if (parsed.success) reportConflicts(parsed.data, report);
  throwIfAny(problems, source.file);
  if (!parsed.success) throw new ConfigurationError('the configuration was refused without a reason');
  return deepFreeze(configOf(parsed.data, source.file, (path) => secretOf(env, textAt(completed.content, path))));
}

function databaseOf({ database, log }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...(database === undefined ? {} : { database }), ...(log === undefined ? {} : { log }), accounts: [] };
}

function configOf(raw: RawConfig, file: string | null, secretAt: SecretAt): Config {
  return {
    file,
    database: { url: raw.database.url === undefined ? null : secretAt('database.url') },
    accounts: accountsOf(raw, secretAt),
    scopes: scopesOf(raw),
    streams: Object.fromEntries(Object.entries(raw.streams).map(([name, settings]) => [name, settingsOf(settings)])),
    server: raw.server,
    log: raw.log,
    fullReads: { everyMs: raw.fullReads.every, share: raw.fullReads.share / 100 },
    retention: { runsMs: raw.retention.runs, rejectsMs: raw.retention.rejects, historyMs: raw.retention.history },
    dbssTimeZone: raw.dbssTimeZone,
    pageTimeoutMs: raw.pageTimeout,
  };
}

function settingsOf({ enabled, schedule, reconcileEvery, target }: RawConfig['streams'][string]): StreamSettings {
  return {
    enabled,
    ...(schedule === undefined ? {} : { schedule }),
    ...(reconcileEvery === undefined ? {} : { reconcileEveryMs: reconcileEvery }),
    ...(target === undefined ? {} : { targetMs: target }),
  };
}

function throwIfAny(problems: ReadonlyMap<string, string>, file: string | null): void {
  if (problems.size === 0) return;
  const lines = [...problems].map(([path, problem]) => (path === file ? `  it ${problem}` : `  ${path}: ${problem}`));
  const where = file === null ? 'the environment (there is no security-sync.yaml either)' : file;
  const isBlank = file === null && [...problems.values()].every((problem) => problem === 'is missing');
  const hint = isBlank
    ? '\nEvery key and variable: docs/configuration.md. Without any of them: security-sync demo'
    : '';
  throw new ConfigurationError(
    `${counted(problems.size, 'problem')} in the configuration from ${where}:\n${lines.join('\n')}${hint}`,
  );
}

function pathOf({ path }: z.core.$ZodIssue): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'top level';
}

/** The text at a path such as `accounts[0].auth.secretKey`, with its `${NAME}` still in it. */
function textAt(content: unknown, path: string): string {
  let value = content;
  for (const key of path.split(/[.[\]]+/).filter(Boolean)) {
    value =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(([name]) => name === key)?.[1]
        : undefined;
  }
  return typeof value === 'string' ? value : '';
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
