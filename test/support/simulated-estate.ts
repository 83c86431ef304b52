import { listing, offsetPaging, pagePaging } from '../../src/core/stream/endpoint.ts';
import { keyOf } from '../../src/core/stream/record.ts';
import { childOf, type Stream } from '../../src/core/stream/stream.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import type { Random } from './random.ts';

export const KINDS = ['clusters', 'checks', 'events', 'vulnerabilities', 'operations', 'instances', 'reports'] as const;
export type Kind = (typeof KINDS)[number];

/** The real definitions, parents first. */
export const REAL: Readonly<Record<Kind, Stream>> = {
  clusters: hssProtectedClusters,
  checks: hssClusterSecurityReports,
  events: hssClusterEvents,
  vulnerabilities: hssImageVulnerabilities,
  operations: hssImageVulnerabilityOperations,
  instances: dbssAuditInstances,
  reports: dbssAuditReports,
};

/** The same with smaller pages and a smaller cap, so that short lists have many pages and are too long. */
export function scaled(limit: number, cap: number): Readonly<Record<Kind, Stream>> {
  const clusters = { ...REAL.clusters, paging: offsetPaging({ list: 'data_list', cap: 10_000, limit }) };
  const vulnerabilities = { ...REAL.vulnerabilities, paging: offsetPaging({ list: 'data_list', limit }) };
  const instances = {
    ...REAL.instances,
    paging: offsetPaging({ list: ['instances', 'servers'], total: 'total', limit }),
  };
  return {
    clusters,
    checks: { ...REAL.checks, paging: offsetPaging({ list: 'data_list', limit }) },
    events: {
      ...REAL.events,
      paging: offsetPaging({ list: 'data_list', cap, limit }),
      split: { parameter: 'cluster_id', stream: clusters, column: 'cluster_id' },
    },
    vulnerabilities,
    operations: {
      ...REAL.operations,
      paging: offsetPaging({ list: 'data_list', limit }),
      parent: childOf(
        vulnerabilities,
        { vul_id: 'vul_id', image_type: 'image_type' },
        { hot: { handle_status: 'handled' } },
      ),
    },
    instances,
    reports: {
      ...REAL.reports,
      paging: pagePaging({ list: 'reports', item: 'report', limit }),
      parent: childOf(instances, { instance_id: 'instance_id' }),
    },
  };
}

/** One record of one list, from when it is listed until it is not; one that comes back is another item. */
export interface Item {
  readonly kind: Kind;
  readonly id: string;
  /** What the list can be filtered by, in the stored spelling. */
  readonly params: Readonly<Record<string, string>>;
  readonly project: string | null;
  readonly listedAt: number;
  readonly create: number;
  update: number;
  /** When each version of its content came into being, and the update time it showed. */
  readonly versions: { readonly at: number; readonly update: number }[];
  /** Place in an order that no column shows. */
  readonly rank: number;
  /** Which part of the server keeps the row, from 0 to below 1; it stays there when it changes lists. */
  readonly home: number;
  /** `field`: no row, but its key can be read. `key`: not even that. */
  poison: 'none' | 'field' | 'key';
  goneAt: number;
}

/** What a list shows of an item at some moment. */
export interface Shot {
  readonly item: Item;
  readonly update: number;
  /** When this version of its content came into being. */
  readonly version: number;
}

/** The column that shows when the content of an item last changed: no other column would tell two versions apart. */
export const VERSION: Readonly<Record<Kind, string>> = {
  clusters: 'cluster_version',
  checks: 'cluster_name',
  events: 'event_name',
  vulnerabilities: 'vul_name',
  operations: 'remark',
  instances: 'comment',
  reports: 'name',
};

export function recordOf({ item, update, version: at }: Shot): Readonly<Record<string, unknown>> {
  const { kind, id, params, project, create, poison } = item;
  const bad = poison === 'none' ? {} : { [BAD[kind]]: {} };
  const key = poison === 'key' ? null : id;
  const version = { [VERSION[kind]]: String(at) };
  if (kind === 'clusters') return { cluster_id: key, policy_num: 1, ...version, ...bad };
  if (kind === 'checks') return { report_id: key, risk_config_num: 1, scan_time: update, ...version, ...bad };
  if (kind === 'events') {
    const times = { create_time: create, update_time: update };
    return { event_id: key, event_type: 3009, ...times, ...params, enterprise_project_id: project, ...version, ...bad };
  }
  if (kind === 'vulnerabilities') return { vul_id: key, image_num: 1, scan_time: update, ...version, ...bad };
  if (kind === 'operations') return { handle_time: create, user_name: key, ...version, ...bad };
  if (kind === 'instances') return { id: key, cpu: 4, ...version, ...bad };
  return { report: { id: key, percentum: 40, end_time: wallClock(create), ...version, ...bad } };
}

const BAD: Readonly<Record<Kind, string>> = {
  clusters: 'policy_num',
  checks: 'risk_config_num',
  events: 'event_type',
  vulnerabilities: 'image_num',
  operations: 'handle_time',
  instances: 'cpu',
  reports: 'percentum',
};

