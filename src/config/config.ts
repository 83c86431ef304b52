import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import type { Account, Scope, Secret } from '../core/account.ts';
import { ConfigurationError } from '../core/errors.ts';
import type { Stream } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { accountsOf, reportConflicts, reportRegions, type SecretAt, scopesOf } from './accounts.ts';
import {
  type Environment,
  renderAll,
  secretOf,
  textAt,
  type UnusedVariable,
  whyUnreadable,
  withEnvironment,
} from './environment.ts';
import { configSchema, INTERPRETED, type RawConfig, streamsSchema } from './schema.ts';
import { type Selectable, type Selected, selectStreams } from './streams.ts';

export interface StreamSettings extends Selected {
  /** Cron expression of 5 or 6 fields; if absent, the stream's own. */
  readonly schedule?: string;
  /** Longest time between full walks; if absent, the stream's own. */
  readonly reconcileEveryMs?: number;
  /** How far back lists with time windows are read; 90 days if absent. */
  readonly sinceMs?: number;
  /** Age from which the data is stale; if absent, the stream's own. */
  readonly targetMs?: number;
}

/** The validated, frozen configuration. */
export interface Config {
  /** The file it was read from; null if it came from the environment alone. */
  readonly file: string | null;
  /** Variables that have a value but no effect, because the file sets their key. */
  readonly unusedVariables: readonly UnusedVariable[];
  /** Without a URL, the embedded Postgres is used. */
  readonly database: { readonly url: Secret | null };
  readonly accounts: readonly Account[];
  readonly scopes: readonly Scope[];
  /** One entry for every stream. */
  readonly streams: Readonly<Record<string, StreamSettings>>;
  /**
   * How often lists are read in full to see changes that polls do not show, and the share of each quota (0 to 1) this
   * may use.
   */
  readonly fullReads: { readonly everyMs: number; readonly share: number };
  readonly server: { readonly enabled: boolean; readonly host: string; readonly port: number };
  readonly log: { readonly level: RawConfig['log']['level'] };
  /** Retention times; null keeps everything. */
  readonly retention: {
    readonly runsMs: number | null;
    readonly rejectsMs: number | null;
    readonly historyMs: number | null;
  };
  /**
   * Name of the address from which this process sends its requests; null for the one without a name. Processes with the same
   * name share the quota of the address, those with another have their own.
   */
  readonly egress: string | null;
  /** The time zone of DBSS times, which the API sends without one. */
  readonly dbssTimeZone: string;
  /** For one page: its requests and the waits between them, excluding waits for quota; in ms. */
  readonly pageTimeoutMs: number;
}

export interface LoadOptions {
  /** All defined streams. */
  readonly streams: readonly Selectable[];
  /** The value of `--config`. */
  readonly file?: string | undefined;
  readonly env?: Environment;
  /**
   * False for commands that only read the database: they accept a configuration without accounts, but not an incomplete
   * account.
   */
  readonly needsAccounts?: boolean;
  /** True for commands that need only the database: the rest of the file and its secrets are ignored. */
  readonly databaseOnly?: boolean;
  /** True for commands that only need the enabled streams: everything else is ignored. */
  readonly streamsOnly?: boolean;
}

/**
 * Reads the configuration from a file, the environment, or both. Throws one `ConfigurationError` with every problem and
 * its path, and without values of secrets. Only this function reads `process.env`.
 */
export async function loadConfig({
  streams,
  file,
  env = process.env,
  databaseOnly = false,
  streamsOnly = false,
  needsAccounts = !databaseOnly && !streamsOnly,
}: LoadOptions): Promise<Config> {
  const problems = new Map<string, string>();
  const origins = new Map<string, string>();
  const report: Report = (path, problem) => {
    const shown = origins.get(path) ?? path;
    // The first problem at a path usually causes the others there.
    if (!problems.has(shown)) problems.set(shown, problem);
  };
  const source = await readSource(file, env, report);
  throwIfAny(problems, source.file);
  const names = streams.map(({ name }) => name);
  const completed = withEnvironment(source, { env, streams: names, needsAccounts });
  for (const [path, origin] of completed.origins) origins.set(path, origin);
  const only = databaseOnly ? ['database', 'log'] : streamsOnly ? ['streams'] : null;
  const content = only === null ? completed.content : contentOf(completed.content, only);
  const rendered = await renderAll(content, { env, report });
  const parsed = configSchema(names, needsAccounts).safeParse(rendered, INTERPRETED);
  const settings = settingsOf(parsed.data?.streams ?? readableStreams(streams, rendered), streams);
  reportRegions(rendered, servicesOf(settings), report);
  for (const issue of parsed.error?.issues ?? []) report(pathOf(issue), issue.message);
  if (parsed.success) reportConflicts(parsed.data, report);
  throwIfAny(problems, source.file);
  if (!parsed.success) throw new ConfigurationError('the configuration was refused without a reason');
  const secretAt: SecretAt = (path) => secretOf(env, textAt(completed.content, path));
  return deepFreeze({
    ...configOf(parsed.data, source.file, secretAt),
    unusedVariables: completed.unused,
    streams: settings,
  });
}

