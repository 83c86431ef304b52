import { cumulate, elementAt, hashPair, type Random, rankOf, weightedIndex } from './random.ts';
import { Views } from './views.ts';
import {
  APPLICATIONS,
  advisoryId,
  applicationId,
  LABELS,
  SEVERITIES,
  SYSTEM_PACKAGES,
  WEAKNESSES,
  WELL_KNOWN,
} from './vulnerability-names.ts';

/** Image types with vulnerabilities. */
export const IMAGE_TYPES = ['local', 'registry', 'cicd', 'cluster'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];
type HandleStatus = 'unhandled' | 'handled';

/** The properties of a vulnerability that do not depend on where it was found. */
interface Vulnerability {
  readonly id: string;
  readonly name: string;
  readonly type: 'linux_vul' | 'app_vul';
  readonly severity: (typeof SEVERITIES)[number]['level'];
  readonly cves: readonly { readonly cve_id: string; readonly cvss: number }[];
  readonly labels: readonly string[];
  readonly software: { readonly name: string; readonly version: string; readonly path: string };
}

/** A vulnerability in images of one type. */
export interface Finding {
  readonly vulnerability: Vulnerability;
  readonly imageType: ImageType;
  /** The enterprise projects with an affected image. */
  readonly enterpriseProjects: readonly number[];
  readonly images: number;
  /** Several statuses if only some of the images were handled. */
  statuses: readonly HandleStatus[];
  scanTime: number;
}

/** The inputs of vulnerabilities. */
export interface VulnerabilityPlan {
  readonly vulnerabilities: number;
  readonly seed: number;
  readonly random: Random;
  readonly now: number;
  readonly enterpriseProjects: number;
  readonly ties: number;
}

/** All findings, with sorted lists. */
export interface FindingTable {
  readonly findings: readonly Finding[];
  readonly views: Views;
}

const HOUR_MS = 3_600_000;
const SEVERITY_TOTALS = cumulate(SEVERITIES.map((each) => each.share));
const PRESENCE: Readonly<Record<ImageType, number>> = { local: 0.8, registry: 0.7, cicd: 0.08, cluster: 0.2 };

/** Builds vulnerabilities. About 14 % of them are handled in some image, of the critical ones a third. */
export function buildFindings(plan: VulnerabilityPlan): FindingTable {
  const findings: Finding[] = [];
  for (let index = 0; index < plan.vulnerabilities; index += 1) {
    const known = wellKnown(plan, index);
    const vulnerability = known ?? buildVulnerability(plan.random, index);
    // Critical findings are handled first.
    const handled = known?.handled ?? plan.random.chance(vulnerability.severity === 'Critical' ? 0.35 : 0.13);
    for (const imageType of IMAGE_TYPES) {
      // Every vulnerability has a finding: in local images if it is not in a registry.
      const inLocal = findings.at(-1)?.vulnerability === vulnerability;
      const forced = imageType === 'registry' && (!inLocal || known !== undefined);
      if (!(plan.random.chance(PRESENCE[imageType]) || forced)) continue;
      const statuses = handled && imageType !== 'cluster' ? handledStatuses(plan.random) : (['unhandled'] as const);
      findings.push(buildFinding(plan, { vulnerability, imageType, statuses, index: findings.length }));
    }
  }
  const time = (row: number): number => findings[row]?.scanTime ?? 0;
  const keys = { time, tie: (row: number) => rankOf(plan.seed, row) };
  const rows = (): Uint32Array => Uint32Array.from(findings, (_, row) => row);
  return { findings, views: new Views({ update: keys, create: keys }, rows) };
}

/** The smallest estate whose last vulnerabilities are the well-known ones; smaller estates are fully random. */
const KNOWN_FROM = 20;

function wellKnown({ vulnerabilities }: VulnerabilityPlan, index: number): (typeof WELL_KNOWN)[number] | undefined {
  return vulnerabilities < KNOWN_FROM ? undefined : WELL_KNOWN[index - vulnerabilities + WELL_KNOWN.length];
}

function handledStatuses(random: Random): readonly HandleStatus[] {
  return random.chance(0.2) ? ['unhandled', 'handled'] : ['handled'];
}

function buildFinding(
  { random, now, enterpriseProjects, ties }: VulnerabilityPlan,
  rest: Pick<Finding, 'vulnerability' | 'imageType' | 'statuses'> & { readonly index: number },
): Finding {
  const { index, ...finding } = rest;
  const members: number[] = random.chance(0.7) ? [0] : [];
  for (let each = 1; each < enterpriseProjects; each += 1) if (random.chance(0.3)) members.push(each);
  if (members.length === 0) members.push(0);
  // A nightly scan takes two hours for all images.
  const scanTime =
    now -
    9 * HOUR_MS +
    Math.floor(index / ties) * ties * 137 -
    Math.floor(random.next() * (ties > 1 ? 0 : 2 * HOUR_MS));
  return {
    ...finding,
    enterpriseProjects: members,
    images: 1 + random.int(random.chance(0.2) ? 60 : 8),
    scanTime: Math.min(now - 1, scanTime),
  };
}

function buildVulnerability(random: Random, index: number): Vulnerability {
  const year = 2019 + random.int(7);
  const severity = elementAt(SEVERITIES, weightedIndex(SEVERITY_TOTALS, random.next()));
  const score = (): number => Math.round((severity.low + random.next() * (severity.high - severity.low)) * 10) / 10;
  const cves = Array.from({ length: random.chance(0.75) ? 1 : 2 + random.int(3) }, (_, at) => ({
    cve_id: `CVE-${year}-${10_000 + (hashPair(index, at) % 40_000)}`,
    cvss: score(),
  }));
  const labels = LABELS.filter(() => random.chance(0.12));
  const weakness = random.pick(WEAKNESSES);
  const common = { severity: severity.level, cves, labels };
  if (random.chance(0.28)) {
    const [name, version, path] = random.pick(APPLICATIONS);
    const title = `${name} ${weakness} (${cves[0]?.cve_id ?? ''})`;
    return {
      ...common,
      id: applicationId(year, index),
      name: title,
      type: 'app_vul',
      software: { name, version, path },
    };
  }
  const name = random.pick(SYSTEM_PACKAGES);
  const software = {
    name,
    version: `${1 + random.int(3)}.${random.int(20)}.${random.int(9)}-${random.int(40)}`,
    path: '',
  };
  return {
    ...common,
    id: advisoryId(year, index + 1),
    name: `${name} security update: ${weakness}`,
    type: 'linux_vul',
    software,
  };
}

/** The record of a finding in the list of vulnerabilities. */
export function findingText({ vulnerability, imageType, images, scanTime }: Finding): string {
  const { software, cves } = vulnerability;
  return JSON.stringify({
    vul_name: vulnerability.name,
    vul_id: vulnerability.id,
    type: vulnerability.type,
    image_type: imageType,
    label_list: vulnerability.labels,
    severity_level: vulnerability.severity,
    image_num: images,
    cluster_num: imageType === 'cluster' ? 1 + (images % 5) : 0,
    cve_list: cves,
    max_cvss_score: Math.max(...cves.map((each) => each.cvss)),
    scan_time: scanTime,
    description: `${vulnerability.name}. Versions up to ${software.version} are affected.`,
    url: `https://nvd.nist.gov/vuln/detail/${cves[0]?.cve_id ?? ''}`,
    solution_detail: `Update ${software.name} to a fixed version and rebuild the image.`,
  });
}
