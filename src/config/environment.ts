import { readFile } from 'node:fs/promises';
import type { Secret } from '../core/account.ts';
import { coerceError } from '../core/errors.ts';
import type { Source } from './config.ts';

/** Variables by key; the first of a list that is set is used. */
type Variables = Readonly<Record<string, readonly string[]>>;

/** Settings outside accounts and streams: path in the file and variable. */
const SETTINGS: Readonly<Record<string, string>> = {
  'database.url': 'DATABASE_URL',
  'server.enabled': 'SECURITY_SYNC_SERVER_ENABLED',
  'server.host': 'SECURITY_SYNC_HOST',
  'server.port': 'SECURITY_SYNC_PORT',
  'streams.groups': 'SECURITY_SYNC_GROUPS',
  'fullReads.every': 'SECURITY_SYNC_FULL_READS_EVERY',
  'fullReads.share': 'SECURITY_SYNC_FULL_READS_SHARE',
  'retention.runs': 'SECURITY_SYNC_RETENTION_RUNS',
  'retention.rejects': 'SECURITY_SYNC_RETENTION_REJECTS',
  'retention.history': 'SECURITY_SYNC_RETENTION_HISTORY',
  egress: 'SECURITY_SYNC_EGRESS',
  dbssTimeZone: 'SECURITY_SYNC_DBSS_TIME_ZONE',
  pageTimeout: 'SECURITY_SYNC_PAGE_TIMEOUT',
};

/** Settings of a stream; the variable is `SECURITY_SYNC_`, the name of the stream in capitals, and this suffix. */
const STREAM_SETTINGS: Readonly<Record<string, string>> = {
  enabled: 'ENABLED',
  schedule: 'SCHEDULE',
  reconcileEvery: 'RECONCILE_EVERY',
  since: 'SINCE',
  target: 'TARGET',
};

/**
 * Variables of the one account and project that the environment can describe. Names are those of the official SDK and
 * the Terraform provider where they exist
 * (https://support.huaweicloud.com/intl/en-us/usermanual-terraform/terraform_0001.html). The first of a list that is
 * set is used.
 */
const AUTH: Readonly<Record<string, Variables>> = {
  aksk: {
    accessKey: ['HUAWEICLOUD_SDK_AK', 'HW_ACCESS_KEY'],
    secretKey: ['HUAWEICLOUD_SDK_SK', 'HW_SECRET_KEY'],
    securityToken: ['HUAWEICLOUD_SDK_SECURITY_TOKEN', 'HW_SECURITY_TOKEN'],
  },
  password: { user: ['HW_USER_NAME'], password: ['HW_USER_PASSWORD'], domain: ['HW_DOMAIN_NAME'] },
  token: { token: ['HW_AUTH_TOKEN'] },
  'ecs-agency': {},
  'pod-identity': { uri: ['HC_CONTAINER_CREDENTIALS_FULL_URI'], token: ['HC_CONTAINER_AUTHORIZATION_TOKEN'] },
  oidc: {
    providerUrn: ['HUAWEICLOUD_OIDC_PROVIDER_URN'],
    agencyUrn: ['HUAWEICLOUD_OIDC_AGENCY_URN'],
    idToken: ['HUAWEICLOUD_OIDC_ID_TOKEN', 'HUAWEICLOUD_OIDC_TOKEN'],
    sessionName: ['HUAWEICLOUD_OIDC_SESSION_NAME'],
    duration: ['HUAWEICLOUD_OIDC_DURATION_SECONDS'],
  },
  'assume-agency': {
    agency: ['HW_ASSUME_ROLE_AGENCY_NAME'],
    domain: ['HW_ASSUME_ROLE_DOMAIN_NAME'],
    domainId: ['HW_ASSUME_ROLE_DOMAIN_ID'],
    duration: ['HW_ASSUME_ROLE_DURATION'],
  },
};

/** Without `KIND`, the first kind with any variable set is used. */
const BY_VARIABLES: readonly string[] = ['aksk', 'oidc', 'pod-identity'];
const KIND = 'SECURITY_SYNC_AUTH';

const PROJECT: Variables = {
  id: ['HUAWEICLOUD_SDK_PROJECT_ID', 'HW_PROJECT_ID'],
  region: ['HW_REGION_NAME'],
  enterpriseProjectId: ['HW_ENTERPRISE_PROJECT_ID'],
};

const ENDPOINTS: Variables = Object.fromEntries(
  ['hss', 'dbss', 'iam', 'eps', 'sts', 'metadata'].map((name) => [
    name,
    [`SECURITY_SYNC_ENDPOINT_${name.toUpperCase()}`],
  ]),
);

