import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { type Environment, isSet, whyUnreadable } from './variables.ts';

export interface Source {
  /** The file that was read, or null when there is none. */
  readonly file: string | null;
  /** What it holds, `${NAME}` not filled in yet; every scalar a text. */
  readonly content: Readonly<Record<string, unknown>>;
}

export type Report = (path: string, problem: string) => void;

const DEFAULT_FILE = 'security-sync.yaml';

/** The configuration file: the one named on the command line, else in the environment, else the default if it exists. */
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
  return { file, content: parse(text, file, report) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Texts only: a project id such as 1234e5678 must not become a number. The parser's own messages quote the file. */
function parse(text: string, file: string, report: Report): Readonly<Record<string, unknown>> {
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    // Only the first: the parser trips over the rest of the file again and again.
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

/** Names the official SDK and Terraform use; of each line the first that is set counts. */
const ACCOUNT_VARIABLES = {
  'accounts[0].auth.accessKey': ['HUAWEICLOUD_SDK_AK', 'HW_ACCESS_KEY'],
  'accounts[0].auth.secretKey': ['HUAWEICLOUD_SDK_SK', 'HW_SECRET_KEY'],
  'accounts[0].auth.securityToken': ['HUAWEICLOUD_SDK_SECURITY_TOKEN', 'HW_SECURITY_TOKEN'],
  'accounts[0].projects[0].id': ['HUAWEICLOUD_SDK_PROJECT_ID', 'HW_PROJECT_ID'],
  'accounts[0].projects[0].region': ['HW_REGION_NAME'],
} as const;

export interface Completed {
  readonly content: Readonly<Record<string, unknown>>;
  /** Which variables stand behind a path, so that a problem names what the user wrote. */
  readonly origins: ReadonlyMap<string, string>;
}

/** What the environment says where the file is silent, in the shape of the file. */
export function withEnvironment(source: Source, env: Environment, needsAccounts = true): Completed {
  const origins = new Map<string, string>();
  const from = (path: string, ...names: readonly string[]) => {
    const name = names.find((candidate) => isSet(env, candidate));
    origins.set(path, name ?? names.join(' or '));
    return name === undefined ? undefined : `\${${name}}`;
  };
  const { database, server, log, accounts, ...rest } = source.content;
  const content = {
    ...rest,
    database: over({ url: () => from('database.url', 'DATABASE_URL') }, database),
    server: over(
      {
        host: () => from('server.host', 'SECURITY_SYNC_HOST'),
        port: () => from('server.port', 'SECURITY_SYNC_PORT'),
      },
      server,
    ),
    // The only one that wins over the file: it is set for a single start, to see more of it.
    log:
      isSet(env, 'LOG_LEVEL') && (log === undefined || isMap(log))
        ? { ...log, level: from('log.level', 'LOG_LEVEL') }
        : log,
    accounts: accounts ?? accountsFrom(source, env, needsAccounts, from),
  };
  return { content: withoutUndefined(content), origins };
}

function accountsFrom(
  source: Source,
  env: Environment,
  needed: boolean,
  from: (path: string, ...names: readonly string[]) => string | undefined,
) {
  if (namesAnAccount(env) || (needed && source.file === null)) return [accountFrom(from)];
  return needed ? undefined : [];
}

function namesAnAccount(env: Environment): boolean {
  return Object.values(ACCOUNT_VARIABLES)
    .flat()
    .some((name) => isSet(env, name));
}

function accountFrom(from: (path: string, ...names: readonly string[]) => string | undefined) {
  const value = (path: keyof typeof ACCOUNT_VARIABLES) => from(path, ...ACCOUNT_VARIABLES[path]);
  const auth = {
    kind: 'aksk',
    accessKey: value('accounts[0].auth.accessKey'),
    secretKey: value('accounts[0].auth.secretKey'),
    securityToken: value('accounts[0].auth.securityToken'),
  };
  const project = { id: value('accounts[0].projects[0].id'), region: value('accounts[0].projects[0].region') };
  return { name: 'default', auth: withoutUndefined(auth), projects: [withoutUndefined(project)] };
}

/** A map with what it lacks; anything but a map is left for the schema to refuse. */
function over(defaults: Readonly<Record<string, () => string | undefined>>, value: unknown): unknown {
  if (value !== undefined && !isMap(value)) return value;
  const lacking = Object.entries(defaults).filter(([key]) => value?.[key] === undefined);
  return { ...withoutUndefined(Object.fromEntries(lacking.map(([key, make]) => [key, make()]))), ...value };
}

function withoutUndefined(map: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(map).filter(([, item]) => item !== undefined));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
