import { USERS } from './names.ts';
import { hexOf, type Random } from './random.ts';
import type { Finding, FindingTable, ImageType } from './vulnerabilities.ts';

/** An entry of the handling history: a user handled a vulnerability of an image. */
export interface HandlingRecord {
  readonly finding: Finding;
  readonly enterpriseProject: number;
  readonly time: number;
  readonly handleType: 'ignore' | 'not_ignore' | 'add_to_whitelist' | 'manual_repair';
  readonly status: string;
  readonly user: string;
  readonly imageName: string;
  readonly imageVersion: string;
  readonly imageDigest: string;
  readonly imageId: string;
  readonly agentId: string;
  readonly remark: string;
}

/** The handling history by vulnerability and image type. */
export class HandlingHistory {
  readonly #records = new Map<string, HandlingRecord[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(record: HandlingRecord): void {
    const key = keyOf(record.finding.vulnerability.id, record.finding.imageType);
    const records = this.#records.get(key);
    if (records === undefined) this.#records.set(key, [record]);
    else records.push(record);
    this.#size += 1;
  }

  /** The records of one vulnerability, oldest first. */
  of(vulnerabilityId: string, imageType: ImageType): readonly HandlingRecord[] {
    return this.#records.get(keyOf(vulnerabilityId, imageType)) ?? [];
  }

  *all(): Generator<HandlingRecord> {
    for (const records of this.#records.values()) yield* records;
  }
}

const keyOf = (vulnerabilityId: string, imageType: ImageType): string => `${imageType} ${vulnerabilityId}`;

const DAY_MS = 86_400_000;
const REMARKS = [
  '',
  '',
  'Accepted until the next base image.',
  'False positive: the function is not reachable.',
  '已在下个版本修复',
  'Ticket SEC-4821',
  'One application vulnerability has been fixed.',
] as const;

/** Builds one to six records for each handled finding, and for some that were reopened. */
export function buildHistory(table: FindingTable, random: Random, now: number): HandlingHistory {
  const history = new HandlingHistory();
  for (const finding of table.findings) {
    if (finding.imageType !== 'local' && finding.imageType !== 'registry') continue;
    const handled = finding.statuses.includes('handled');
    if (!handled && !random.chance(0.015)) continue;
    const count = 1 + Math.floor(random.next() * random.next() * 6);
    const times = Array.from({ length: count }, () => now - Math.floor(random.next() * 90 * DAY_MS) - 1).sort(
      (a, b) => a - b,
    );
    times.forEach((time, index) => {
      const last = index === count - 1;
      history.add(inventRecord({ finding, random, time, handleType: chooseType(random, last && !handled) }));
    });
  }
  return history;
}

function chooseType(random: Random, reopened: boolean): HandlingRecord['handleType'] {
  if (reopened) return 'not_ignore';
  const point = random.next();
  // manual_repair is not among the documented values, but in the published example.
  if (point < 0.6) return 'ignore';
  return point < 0.85 ? 'add_to_whitelist' : 'manual_repair';
}

/** The inputs of a record. */
export interface RecordPlan {
  readonly finding: Finding;
  readonly random: Random;
  readonly time: number;
  readonly handleType: HandlingRecord['handleType'];
}

/** Generates a record for a finding. */
export function inventRecord({ finding, random, time, handleType }: RecordPlan): HandlingRecord {
  const image = random.int(1_000_000);
  const statuses = {
    ignore: 'vul_status_ignored',
    add_to_whitelist: 'vul_status_ignored',
    not_ignore: 'vul_status_unfix',
    manual_repair: 'vul_status_fixed',
  } as const;
  return {
    finding,
    enterpriseProject: random.pick(finding.enterpriseProjects),
    time,
    handleType,
    status: statuses[handleType],
    user: random.pick(USERS),
    imageName: `${random.pick(['payments', 'retail', 'platform', 'library'])}/${random.pick(['api', 'worker', 'web', 'batch'])}`,
    imageVersion: `${1 + random.int(9)}.${random.int(20)}.${random.int(10)}`,
    imageDigest: `sha256:${hexOf(77, image, 40)}${hexOf(78, image, 24)}`,
    imageId: hexOf(79, image, 32),
    agentId: finding.imageType === 'local' ? hexOf(80, image % 50, 32) : '',
    remark: random.pick(REMARKS),
  };
}

/** The record in the response; it names neither the vulnerability nor the image type. */
export function handlingText(record: HandlingRecord): string {
  const { software } = record.finding.vulnerability;
  return JSON.stringify({
    image_id: record.imageId,
    image_name: record.imageName,
    image_digest: record.imageDigest,
    image_version: record.imageVersion,
    agent_id: record.agentId,
    user_name: record.user,
    handle_time: record.time,
    handle_type: record.handleType,
    status: record.status,
    app_name: software.name,
    app_version: software.version,
    app_path: software.path,
    remark: record.remark,
  });
}