/**
 * Any of these variables shows that the environment describes an account; the others may be set for another program.
 * CCE sets the variables of pod identity in every pod whose service account has an agency, so they are not in this
 * list.
 */
const NAMING = [
  ...Object.values({ ...AUTH.aksk, ...AUTH.oidc }),
  PROJECT.id ?? [],
  PROJECT.region ?? [],
  [KIND],
].flat();

export interface CompletedSource {
  readonly content: Readonly<Record<string, unknown>>;
  /** The variables behind each path, so that a problem names what the user set. */
  readonly origins: ReadonlyMap<string, string>;
  /** Variables that have a value but no effect, because the file sets their key. */
  readonly unused: readonly UnusedVariable[];
}

/** A variable without effect, and the key of the file that is used instead of it. */
export interface UnusedVariable {
  readonly name: string;
  readonly key: string;
}

export interface CompletionInput {
  readonly env: Environment;
  /** Names of all streams. */
  readonly streams: readonly string[];
  readonly needsAccounts: boolean;
}

/** Completes the file with settings from the environment, in the shape of the file. The file has precedence. */
export function withEnvironment(source: Source, { env, streams, needsAccounts }: CompletionInput): CompletedSource {
  const origins = new Map<string, string>();
  const from: From = (path, names) => {
    const name = names.find((candidate) => isSet(env, candidate));
    origins.set(path, name ?? names.join(' or '));
    return name === undefined ? undefined : `\${${name}}`;
  };
  let content = source.content;
  const unused: UnusedVariable[] = [];
  const fill = (path: string, name: string) => {
    if (!isUnset(content, path.split('.'))) {
      const isUsed = textAt(content, path).includes(`\${${name}}`);
      if (isSet(env, name) && !isUsed) unused.push({ name, key: path });
      return;
    }
    const value = from(path, [name]);
    if (value !== undefined) content = filledMap(content, path.split('.'), value);
  };
  for (const [path, name] of Object.entries(SETTINGS)) fill(path, name);
  for (const stream of streams) {
    for (const [key, suffix] of Object.entries(STREAM_SETTINGS)) {
      fill(`streams.${stream}.${key}`, `SECURITY_SYNC_${stream.toUpperCase()}_${suffix}`);
    }
  }
  const { log, accounts, ...rest } = content;
  const level = isSet(env, 'LOG_LEVEL') && (log === undefined || isMap(log));
  return {
    content: withoutUndefined({
      ...rest,
      // The exception: this variable overrides the file, because it is set for a single start, to see more of it.
      log: level ? { ...log, level: from('log.level', ['LOG_LEVEL']) } : log,
      accounts: accounts ?? accountsFrom({ env, from, isNeeded: needsAccounts, hasFile: source.file !== null }),
    }),
    origins,
    unused,
  };
}

type From = (path: string, names: readonly string[]) => string | undefined;

interface AccountWanted {
  readonly env: Environment;
  readonly from: From;
  readonly isNeeded: boolean;
  readonly hasFile: boolean;
}

function accountsFrom({ env, from, isNeeded, hasFile }: AccountWanted) {
  const isNamed = NAMING.some((name) => isSet(env, name));
  if (!isNamed && (hasFile || !isNeeded)) return isNeeded ? undefined : [];
  const all = (path: string, variables: Variables) =>
    withoutUndefined(
      Object.fromEntries(
        Object.entries(variables).map(([key, names]) => {
          const value = from(`${path}.${key}`, names);
          // The vendor's durations are plain seconds.
          return [key, key === 'duration' && value !== undefined ? `${value}s` : value];
        }),
      ),
    );
  return [
    withoutUndefined({
      name: from('accounts[0].name', ['SECURITY_SYNC_ACCOUNT']) ?? 'default',
      auth: authFrom(env, from, all),
      projects: [all('accounts[0].projects[0]', PROJECT)],
      endpoints: all('accounts[0].endpoints', ENDPOINTS),
      requestsPerMinute: from('accounts[0].requestsPerMinute', ['SECURITY_SYNC_REQUESTS_PER_MINUTE']),
    }),
  ];
}

