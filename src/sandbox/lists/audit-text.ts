import type { AuditInstance, AuditReport } from '../estate/audit.ts';
import { hexOf } from '../estate/random.ts';
import type { InstanceGeneration } from '../server/options.ts';

const DAY_MS = 86_400_000;

/** A DBSS time, which has no zone. */
function dbssTime(time: number, offsetMs = 0): string {
  return new Date(time + offsetMs).toISOString().slice(0, 19).replace('T', ' ');
}

/** The offset of a zone such as `UTC` or `UTC+08:00`, in ms. */
function offsetOf(timeZone: string): number {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(timeZone) ?? [];
  const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  return sign === '-' ? -offset : offset;
}

/** The record of a report without its wrapper `report`; times are in the zone of its instance. */
export function reportText(report: AuditReport, timeZone: string): string {
  const done = report.finish !== undefined;
  const offset = offsetOf(timeZone);
  return JSON.stringify({
    id: report.id,
    name: report.name,
    type: report.type,
    format: report.format,
    percentum: report.percentum,
    url: done ? `/results/${report.id}/download-report` : '',
    finish_time: report.finish === undefined ? '' : dbssTime(report.finish, offset),
    db_ids: report.database === '' ? '' : hexOf(3, report.database.length, 20),
    template_type: report.template,
    start_time: dbssTime(report.start, offset),
    end_time: dbssTime(report.end, offset),
    db_names: report.database,
  });
}

/** The differences between generations of the instance list. */
export interface InstanceShape {
  readonly idKey: 'id' | 'instance_id';
  readonly generation: InstanceGeneration;
  readonly region: string;
  /** The time zone in the notation of a generation that shows it. */
  readonly timeZone: string;
  readonly now: number;
}

/** The record of an instance. These lists have both spellings of some names. */
export function instanceText(
  instance: AuditInstance,
  { idKey, generation, region, timeZone, now }: InstanceShape,
): string {
  const remaining = Math.max(0, Math.ceil((instance.created - now) / DAY_MS) + 1_095);
  // The v1 generation has more members than the others, and its member for remaining days holds the days online.
  const wide = generation === 'v1' && idKey === 'instance_id';
  const index = Number.parseInt(instance.id.slice(0, 6), 16);
  return JSON.stringify({
    [idKey]: instance.id,
    name: instance.name,
    status: instance.status,
    task: 'NO_TASK',
    created: dbssTime(instance.created),
    expired: dbssTime(instance.created + 1_095 * DAY_MS),
    version: instance.version,
    chargeModel: 'Period',
    remainDays: `${remaining}`,
    keep_days: `${wide ? Math.floor((now - instance.created) / DAY_MS) : remaining}`,
    configNum: 3,
    connect_ip: instance.address,
    connectIpv6: '',
    comment: '',
    region,
    zone: `${region}a`,
    cpu: 4,
    ram: 16,
    database_limit: 6,
    new_version: instance.newVersion,
    port_id: hexOf(41, index, 32),
    resource_id: hexOf(42, index, 32),
    resource_spec_code: 'dbss.bypassaudit.low',
    scene: '',
    specification: '4 vCPUs | 16 GB',
    vpc_id: hexOf(43, index, 32),
    subnetId: hexOf(44, index, 32),
    security_group_id: hexOf(45, index, 32),
    ...(wide
      ? {
          enterprise_project_id: '0',
          timezone: timeZone,
          binding_db_type: '',
          failed_reason: '',
          upgrade_log: '',
        }
      : {}),
    ...(wide || generation === 'v2' ? { supported_feature: [] } : {}),
  });
}
