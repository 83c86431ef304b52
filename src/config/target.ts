import type { Config } from '../config.ts';
import type { Stream } from '../core/stream.ts';
import { twoTicksMs } from '../sync/cron.ts';

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
