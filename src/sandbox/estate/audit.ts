import { REFERENCE_MS } from './event-times.ts';
import { elementAt, hashPair, hexOf, type Random, rankOf, uuidOf } from './random.ts';
import { Views } from './views.ts';

/** A database audit instance. */
export interface AuditInstance {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly version: string;
  /** The version it can be upgraded to, or null. */
  readonly newVersion: string | null;
  /** An instance that was shut down makes no reports. */
  readonly status: 'ACTIVE' | 'SHUTOFF';
  readonly address: string;
}

/** A report of an audit instance. */
export interface AuditReport {
  readonly id: string;
  readonly instance: number;
  readonly name: string;
  readonly type: 'AUDIT_REPORT_DAY' | 'AUDIT_REPORT_WEEK' | 'AUDIT_REPORT_MONTH' | 'AUDIT_REPORT_REAL_TIME';
  readonly template: string;
  readonly format: 'pdf' | 'zip';
  readonly start: number;
  readonly end: number;
  readonly database: string;
  readonly stuck: boolean;
  percentum: number;
  finish: number | undefined;
}

/** Instances and reports, with the sorted lists of reports. */
export interface AuditTable {
  readonly instances: readonly AuditInstance[];
  readonly reports: AuditReport[];
  readonly views: Views;
}

/** The inputs of audit instances and reports. */
export interface AuditPlan {
  readonly instances: number;
  readonly reports: number;
  readonly seed: number;
  readonly random: Random;
  readonly now: number;
}

const DAY_MS = 86_400_000;
/** The report scheduler ends a day at midnight in UTC+8. */
const MIDNIGHT_MS = 16 * 3_600_000;
/** The last midnight in UTC+8 before a time. */
const midnightBefore = (time: number): number => Math.floor((time - MIDNIGHT_MS) / DAY_MS) * DAY_MS + MIDNIGHT_MS;
const INSTANCE_NAMES = [
  'dbaudit-core-banking',
  'dbaudit-orders',
  'dbaudit-crm',
  'dbaudit-warehouse',
  'dbaudit-hr',
] as const;
const DATABASES = ['core_ledger', 'orders_rw', 'crm', 'dwh', 'hr_payroll'] as const;
const TEMPLATES = ['COMPREHENSIVE', 'COMPLIANCE', 'SOX', 'PCI', 'DB_ANALYSIS', 'CLIENT_IP_ANALYSIS'] as const;
const TITLES = {
  AUDIT_REPORT_DAY: 'Daily Database Security Report',
  AUDIT_REPORT_WEEK: 'Weekly Database Security Report',
  AUDIT_REPORT_MONTH: 'Monthly Compliance Report',
  AUDIT_REPORT_REAL_TIME: 'Database Security General Report',
} as const;

/** Builds instances and their daily, weekly, monthly and ad-hoc reports; one report never finishes. */
export function buildAudit(plan: AuditPlan): AuditTable {
  const { seed } = plan;
  const instances = Array.from({ length: plan.instances }, (_, index) => buildInstance(plan, index));
  const reports: AuditReport[] = [];
  for (let index = 0; index < plan.instances; index += 1) {
    const share =
      Math.floor((plan.reports * (index + 1)) / plan.instances) - Math.floor((plan.reports * index) / plan.instances);
    for (const period of periods({ ...plan, count: share, stopped: instances[index]?.status === 'SHUTOFF' }))
      reports.push(buildReport(plan, { ...period, instance: index, index: reports.length }));
  }
  const time = (row: number): number => reports[row]?.end ?? 0;
  const keys = { time, tie: (row: number) => rankOf(seed, row) };
  const rows = (): Uint32Array => Uint32Array.from(reports, (_, row) => row);
  return { instances, reports, views: new Views({ update: keys, create: keys }, rows) };
}

/** Time between the shutdown of the stopped instance and the start of the estate. */
const STOPPED_MS = 5 * DAY_MS;

