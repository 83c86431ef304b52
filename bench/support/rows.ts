import { parseJson } from '../../src/core/stream/json.ts';
import { type ValidRow, validate } from '../../src/core/stream/validate.ts';
import { DEMO_PROJECT, startSandbox } from '../../src/sandbox/server/server.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';

export const SCOPE = {
  account: 'bench',
  region: DEMO_PROJECT.region,
  projectId: DEMO_PROJECT.id,
  enterpriseProjectId: 'all_granted_eps',
};

const PAGE = 200;

/** Events of the sandbox as input of the writer: validated pages of 200. */
export async function eventPages(events: number): Promise<readonly (readonly ValidRow[])[]> {
  const sandbox = await startSandbox({ events, clusters: 200, noisyCluster: false });
  const records = [...sandbox.estate.records('events')].map(({ text }) => parseJson(text));
  await sandbox.close();
  const origin = { projectId: SCOPE.projectId, region: SCOPE.region, params: {}, timeZone: 'UTC' };
  const { rows } = validate(hssClusterEvents, records, { origin, listingKey: '' });
  return Array.from({ length: Math.ceil(rows.length / PAGE) }, (_, page) => rows.slice(page * PAGE, (page + 1) * PAGE));
}
