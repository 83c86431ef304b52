import { z } from 'zod';
import { GROUP_NAMES } from '../core/stream/stream.ts';
import { DAY_MS } from '../core/stream/time.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../core/sweep.ts';
import { didYouMean, forbiddenIn, invisibleIn } from '../core/text.ts';
import { podUriProblem } from '../huawei/transport/endpoints.ts';
import { cronProblem } from '../sync/service/cron.ts';
import { groupProblem } from './streams.ts';

/** Schemas that check one object are interpreted: compiling functions for them takes longer. */
export const INTERPRETED = { jitless: true } as const;

/** Every value is text, whether it comes from the file or the environment. */
const nonEmpty = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be a text') })
  .min(1, 'is empty');

/** An object that refuses unknown keys. */
function strict<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return issue.input === undefined ? 'is missing' : 'must be a map';
      const known = Object.keys(shape);
      return issue.keys.map((key) => unknownKey(key, known)).join('; ');
    },
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const isGroup = known.includes('groups') && GROUP_NAMES.some((group) => group === key);
  return `unknown key "${key}"${isGroup ? ': a group is named in streams.groups' : didYouMean(key, known)}`;
}

function checked(problemOf: (text: string) => string | null) {
  return nonEmpty.superRefine((text, context) => {
    const problem = problemOf(text);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });
}

/**
 * A text of visible characters only. The problem names an invisible one, as web pages and editors insert them, by its
 * code point.
 */
const visible = checked((text) => invisibleProblem(text));

function invisibleProblem(text: string): string | null {
  const found = invisibleIn(text);
  return found === null ? null : `contains an invisible character (${found}): copy it again`;
}

/** A key or token for a header. The problem names a character, never the value. */
const sendable = checked((text) => {
  const forbidden = forbiddenIn(text, /[\r\n]/, 'a key or token') ?? invisibleProblem(text);
  return forbidden ?? forbiddenIn(text, /[^\x21-\x7e]/u, 'a key or token');
});

/**
 * https://support.huaweicloud.com/intl/en-us/api-iam/iam_17_0002.html: 32 hexadecimal digits. The console shows the
 * project's name first, which is therefore a common mistake.
 */
const projectId = checked((text) =>
  /^[0-9a-f]{32}$/i.test(text)
    ? null
    : (invisibleProblem(text) ??
      'is not a project id, which has 32 hexadecimal digits: is it the name? check --discover lists ids and names'),
);

function wholeNumber(max: number) {
  const says = `must be a whole number from 1 to ${max}`;
  return nonEmpty
    .regex(/^\d{1,9}$/, says)
    .transform(Number)
    .pipe(z.number().min(1, says).max(max, says));
}

const percent = nonEmpty
  .regex(/^\d{1,3}$/, 'must be a whole number from 0 to 100')
  .transform(Number)
  .pipe(z.number().max(100, 'must be a whole number from 0 to 100'));

function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, {
    error: ({ input }) => (input === undefined ? 'is missing' : `must be one of ${values.join(', ')}`),
  });
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `6h`, `7d`, in milliseconds. */
const duration = nonEmpty.transform((text, context) => {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/.exec(text.trim()) ?? [];
  const ms = Math.round(Number(count) * (UNIT_MS[unit] ?? 0));
  if (ms > 0) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 90s, 15m, 6h or 7d' });
  return z.NEVER;
});

/** A retention time; `off` keeps everything. */
const retention = z.union([z.literal('off').transform(() => null), duration], {
  error: 'must be a duration such as 90d, or off to keep everything',
});

/** Whether the region is known only matters for endpoints: see `endpoints.ts`. */
const region = checked((text) => (/^[\w-]+$/.test(text) ? null : (invisibleProblem(text) ?? 'is not a region')));

const cron = checked((text) => {
  const problem = cronProblem(text);
  return problem === null ? null : `not a cron expression of 5 or 6 fields: ${problem}`;
});

const baseUrl = checked((text) => {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'must be an http(s) URL';
  return url.username || url.password ? 'must not contain credentials' : null;
});

const databaseUrl = checked((text) =>
  /^(postgres|postgresql|socket):/.test(text) && (text.startsWith('socket:') || URL.canParse(text))
    ? null
    : 'must be of the form postgres://user:password@host:5432/database (special characters percent-encoded)',
);

const timeZone = checked((text) => {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: text });
    return null;
  } catch {
    return `unknown time zone "${text}": an IANA name such as Asia/Shanghai, or an offset such as +08:00`;
  }
});

/** Requested lifetime of temporary keys. */
function lifetime(maxHours: number) {
  const says = `must be from 15m to ${maxHours}h`;
  return duration
    .pipe(
      z
        .number()
        .min(900_000, says)
        .max(maxHours * 3_600_000, says),
    )
    .default(3_600_000);
}

