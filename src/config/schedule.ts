import type { Config } from '../config.ts';
import type { Scope } from '../core/account.ts';
import type { ContentPolicy } from '../core/due.ts';
import type { Stream } from '../core/stream/stream.ts';
import { tickEveryMs, twoTicksMs } from '../sync/service/cron.ts';

type Settings = Pick<Config, 'streams'>;

/** A certificate is renewed at least every `reconcileEvery`; half as much again is late. */
const LATE_FACTOR = 1.5;

/** How old the data of a stream may get before it is stale: the target in force, never less than its schedule can reach. */
export function targetMsOf({ streams }: Settings, stream: Stream): number {
  return atLeastTwoTicks(streams[stream.name]?.targetMs ?? stream.targetMs, { streams }, stream);
}

/** From which age on a certificate is late. Not the target: a list may be confirmed many times between two full walks. */
export function certificateLimitMsOf({ streams }: Settings, stream: Stream): number {
  const reconcileEveryMs = streams[stream.name]?.reconcileEveryMs ?? stream.reconcileEveryMs;
  return atLeastTwoTicks(reconcileEveryMs * LATE_FACTOR, { streams }, stream);
}

/** One tick that is missed, or whose run takes its time, is no alarm. */
function atLeastTwoTicks(wantedMs: number, { streams }: Settings, { name, schedule }: Stream): number {
  return Math.max(wantedMs, twoTicksMs(streams[name]?.schedule ?? schedule));
}

/** How old content may get that polls do not show, and what reading it may cost in the lane of the scope. */
export function contentPolicyOf(
  config: Config,
  stream: Stream,
  { account: name }: Pick<Scope, 'account'>,
): ContentPolicy {
  const { streams, fullReads, accounts, scopes } = config;
  const account = accounts.find((one) => one.name === name);
  return {
    everyMs: Math.min(fullReads.everyMs, targetMsOf(config, stream)),
    tickMs: tickEveryMs(streams[stream.name]?.schedule ?? stream.schedule),
    requestsPerMinute: fullReads.share * (account?.requestsPerMinute ?? 0),
    scopes: scopes.filter((scope) => scope.account === name).length,
  };
}
