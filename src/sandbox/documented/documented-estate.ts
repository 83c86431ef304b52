import { type OperationFacts, readFacts } from '../../facts/facts.ts';
import type { EstateState, TrueRecord } from '../estate/estate.ts';
import {
  type Bag,
  buildContainers,
  buildDatabases,
  buildHosts,
  buildImages,
  buildPeople,
  buildRules,
  type HostPlan,
} from '../estate/hosts.ts';
import { hashPair, type Random, startRandom } from '../estate/random.ts';
import type { Finding } from '../estate/vulnerabilities.ts';
import type { Kind } from './entry.ts';
import { DOCUMENTED_LISTS, type DocumentedOperation } from './lists.ts';
import { DocumentedTable } from './table.ts';

/** The inputs of the documented lists. */
export interface DocumentedPlan
  extends Pick<EstateState, 'seed' | 'startedAt' | 'clusters' | 'findings' | 'audit' | 'project'> {
  readonly hosts: number;
  readonly enterpriseProjects: HostPlan['enterpriseProjects'];
}

/** The documented lists of one project; each is generated on first use. */
export class DocumentedEstate {
  readonly #plan: DocumentedPlan;
  readonly #tables = new Map<string, DocumentedTable>();
  readonly #random: Random;
  #things: Readonly<Record<Kind, readonly Bag[]>> | undefined;
  #last = 0;

  constructor(plan: DocumentedPlan) {
    this.#plan = plan;
    this.#random = startRandom(hashPair(plan.seed, 10));
  }

  get instanceIds(): readonly string[] {
    return this.#plan.audit.instances.map(({ id }) => id);
  }

  /** The current rows of a list. */
  table(operation: string): DocumentedTable {
    const known = this.#tables.get(operation);
    if (known !== undefined) return known;
    const entry = DOCUMENTED_LISTS.find((each) => each.operation === operation);
    if (entry === undefined) throw new RangeError(`The sandbox has no list ${operation}`);
    const { seed, startedAt, project } = this.#plan;
    this.#things ??= buildThings(this.#plan);
    const rowsOf = (parent: string) => this.table(parent).rows;
    const plan = { seed, startedAt, projectId: project.id, things: this.#things, rowsOf };
    const table = new DocumentedTable(entry, documented(operation), plan);
    this.#tables.set(operation, table);
    return table;
  }

  /** Makes one change in one of the lists generated so far. */
  change(now: number): void {
    this.#last = Math.max(now, this.#last + 1);
    if (this.#tables.size > 0) this.#random.pick([...this.#tables.values()]).change(this.#last);
  }

  /** The rows of a list, with the parameters that its records do not show. */
  *records(operation: DocumentedOperation): Generator<TrueRecord> {
    const { rows, facts } = this.table(operation);
    for (const { record, asked, bag } of rows) {
      const hidden = Object.entries({ ...bag, ...asked }).filter(
        ([name]) => name in facts.parameters && (name in asked || !(name in record)),
      );
      yield {
        request: Object.fromEntries(hidden.map(([name, value]) => [name, String(value)])),
        text: JSON.stringify(record),
      };
    }
  }
}

let facts: ReadonlyMap<string, OperationFacts> | undefined;

/** The facts of an operation; loaded on first use. */
export function documented(operation: string): OperationFacts {
  facts ??= new Map([...readFacts().values()].map((one) => [one.operation, one]));
  const found = facts.get(operation);
  if (found === undefined) throw new RangeError(`no document has ${operation}`);
  return found;
}

function buildThings(plan: DocumentedPlan): Readonly<Record<Kind, readonly Bag[]>> {
  const { seed, clusters, findings, audit, hosts, enterpriseProjects, project } = plan;
  const listed = clusters.filter(({ retired }) => !retired);
  const part = (number: number): Random => startRandom(hashPair(seed, number));
  const common = { hosts, seed, region: project.region, clusters: listed, enterpriseProjects };
  const images = buildImages({ ...common, random: part(21) });
  return {
    hosts: buildHosts({ ...common, random: part(20) }),
    images,
    containers: buildContainers({ ...common, random: part(22) }, images),
    clusters: listed.map(({ id, name, version, enterpriseProject }) => ({
      cluster_id: id,
      cluster_name: name,
      cluster_version: version,
      cluster_type: 'cce',
      enterprise_project_id: enterpriseProjects[enterpriseProject]?.id ?? '0',
    })),
    vulnerabilities: [
      ...new Map(findings.findings.map((each) => [each.vulnerability.id, vulnerability(each)])).values(),
    ],
    imageVulnerabilities: findings.findings.flatMap((each) =>
      each.statuses.map((status) => ({
        ...vulnerability(each),
        image_type: each.imageType,
        is_handled: status === 'handled',
      })),
    ),
    rules: buildRules(seed),
    instances: audit.instances.map(({ id, name }) => ({ instance_id: id, instance_name: name })),
    databases: buildDatabases(seed, audit.instances),
    people: buildPeople(),
  };
}

function vulnerability({ vulnerability: one }: Finding): Bag {
  return {
    vul_id: one.id,
    vul_name: one.name,
    type: one.type,
    label_list: one.labels,
    cve_list: one.cves,
    severity_level: one.severity,
    repair_necessity: one.severity,
    repair_priority: one.severity,
    app_name: one.software.name,
    app_version: one.software.version,
    app_path: one.software.path,
    description: `${one.name}. Versions up to ${one.software.version} are affected.`,
    solution_detail: `Update ${one.software.name} to a fixed version.`,
    url: `https://nvd.nist.gov/vuln/detail/${one.cves[0]?.cve_id ?? ''}`,
  };
}