/** Kinds of sign-in that need no other credentials; the limits of durations are those of STS and IAM. */
const SOURCES = [
  strict({ kind: z.literal('aksk'), accessKey: sendable, secretKey: sendable, securityToken: sendable.optional() }),
  strict({ kind: z.literal('password'), user: visible, password: nonEmpty, domain: visible }),
  strict({ kind: z.literal('token'), token: sendable }),
  strict({ kind: z.literal('ecs-agency') }),
  strict({ kind: z.literal('pod-identity'), uri: checked(podUriProblem), token: sendable }),
  strict({
    kind: z.literal('oidc'),
    providerUrn: visible,
    agencyUrn: visible,
    idToken: sendable,
    sessionName: visible.max(128, 'is longer than 128 characters').default('security-sync'),
    duration: lifetime(12),
  }),
] as const;

const SOURCE_KINDS = SOURCES.map(({ shape }) => shape.kind.value);

function kindProblem(input: unknown, kinds: readonly string[]): string {
  return input === undefined ? 'is missing' : `must be one of ${kinds.join(', ')}`;
}

const assumedAgency = strict({
  kind: z.literal('assume-agency'),
  agency: visible,
  domain: visible.optional(),
  domainId: visible.optional(),
  duration: lifetime(24),
  source: z.discriminatedUnion('kind', SOURCES, { error: ({ input }) => kindProblem(input, SOURCE_KINDS) }),
}).superRefine(({ domain, domainId }, context) => {
  if ((domain === undefined) !== (domainId === undefined)) return;
  const message =
    domain === undefined
      ? 'is missing: set domain or domainId, the account that owns the agency'
      : 'is set beside domainId';
  context.addIssue({ code: 'custom', path: ['domain'], message });
});

const auth = z.discriminatedUnion('kind', [...SOURCES, assumedAgency], {
  error: ({ input }) => kindProblem(input, [...SOURCE_KINDS, 'assume-agency']),
});

const plainName = checked((text) =>
  /^[\w.-]+$/.test(text) ? null : 'may contain only letters, digits, underscore, dot and hyphen',
);

const account = strict({
  name: plainName,
  auth,
  projects: z
    .array(
      strict({
        id: projectId,
        region,
        enterpriseProjectId: visible.default(ALL_ENTERPRISE_PROJECTS),
      }),
      { error: ({ input }) => (input === undefined ? 'is missing' : 'must be a list') },
    )
    .min(1, 'must have at least one project'),
  endpoints: strict({
    hss: baseUrl.exactOptional(),
    dbss: baseUrl.exactOptional(),
    iam: baseUrl.exactOptional(),
    eps: baseUrl.exactOptional(),
    sts: baseUrl.exactOptional(),
    metadata: baseUrl.exactOptional(),
  }).default({}),
  requestsPerMinute: wholeNumber(1_000_000).default(5),
});

const stream = strict({
  enabled: oneOf('true', 'false')
    .transform((word) => word === 'true')
    .optional(),
  schedule: cron.optional(),
  reconcileEvery: duration.optional(),
  since: duration.optional(),
  target: duration.optional(),
});

const group = checked(groupProblem);

/** A list in the file; in the environment, names separated by commas. */
const groups = z.union(
  [
    z
      .string()
      .transform((text) => text.split(',').map((word) => word.trim()))
      .pipe(z.array(group)),
    z.array(group),
  ],
  { error: 'must be a list of groups' },
);

/** `groups`, and one entry per stream. */
export function streamsSchema(streams: readonly string[]) {
  const one = stream.optional();
  const several = groups.optional();
  const byName: Readonly<Record<string, typeof one | typeof several>> = Object.fromEntries(
    streams.map((name) => [name, one]),
  );
  return strict({ ...byName, groups: several }).transform((all: Readonly<Record<string, Stream | Groups>>) => ({
    groups: Array.isArray(all.groups) ? all.groups : undefined,
    byName: Object.fromEntries(
      Object.entries(all).flatMap(([name, found]) => (isStream(found) ? [[name, found] as const] : [])),
    ),
  }));
}

type Stream = z.output<typeof stream>;
type Groups = z.output<typeof groups> | undefined;

function isStream(found: Stream | Groups): found is Stream {
  return found !== undefined && !Array.isArray(found);
}

/** The schema of the whole configuration, after each `${NAME}` was replaced. */
export function configSchema(streams: readonly string[], needsAccounts = true) {
  return strict({
    database: strict({ url: databaseUrl.optional() }).default({}),
    accounts: z
      .array(account, { error: ({ input }) => (input === undefined ? 'is missing' : 'must be a list') })
      .min(needsAccounts ? 1 : 0, 'must have at least one account'),
    streams: streamsSchema(streams).prefault({}),
    fullReads: strict({
      every: duration.default(15 * 60_000),
      share: percent.default(50),
    }).prefault({}),
    server: strict({
      enabled: oneOf('true', 'false')
        .default('true')
        .transform((word) => word === 'true'),
      host: nonEmpty.default('127.0.0.1'),
      port: wholeNumber(65_535).default(8080),
    }).prefault({}),
    log: strict({
      level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
    }).prefault({}),
    retention: strict({
      runs: retention.default(90 * DAY_MS),
      rejects: retention.default(90 * DAY_MS),
      history: retention.default(null),
    }).prefault({}),
    egress: plainName.max(63, 'is longer than 63 characters').optional(),
    dbssTimeZone: timeZone.default('UTC'),
    pageTimeout: duration.default(60_000),
  });
}

export type RawConfig = z.output<ReturnType<typeof configSchema>>;
