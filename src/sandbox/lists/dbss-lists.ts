import type { EstateState } from '../estate/estate.ts';
import type { Call, ProjectHandler } from '../server/call.ts';
import type { InstanceGeneration, SandboxSettings } from '../server/options.ts';
import { dbssInteger, dbssText, dig } from '../server/parameters.ts';
import { dbssParameterError, gatewayError, ok, permissionError, type Reply } from '../server/replies.ts';
import { instanceText, reportText } from './audit-text.ts';
import { cutPage } from './list-page.ts';

/** The reports of an audit instance, newest first; page and size are in the body. */
export const listReports: ProjectHandler = ({ settings, params, body, salt }, estate) => {
  const page = dbssInteger(body, 'page');
  const asked = dbssInteger(body, 'size');
  if (asked > settings.maxReportSize && settings.reportSizeOver === 'error') {
    return dbssParameterError(`size must not exceed ${settings.maxReportSize}`);
  }
  const size = Math.min(asked, settings.maxReportSize);
  const { instances, reports, views } = estate.audit;
  const instance = instances.findIndex((each) => each.id === params.instance_id);
  if (instance < 0) return permissionError('dbss', `instance ${params.instance_id ?? ''}`);
  const all = views.view('update', `${instance}`, (row) => reports[row]?.instance === instance);
  const name = dig(body, 'name');
  const named = typeof name === 'string' && name !== '' ? name : undefined;
  const list = named === undefined ? all : all.filter((row) => reports[row]?.name.includes(named) ?? false);
  const behaviour = { ...settings.lists.ListAuditReports };
  const cut = cutPage(list, { behaviour, offset: (page - 1) * size, limit: size, salt });
  const records = cut.rows.flatMap((row) => {
    const report = reports[row];
    return report === undefined ? [] : [`{"report":${reportText(report, settings.instanceTimeZone)}}`];
  });
  return ok(`{"total":${cut.total},"reports":[${records.join(',')}]}`);
};

/** The current instance list. */
export const listInstancesV2: ProjectHandler = (call, estate) =>
  instanceList(call, estate, { generation: 'v2', listKey: 'instances', idKey: 'id' });

/** The previous instance list; its shape changed before its retirement. */
export const listInstancesV1: ProjectHandler = (call, estate) => {
  const servers = call.settings.v1InstanceShape === 'servers';
  return instanceList(call, estate, {
    generation: 'v1',
    listKey: servers ? 'servers' : 'instances',
    idKey: servers ? 'id' : 'instance_id',
  });
};

/** The oldest instance list. */
export const listInstancesV1Dbss: ProjectHandler = (call, estate) =>
  instanceList(call, estate, { generation: 'v1-dbss', listKey: 'servers', idKey: 'id' });

interface Generation {
  readonly generation: InstanceGeneration;
  readonly listKey: 'instances' | 'servers';
  readonly idKey: 'id' | 'instance_id';
}

function instanceList(
  { settings, query, requestId }: Call,
  estate: EstateState,
  { generation, listKey, idKey }: Generation,
): Reply {
  if (!offered(settings, generation)) return notOffered(requestId);
  const offset = dbssText(query, 'offset', 0);
  const limit = dbssText(query, 'limit', 100);
  if (limit < 1 || limit > 1_000) return dbssParameterError('limit must be between 1 and 1000');
  const { instances } = estate.audit;
  const { instanceTimeZone: timeZone } = settings;
  const shape = { idKey, generation, region: estate.project.region, timeZone, now: settings.now() };
  const records = instances.slice(offset, offset + limit).map((each) => instanceText(each, shape));
  return ok(`{"total":${instances.length},"${listKey}":[${records.join(',')}]}`);
}

/** Whether this generation of the instance list is available. */
export function offered(settings: SandboxSettings, generation: InstanceGeneration): boolean {
  return settings.instanceGenerations.includes(generation);
}

/** The response of a retired generation. */
export function notOffered(requestId: string): Reply {
  return gatewayError(requestId, {
    status: 404,
    code: 'APIG.0101',
    message: 'The API does not exist or has not been published in the environment.',
  });
}
