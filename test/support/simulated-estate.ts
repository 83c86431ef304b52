import { offsetPaging, pagePaging } from '../../src/core/paging.ts';
import { keyOf } from '../../src/core/record.ts';
import { childOf, type Stream } from '../../src/core/stream.ts';
import { dbssAuditInstances } from '../../src/streams/dbss/audit-instances.ts';
import { dbssAuditReports } from '../../src/streams/dbss/audit-reports.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssClusterSecurityReports } from '../../src/streams/hss/cluster-security-reports.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from '../../src/streams/hss/image-vulnerability-operations.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import type { Random } from './random.ts';

export type Kind = 'clusters' | 'checks' | 'events' | 'vulnerabilities' | 'operations' | 'instances' | 'reports';

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
        { column: 'handle_status', value: 'handled' },
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
  /** When each version of its content came into being. */
  readonly changes: number[];
  /** Place in an order that no column shows. */
  readonly rank: number;
  tie: number;
  /** `field`: no row, but its key can be read. `key`: not even that. */
  poison: 'none' | 'field' | 'key';
  gone: boolean;
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

export function recordOf(item: Item): Readonly<Record<string, unknown>> {
  const { kind, id, params, project, create, update, poison } = item;
  const bad = poison === 'none' ? {} : { [BAD[kind]]: {} };
  const key = poison === 'key' ? null : id;
  const version = { [VERSION[kind]]: String(item.changes.at(-1)) };
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
  now: number;
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
    const { id = `${kind}-${String(number).padStart(6, '0')}`, params = {}, project = null, create = this.now } = more;
    const item: Item = {
      kind,
      id,
      params,
      project,
      listedAt: this.now,
      create,
      update: create,
      changes: [this.now],
      rank: this.random(),
      tie: 0,
      poison: this.#anyPoison(),
      gone: false,
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
    item.changes.push(this.now);
    item.update = Math.max(item.update, this.now);
    if (item.poison === 'none') item.poison = this.#anyPoison();
    this.changedAt.set(item.kind, this.now);
    this.onChange(item);
  }

  remove(item: Item): void {
    const list = this.items[item.kind];
    const index = list.indexOf(item);
    if (index >= 0) list.splice(index, 1);
    item.gone = true;
    this.changedAt.set(item.kind, this.now);
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

/** The key of the row that the item is, were it none. */
export function rowKeyOf(item: Item): string {
  const stream = REAL[item.kind];
  const { report = null, ...record } = recordOf({ ...item, poison: 'none' });
  const origin = { projectId: 'p1', region: 'r1', params: listingParams(item), timeZone: 'UTC' };
  const parsed = stream.parse(report ?? record, origin);
  if (!parsed.ok) throw new Error(`no row: ${JSON.stringify(parsed.issues)}`);
  return keyOf(stream.key, parsed.row);
}

/** The parameters of the listing an item is in. */
export function listingParams({ kind, params }: Item): Readonly<Record<string, string>> {
  return kind === 'events' ? {} : params;
}