function wallClock(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** How the times of rows come about, beyond the clock of the server that lists them. */
export interface Habits {
  /** Part of the rows whose time is written by a clock that runs ahead, by how much in ms, and how many there can be yet. */
  readonly ahead: { readonly share: number; readonly ms: number; left?: number };
  /** Maximum time between the creation of some new rows and their listing, in ms. */
  readonly late: { readonly share: number; readonly ms: number };
  /** Part of the changes that give a row any time up to so long ago, in ms. */
  readonly jumps: { readonly share: number; readonly ms: number };
  /** A change may give a row a time before the one it had. */
  readonly goesBack: boolean;
}

const NEVER = { share: 0, ms: 0 };
export const ORDINARY: Habits = { ahead: NEVER, late: NEVER, jumps: NEVER, goesBack: false };

/** Items that went longer ago are shown by no server. */
const LONGEST_LAG_MS = 2 * 3_600_000;

/** Everything there is to list, and who changes it. Time goes on only where `now` is moved. */
export class Estate {
  readonly items: Readonly<Record<Kind, Item[]>> = {
    clusters: [],
    checks: [],
    events: [],
    vulnerabilities: [],
    operations: [],
    instances: [],
    reports: [],
  };
  readonly random: Random;
  readonly #poison: number;
  readonly #ids = new Map<Kind, number>();
  /** Items that are listed no longer, for servers that lag behind. */
  #gone: Item[] = [];
  now: number;
  habits: Habits = ORDINARY;
  /** When anything in a list of the kind last changed. */
  readonly changedAt = new Map<Kind, number>();

  /** Told of every record that is new or changes. */
  onChange: (item: Item) => void = () => {};

  constructor(random: Random, now: number, poison = 0) {
    this.random = random;
    this.now = now;
    this.#poison = poison;
  }

  add(kind: Kind, more: Partial<Pick<Item, 'id' | 'params' | 'project' | 'create'>> = {}): Item {
    const number = (this.#ids.get(kind) ?? 0) + 1;
    this.#ids.set(kind, number);
    const { id = `${kind}-${String(number).padStart(6, '0')}`, params = {}, project = null } = more;
    const create = (more.create ?? this.now) + this.#ahead() - this.#ago(this.habits.late);
    const item: Item = {
      kind,
      id,
      params,
      project,
      listedAt: this.now,
      create,
      update: create,
      versions: [{ at: this.now, update: create }],
      rank: this.random(),
      home: homeOf(id),
      poison: this.#anyPoison(),
      goneAt: Number.POSITIVE_INFINITY,
    };
    this.items[kind].push(item);
    this.changedAt.set(kind, this.now);
    this.onChange(item);
    return item;
  }

  #anyPoison(): Item['poison'] {
    return this.#poison > 0 && this.random.chance(this.#poison) ? this.random.pick(['field', 'field', 'key']) : 'none';
  }

  touch(item: Item): void {
    const time = this.now + this.#ahead() - this.#ago(this.habits.jumps);
    item.update = this.habits.goesBack ? time : Math.max(item.update, time);
    item.versions.push({ at: this.now, update: item.update });
    if (item.poison === 'none') item.poison = this.#anyPoison();
    this.changedAt.set(item.kind, this.now);
    this.onChange(item);
  }

  remove(item: Item): void {
    const list = this.items[item.kind];
    const index = list.indexOf(item);
    if (index >= 0) list.splice(index, 1);
    item.goneAt = this.now;
    this.#gone = this.#gone.filter(({ goneAt }) => goneAt > this.now - LONGEST_LAG_MS);
    this.#gone.push(item);
    this.changedAt.set(item.kind, this.now);
  }

  /** What a list of the kind shows at a moment at most two hours ago. */
  shots(kind: Kind, at = this.now): Shot[] {
    const items = at >= this.now ? this.items[kind] : [...this.items[kind], ...this.#gone];
    return items.flatMap((item) => {
      if (item.kind !== kind || item.listedAt > at || item.goneAt <= at) return [];
      const version = at >= this.now ? item.versions.at(-1) : item.versions.findLast((one) => one.at <= at);
      return version === undefined ? [] : [{ item, update: version.update, version: version.at }];
    });
  }

  #ahead(): number {
    const { ahead } = this.habits;
    const { share, ms, left = 1 } = ahead;
    if (share === 0 || left === 0 || !this.random.chance(share)) return 0;
    if (ahead.left !== undefined) ahead.left -= 1;
    return ms;
  }

  #ago({ share, ms }: { readonly share: number; readonly ms: number }): number {
    return share > 0 && this.random.chance(share) ? Math.floor(this.random.between(0, ms)) : 0;
  }

  any(kind: Kind): Item | undefined {
    return this.items[kind][this.random.int(this.items[kind].length)];
  }

  oldest(kind: Kind): Item | undefined {
    return this.items[kind].reduce<Item | undefined>(
      (oldest, item) => (oldest === undefined || item.create < oldest.create ? item : oldest),
      undefined,
    );
  }
}

function homeOf(id: string): number {
  let mixed = 0;
  for (const letter of id) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x5bd1e995);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
}

/** The key of the row that the item is, were it none. */
export function rowKeyOf(item: Item): string {
  const stream = REAL[item.kind];
  const shot = { item: { ...item, poison: 'none' }, update: item.update, version: item.listedAt } as const;
  const { report = null, ...record } = recordOf(shot);
  const origin = { projectId: 'p1', region: 'r1', params: listingParams(item), timeZone: 'UTC' };
  const parsed = stream.parse(report ?? record, origin);
  if (!parsed.ok) throw new Error(`no row: ${JSON.stringify(parsed.issues)}`);
  return keyOf(stream.key, parsed.row);
}

/** The parameters of the listing an item is in. */
export function listingParams({ kind, params }: Item): Readonly<Record<string, string>> {
  return kind === 'events' ? {} : params;
}

/** Rows of each list of the kind, and of each part that it can be read in: the list itself where it has none. */
export function lengthsOf(
  { items }: Estate,
  kind: Kind,
): { readonly lists: readonly number[]; readonly parts: readonly number[] } {
  const lengths = (params: (item: Item) => Item['params']) =>
    [...Map.groupBy(items[kind], (item) => listing(params(item)).key).values()].map(({ length }) => length);
  return { lists: lengths(listingParams), parts: lengths(({ params }) => params) };
}
