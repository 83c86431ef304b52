import type { AuditInstance, AuditReport } from './estate-audit.ts';
import { hexOf } from './random.ts';

/** DBSS writes times without a zone; they are UTC. */
function dbssTime(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** The record of a report, without the `report` object around it. */
export function reportText(report: AuditReport): string {
  const done = report.finish !== undefined;
  return JSON.stringify({
    id: report.id,
    name: report.name,
    type: report.type,
    format: report.format,
    percentum: report.percentum,
    url: done ? `/results/${report.id}/download-report` : '',
    finish_time: report.finish === undefined ? '' : dbssTime(report.finish),
    db_ids: report.database === '' ? '' : hexOf(3, report.database.length, 20),
    template_type: report.template,
    start_time: dbssTime(report.start),
    end_time: dbssTime(report.end),
    db_names: report.database,
  });
}

/** What differs between the generations of the instance list. */
export interface InstanceShape {
  readonly idKey: 'id' | 'instance_id';
  readonly region: string;
  readonly now: number;
}

/** The record of an instance. Both spellings of names exist side by side in these lists, so both are here. */
export function instanceText(instance: AuditInstance, { idKey, region, now }: InstanceShape): string {
  const index = Number.parseInt(instance.id.slice(0, 6), 16);
  return JSON.stringify({
    [idKey]: instance.id,
    name: instance.name,
    status: 'ACTIVE',
    task: 'NO_TASK',
    created: dbssTime(instance.created),
    updated: dbssTime(instance.created + 3_600_000),
    expired: dbssTime(instance.created + 1_095 * 86_400_000),
    version: instance.version,
    chargeModel: 'Period',
    remainDays: `${Math.max(0, Math.ceil((instance.created - now) / 86_400_000) + 1_095)}`,
    keep_days: '180',
    configNum: 3,
    connect_ip: instance.address,
    connectIpv6: '',
    comment: '',
    effect: 1,
    region,
    zone: `${region}a`,
    cpu: 4,
    ram: 16,
    database_limit: 6,
    new_version: null,
    bind_eip_id: null,
    port_id: hexOf(41, index, 32),
    resource_id: hexOf(42, index, 32),
    resource_spec_code: 'dbss.bypassaudit.low',
    scene: 'audit',
    specification: '4 vCPUs | 16 GB',
    vpc_id: hexOf(43, index, 32),
    subnetId: hexOf(44, index, 32),
    security_group_id: hexOf(45, index, 32),
    ...(idKey === 'instance_id' ? { enterprise_project_id: '0' } : {}),
  });
}
