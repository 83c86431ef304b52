import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Credentials } from '../auth/credentials.ts';
import { Quota } from '../auth/quota.ts';
import { startChurn } from '../estate/churn.ts';
import { type Estate, openEstate } from '../estate/live-estate.ts';
import { hexOf, seedOf } from '../estate/random.ts';
import { type Faults, startFaults } from './faults.ts';
import { handleRequest, type Override, type SandboxParts, type World } from './handle-request.ts';
import type { Operation } from './operations.ts';
import { type SandboxOptions, type SandboxSettings, settle } from './options.ts';
import { type RequestLog, startLog } from './request-log.ts';
import { readRequest, sendReply } from './wire.ts';

export {
  DEMO_AGENCY,
  DEMO_KEY,
  DEMO_OIDC,
  DEMO_PASSWORD_USER,
  DEMO_POD_TOKEN,
  DEMO_PROJECT,
  type PasswordUser,
} from '../auth/identities.ts';
export { EXAMPLE_INSTANCE_ID, EXAMPLE_VULNERABILITY_ID } from '../lists/examples.ts';
export type { Fault, FaultKind } from './faults.ts';
export type { SandboxOptions } from './options.ts';
export { POD_IDENTITY_PATH } from './routes.ts';

/** A running sandbox. */
export interface Sandbox {
  readonly url: string;
  readonly port: number;
  /** The first project. */
  readonly estate: Estate;
  /** All projects by id. */
  readonly estates: ReadonlyMap<string, Estate>;
  readonly requests: RequestLog;
  readonly faults: Faults;
  readonly settings: SandboxSettings;
  /** Answers an operation with the given JSON from now on; undefined restores the normal response. */
  readonly override: (operation: Operation, answer: Override | undefined) => void;
  /** Revokes all issued tokens, like a password change. */
  readonly revokeTokens: () => void;
  /** Stops at once, even in the middle of responses; idempotent. */
  readonly close: () => Promise<void>;
}

/** Real tokens have up to 32 KB, twice Node's default limit for headers. */
const MAX_HEADER_BYTES = 128 * 1024;

/** Starts a local API server that behaves as documented for HSS, DBSS and IAM. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settings = settle(options);
  const live = settings.projects.map((project) => openEstate(project, settings));
  const estates = new Map(live.map(({ estate }) => [estate.project.id, estate]));
  const [first] = estates.values();
  if (first === undefined) throw new RangeError('A sandbox needs at least one project');

  const overrides = new Map<Operation, Override>();
  const credentials = new Credentials(settings);
  const states = new Map(live.map(({ state }) => [state.project.id, state]));
  const world: World = { settings, credentials, quota: new Quota(settings), estates: states, overrides };
  const requests = startLog(settings.logSize);
  const faults = startFaults(settings.now);

  const answer = answering({ world, requests, faults }, requests.record);
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (message, response) => {
    answer(message, response).catch(() => response.destroy());
  });
  const port = await listen(server, settings);
  const stopChurn = startChurn(estates.values(), settings.churn);
  let closing: Promise<void> | undefined;
  return {
    url: `http://${settings.host}:${port}`,
    port,
    estate: first,
    estates,
    requests,
    faults,
    settings,
    override: (operation, own) => {
      if (own === undefined) overrides.delete(operation);
      else overrides.set(operation, own);
    },
    revokeTokens: () => credentials.revokeTokens(),
    close: () => {
      stopChurn();
      closing ??= stop(server);
      return closing;
    },
  };
}

type Answer = (message: IncomingMessage, response: ServerResponse) => Promise<void>;

function answering(parts: SandboxParts, record: (entry: ReturnType<typeof handleRequest>['logged']) => void): Answer {
  const { settings } = parts.world;
  const seed = seedOf(`${settings.seed} requests`);
  let served = 0;
  return async (message, response) => {
    const request = await readRequest(message);
    served += 1;
    const requestId = hexOf(seed, served, 32);
    const ip = message.socket.remoteAddress ?? '';
    const received = { request, ip, salt: served, requestId, arrived: settings.now() };
    const { reply, delivery, logged } = handleRequest(parts, received);
    record(logged);
    if (settings.latencyMs > 0) await sleep(settings.latencyMs, undefined, { ref: false });
    await sendReply(response, { ...reply, requestId, now: settings.now() }, delivery);
  };
}

async function listen(server: Server, { host, port }: SandboxSettings): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  await promise;
  server.off('error', reject);
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function stop(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