/** `KIND` decides which variables are used, so it is read here rather than later. */
function authFrom(env: Environment, from: From, all: (path: string, variables: Variables) => object): object {
  const path = 'accounts[0].auth';
  const isAnySet = (kind: string) =>
    Object.values(AUTH[kind] ?? {}).some((names) => names.some((name) => isSet(env, name)));
  const assumes = env[KIND] === 'assume-agency' || isSet(env, 'HW_ASSUME_ROLE_AGENCY_NAME');
  const named = env[KIND] === 'assume-agency' ? '' : env[KIND];
  const kind = named || (BY_VARIABLES.find(isAnySet) ?? 'aksk');
  const place = assumes ? `${path}.source` : path;
  from(`${place}.kind`, [KIND]);
  const source = { kind, ...all(place, AUTH[kind] ?? {}) };
  return assumes ? { kind: 'assume-agency', ...all(path, AUTH['assume-agency'] ?? {}), source } : source;
}

/** Whether the file sets nothing at a path. Values on the way that are not maps are left for the schema to refuse. */
function isUnset(value: unknown, path: readonly string[]): boolean {
  if (value === undefined) return true;
  const [key, ...rest] = path;
  return key !== undefined && isMap(value) && isUnset(value[key], rest);
}

/** The text at a path such as `accounts[0].auth.secretKey`, with `${NAME}` not yet replaced. */
export function textAt(content: unknown, path: string): string {
  let value = content;
  for (const key of path.split(/[.[\]]+/).filter(Boolean)) {
    value =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(([name]) => name === key)?.[1]
        : undefined;
  }
  return typeof value === 'string' ? value : '';
}

/** A copy of the map with a text set at a path that had no value. */
function filledMap(
  map: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  text: string,
): Readonly<Record<string, unknown>> {
  const inner = map[key];
  return { ...map, [key]: rest.length === 0 ? text : filledMap(isMap(inner) ? inner : {}, rest, text) };
}

function withoutUndefined(map: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(map).filter(([, item]) => item !== undefined));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Whether a variable has a value, directly or through the file named by `NAME_FILE`. An empty variable has none. */
export function isSet(env: Environment, name: string): boolean {
  return Boolean(env[name]) || Boolean(env[`${name}_FILE`]);
}

/** The value of a variable, or of the file that `NAME_FILE` names. Throws an error whose message contains no value. */
export async function readVariable(env: Environment, name: string): Promise<string> {
  const value = env[name];
  const file = env[`${name}_FILE`];
  if (value && file) throw new Error(`both ${name} and ${name}_FILE are set`);
  if (value) return value;
  if (!file) throw new Error(`${name} is not set`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`${name}_FILE cannot be read: ${whyUnreadable(error)} (${file})`, { cause: error });
  }
  const content = withoutEdges(text);
  if (content === '') throw new Error(`the file that ${name}_FILE names is empty`);
  return content;
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** Why a file cannot be read, without its path. */
export function whyUnreadable(error: unknown): string {
  const { message, code = '' }: Error & { code?: string } = coerceError(error);
  return UNREADABLE[code] ?? message;
}

/** Replaces each `${NAME}` in a text with its value. */
export async function render(env: Environment, template: string): Promise<string> {
  const names = new Set([...template.matchAll(REFERENCE)].map(([, name = '']) => name));
  const values = new Map<string, string>();
  for (const name of names) values.set(name, await readVariable(env, name));
  return withoutEdges(template.replace(REFERENCE, (_, name: string) => values.get(name) ?? ''));
}

/**
 * Removes invisible characters at both ends of a value: newlines added by editors and `echo`, a Windows CR, a byte
 * order mark, a zero-width space copied from a web page. Spaces stay, because a password may have them.
 */
function withoutEdges(text: string): string {
  return text.replace(/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/gu, '');
}

/** A secret that is read again at every use, so that a rotated file takes effect at once. */
export function secretOf(env: Environment, template: string): Secret {
  return () => render(env, template);
}

/**
 * Replaces `${NAME}` in every text of a decoded file. Reports names without a value with their path, and leaves them
 * unchanged.
 */
export async function renderAll(
  value: unknown,
  context: { readonly env: Environment; readonly report: (path: string, problem: string) => void },
  path = '',
): Promise<unknown> {
  const { env, report } = context;
  if (typeof value === 'string') {
    try {
      return await render(env, value);
    } catch (error) {
      report(path, coerceError(error).message);
      return value;
    }
  }
  if (Array.isArray(value)) {
    return Promise.all(value.map((item, index) => renderAll(item, context, `${path}[${index}]`)));
  }
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(
    async ([key, item]): Promise<[string, unknown]> => [
      key,
      await renderAll(item, context, path === '' ? key : `${path}.${key}`),
    ],
  );
  return Object.fromEntries(await Promise.all(entries));
}