/** Some members of the file, without accounts. */
function contentOf(content: Readonly<Record<string, unknown>>, members: readonly string[]) {
  return { ...Object.fromEntries(Object.entries(content).filter(([key]) => members.includes(key))), accounts: [] };
}

/** What a configuration with problems elsewhere says about streams; the default selection if it says nothing readable. */
function readableStreams(streams: readonly Selectable[], rendered: unknown): RawConfig['streams'] {
  const raw = typeof rendered === 'object' && rendered !== null && 'streams' in rendered ? rendered.streams : {};
  const { data } = streamsSchema(streams.map(({ name }) => name)).safeParse(raw, INTERPRETED);
  return data ?? { groups: undefined, byName: {} };
}

/** Services with an enabled stream. */
function servicesOf(settings: Readonly<Record<string, StreamSettings>>): readonly string[] {
  const selected = Object.entries(settings);
  const isRead = (service: string) => selected.some(([name, { enabled }]) => enabled && name.startsWith(`${service}_`));
  return ['hss', 'dbss'].filter(isRead);
}

function configOf(
  raw: RawConfig,
  file: string | null,
  secretAt: SecretAt,
): Omit<Config, 'streams' | 'unusedVariables'> {
  return {
    file,
    database: { url: raw.database.url === undefined ? null : secretAt('database.url') },
    accounts: accountsOf(raw, secretAt),
    scopes: scopesOf(raw),
    server: raw.server,
    log: raw.log,
    fullReads: { everyMs: raw.fullReads.every, share: raw.fullReads.share / 100 },
    retention: { runsMs: raw.retention.runs, rejectsMs: raw.retention.rejects, historyMs: raw.retention.history },
    egress: raw.egress ?? null,
    dbssTimeZone: raw.dbssTimeZone,
    pageTimeoutMs: raw.pageTimeout,
  };
}

/** The settings of every stream, including whether it is enabled. */
function settingsOf(
  { groups, byName }: RawConfig['streams'],
  streams: readonly Selectable[],
): Readonly<Record<string, StreamSettings>> {
  const enabled = Object.fromEntries(Object.entries(byName).map(([name, settings]) => [name, settings.enabled]));
  const selected = selectStreams(streams, groups, enabled);
  return Object.fromEntries([...selected].map(([name, one]) => [name, { ...one, ...ownSettings(byName[name] ?? {}) }]));
}

type RawSettings = Partial<RawConfig['streams']['byName'][string]>;

function ownSettings({ schedule, reconcileEvery, since, target }: RawSettings): Omit<StreamSettings, keyof Selected> {
  return {
    ...(schedule === undefined ? {} : { schedule }),
    ...(reconcileEvery === undefined ? {} : { reconcileEveryMs: reconcileEvery }),
    ...(since === undefined ? {} : { sinceMs: since }),
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

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}

/**
 * Tells apart configurations that share a database: which streams are read where, and when. Services with the same
 * fingerprint divide their lanes among themselves and ignore those of others. `egress` is not part of it: replicas behind
 * different addresses take the lanes for which their own address has requests.
 */
export function fingerprintOf(
  { scopes, streams: settings }: Pick<Config, 'scopes' | 'streams'>,
  streams: readonly Stream[],
): string {
  const places = scopes.map((scope) => [scope.account, scope.region, scope.projectId, scope.enterpriseProjectId]);
  const times = streams.map(({ name, schedule }) => [name, settings[name]?.schedule ?? schedule]);
  const text = JSON.stringify([places, times].map((list) => list.map((one) => one.join(' ')).sort()));
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

export interface Source {
  /** The file that was read; null if there is none. */
  readonly file: string | null;
  /** Its content, with `${NAME}` not yet replaced and every scalar as text. */
  readonly content: Readonly<Record<string, unknown>>;
}

export type Report = (path: string, problem: string) => void;

const DEFAULT_FILE = 'security-sync.yaml';

/**
 * The configuration file: the one named on the command line, else in the environment, else the default if it exists.
 */
export async function readSource(named: string | undefined, env: Environment, report: Report): Promise<Source> {
  const given = named ?? (env.SECURITY_SYNC_CONFIG || undefined);
  const file = resolve(given ?? DEFAULT_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (given === undefined && isMissing(error)) return { file: null, content: {} };
    report(file, `cannot be read: ${whyUnreadable(error)}`);
    return { file, content: {} };
  }
  return { file, content: await parse(text, file, report) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * Parses scalars as text, because a project id such as 1234e5678 must not become a number. The parser's own messages
 * are not used: they quote the file.
 */
async function parse(text: string, file: string, report: Report): Promise<Readonly<Record<string, unknown>>> {
  // Imported lazily: most containers are configured by variables alone and need no parser.
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    // Only the first problem, because the parser reports consequential ones for the rest of the file.
    const at = broken.linePos?.[0];
    const hint = text.startsWith('${', broken.pos[0] - 1) ? `: put "$\{NAME}" in quotes inside { } and [ ]` : '';
    report(at ? `${file}:${at.line}:${at.col}` : file, `is not valid YAML (${broken.code})${hint}`);
    return {};
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch {
    report(file, 'uses an alias (*name) without its anchor; put values that start with * in quotes');
    return {};
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content };
  if (content !== '') report(file, 'must be a map of keys and values');
  return {};
}
