import type { Fact } from '../../facts/facts.ts';
import type { Bag } from '../estate/hosts.ts';
import { USERS, WORKLOADS } from '../estate/names.ts';
import { hexOf, type Random, uuidOf } from '../estate/random.ts';

/** The inputs of a generated value. */
export interface Maker {
  readonly random: Random;
  readonly service: 'hss' | 'dbss';
  /** The objects that the row belongs to; their members are copied by name. */
  readonly bag: Bag;
  readonly now: number;
}

const DAY_MS = 86_400_000;

/** Other names that lists use for members of the estate. */
const ALIASES: Readonly<Record<string, string>> = {
  host_ip: 'private_ip',
  ip: 'private_ip',
  server_ip: 'private_ip',
  host_private_ip: 'private_ip',
  agent_ip: 'private_ip',
  server_name: 'host_name',
  vm_name: 'host_name',
  vm_uuid: 'host_id',
  vul_type: 'type',
};

/** Names too general to copy: other lists use them with other meanings. */
const TOO_GENERAL = new Set(['type', 'version', 'namespace', 'key']);

/** A value that the facts allow for a member: that of the estate if there is one, else one generated from its name. */
export function valueFor(name: string, fact: Fact, maker: Maker): unknown {
  const known = TOO_GENERAL.has(name) ? undefined : (maker.bag[name] ?? maker.bag[ALIASES[name] ?? '']);
  return known !== undefined && isAllowed(fact, known) ? known : invented(name, fact, maker);
}

/** Whether the facts allow a value; the estate's values do not fit every list. */
export function isAllowed(fact: Fact, value: unknown): boolean {
  if (value === '' && fact.type === 'text') return true;
  if (fact.values !== undefined) return fact.values.includes(String(value)) && typeof value === jsonType(fact);
  if (fact.type === 'text') return typeof value === 'string' && value.length <= (fact.maxLength ?? value.length);
  if (fact.type === 'list') return Array.isArray(value);
  if (fact.type === 'object') return typeof value === 'object' && value !== null;
  return typeof value === jsonType(fact);
}

const jsonType = ({ type }: Fact): string =>
  type === 'text'
    ? 'string'
    : type === 'boolean'
      ? 'boolean'
      : type === 'list' || type === 'object'
        ? 'object'
        : 'number';

function invented(name: string, fact: Fact, maker: Maker): unknown {
  const { random } = maker;
  if (fact.type === 'object') return membersOf(fact.fields ?? {}, maker);
  if (fact.type === 'list') return listOf(name, fact, maker);
  if (fact.type === 'boolean') return random.chance(0.4);
  if (fact.values !== undefined) {
    const value = random.pick(fact.values);
    return fact.type === 'text' ? value : Number(value);
  }
  return fact.type === 'text' ? textOf(name, fact, maker) : numberOf(name, fact, maker);
}

/** The members of an object. */
export function membersOf(fields: Readonly<Record<string, Fact>>, maker: Maker): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([name, fact]) => [name, valueFor(name, fact, maker)]));
}

function listOf(name: string, { items, maxItems = 3 }: Fact, maker: Maker): readonly unknown[] {
  const length = Math.min(maxItems, maker.random.int(3));
  if (items === undefined) return [];
  if (items.values !== undefined)
    return items.values.slice(0, length).map((value) => (items.type === 'text' ? value : Number(value)));
  return Array.from({ length }, () => valueFor(name, items, maker));
}

const TIME = /(^|_)(time|timestamp|mtime|atime|ctime|date)$|_time_|^time$/;

function numberOf(name: string, { type, min = 0, max }: Fact, { random, now }: Maker): number {
  const time = now - 1 - random.int(30 * DAY_MS);
  if (TIME.test(name) && (max === undefined || max >= time)) return time;
  const high = Math.min(max ?? Number.POSITIVE_INFINITY, min + usualSpan(name));
  const value = min + random.next() * (high - min);
  return type === 'number' ? Math.round(value * 10) / 10 : Math.floor(value);
}

function usualSpan(name: string): number {
  if (/port$/.test(name)) return 65_000;
  if (/pid$/.test(name)) return 32_000;
  if (/size|bytes|memory|ram/.test(name)) return 400_000_000;
  if (/cvss|score/.test(name)) return 10;
  if (/^id$|_id$/.test(name)) return 1_000_000_000;
  return /percent|progress|rate/.test(name) ? 100 : 40;
}

/** Formats of texts by the name of their member; the first match is used. */
const TEXT_FORMATS: readonly (readonly [RegExp, (maker: Maker, name: string) => string])[] = [
  [TIME, ({ random, service, now }) => timeText(now - 1 - random.int(30 * DAY_MS), service)],
  [/^id$|_id$|uuid$|^uid$|_uid$/, ({ random }) => uuidOf(random.int(0x7fffffff), 1)],
  [
    /hash$|sha256|digest|md5/,
    ({ random }) => hexOf(random.int(0x7fffffff), 1, 40) + hexOf(random.int(0x7fffffff), 2, 24),
  ],
  [/(^|_)ip$|_addr$/, ({ random }) => `198.51.100.${1 + random.int(250)}`],
  [/mac$/, ({ random }) => `fa:16:3e:${hexOf(random.int(0x7fffffff), 1, 6).replace(/..(?!$)/g, '$&:')}`],
  [/port$/, ({ random }) => `${1_024 + random.int(60_000)}`],
  [/url$|link$/, ({ random }) => `https://www.example.com/advisories/${random.int(9_000)}`],
  [/(user|operator|handler|owner)(_name)?$/, ({ random }) => random.pick(USERS)],
  [
    /path$|dir$|directory$/,
    ({ random }) => `/opt/app/${random.pick(WORKLOADS)[1]}/${hexOf(random.int(0x7fffffff), 1, 6)}`,
  ],
  [/cmd|command|cmdline/, ({ random }) => `/usr/bin/python3 /opt/app/${random.pick(WORKLOADS)[1]}.py`],
  [/version$/, ({ random }) => `${1 + random.int(9)}.${random.int(20)}.${random.int(10)}`],
  [/status$/, () => 'normal'],
  [/namespace$/, ({ random }) => random.pick(WORKLOADS)[0]],
  [/image/, ({ random }) => random.pick(WORKLOADS)[2]],
  [
    /desc|reason|detail|content|solution|remark|notes|abstract|suggest|recommend|remediation/,
    (_, name) => `${words(name)} as the service words it.`,
  ],
  [/name$/, ({ random }, name) => `${words(name.replace(/_?name$/, '') || 'item')} ${1 + random.int(900)}`],
];

const words = (name: string): string => name.replaceAll('_', ' ');

function textOf(name: string, { minLength = 0, maxLength = 4_096 }: Fact, maker: Maker): string {
  const [, look] = TEXT_FORMATS.find(([pattern]) => pattern.test(name)) ?? [];
  const text = look?.(maker, name) ?? `${words(name)} ${1 + maker.random.int(90)}`;
  return text.slice(0, maxLength).padEnd(minLength, 'x');
}

/** A time as text: DBSS writes date and time, HSS milliseconds. */
export function timeText(time: number, service: 'hss' | 'dbss'): string {
  return service === 'hss' ? String(time) : new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