/** One of five instances was bought almost three years ago and can be upgraded; one is shut down. */
function buildInstance({ random, seed, now }: AuditPlan, index: number): AuditInstance {
  const place = index % INSTANCE_NAMES.length;
  const age = 200 + random.int(500);
  const [minor, patch] = [1 + random.int(5), random.int(10)];
  return {
    id: uuidOf(seed + 5, index),
    name: `${elementAt(INSTANCE_NAMES, index)}${index >= INSTANCE_NAMES.length ? `-${index}` : ''}`,
    created: now - (place === 1 ? 1_050 : age) * DAY_MS,
    version: `23.0${minor}.27.19${patch}`,
    newVersion: place === 1 ? `23.0${minor + 1}.27.19${patch}` : null,
    status: place === 2 ? 'SHUTOFF' : 'ACTIVE',
    address: `192.168.${10 + (index >> 8)}.${index & 255}`,
  };
}

type Period = Pick<AuditReport, 'type' | 'start' | 'end' | 'stuck'>;

interface Share {
  readonly count: number;
  /** Whether the instance was shut down. */
  readonly stopped: boolean;
}

/**
 * The newest `count` periods that ended before now, or before the shutdown of the instance. The reference instant
 * decides which days end a week or month: with the current calendar, the kinds of reports and all later random draws
 * would depend on the day.
 */
function periods({ random, now, count, stopped }: AuditPlan & Share): Period[] {
  const midnight = midnightBefore(now);
  const moved = midnightBefore(REFERENCE_MS) - midnight;
  const idle = stopped ? STOPPED_MS : 0;
  const found: Period[] = [];
  for (let day = 0; day < 90; day += 1) {
    const end = midnight - day * DAY_MS - 1_000;
    const local = new Date(end + moved + DAY_MS - MIDNIGHT_MS);
    const period = (type: AuditReport['type'], days: number): void => {
      // The daily report of a week ago never finished and was not restarted.
      found.push({ type, start: end - days * DAY_MS + 1_000, end, stuck: day === 7 && type === 'AUDIT_REPORT_DAY' });
    };
    period('AUDIT_REPORT_DAY', 1);
    if (local.getUTCDay() === 0) period('AUDIT_REPORT_WEEK', 7);
    if (new Date(local.getTime() + DAY_MS).getUTCDate() === 1) period('AUDIT_REPORT_MONTH', local.getUTCDate());
  }
  const made = found.filter(({ end }) => end < midnight - idle);
  const chosen = made.slice(0, Math.min(made.length, Math.round(count * 0.95)));
  while (chosen.length < count) {
    const end = now - idle - Math.floor(random.next() * (89 * DAY_MS - idle)) - 600_000;
    chosen.push({ type: 'AUDIT_REPORT_REAL_TIME', start: end - (1 + random.int(7)) * DAY_MS, end, stuck: false });
  }
  return chosen;
}

function buildReport(
  { random, seed }: AuditPlan,
  { index, ...period }: Period & { readonly instance: number; readonly index: number },
): AuditReport {
  // Only one instance has the unfinished report.
  const stuck = period.stuck && period.instance === 0;
  return {
    ...period,
    stuck,
    id: reportId(seed, index),
    name: TITLES[period.type],
    template: period.type === 'AUDIT_REPORT_DAY' ? 'COMPREHENSIVE' : random.pick(TEMPLATES),
    format: random.chance(0.9) ? 'pdf' : 'zip',
    database: random.chance(0.5) ? '' : random.pick(DATABASES),
    percentum: stuck ? 37 : 100,
    finish: stuck ? undefined : period.end + 60_000 + random.int(500_000),
  };
}

/** Ids have twenty letters and digits, as in the published example. */
function reportId(seed: number, index: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  let text = hexOf(seed + 11, index, 8);
  for (let part = 0; text.length < 20; part += 1)
    text += alphabet[hashPair(index, seed + part) % alphabet.length] ?? 'a';
  return text;
}

/** A new report in progress. */
export function beginReport({
  instance,
  index,
  seed,
  time,
}: {
  readonly instance: number;
  readonly index: number;
  readonly seed: number;
  readonly time: number;
}): AuditReport {
  return {
    id: reportId(seed, index),
    instance,
    name: TITLES.AUDIT_REPORT_REAL_TIME,
    type: 'AUDIT_REPORT_REAL_TIME',
    template: elementAt(TEMPLATES, index),
    format: 'pdf',
    start: time - DAY_MS,
    end: time,
    database: '',
    stuck: false,
    percentum: 5,
    finish: undefined,
  };
}
