import type { Scope } from '../core/account.ts';
import type { ContentPolicy } from '../core/due.ts';
import { GROUP_NAMES, type Group, type Stream } from '../core/stream/stream.ts';
import { didYouMean } from '../core/text.ts';
import { tickEveryMs, twoTicksMs } from '../sync/service/cron.ts';
import type { Config } from './config.ts';

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

/** What decides whether a stream is read: its group, and the streams whose rows it needs. */
export interface Selectable {
  readonly name: string;
  readonly group: Group;
  readonly onByDefault?: boolean;
  readonly parent?: { readonly stream: { readonly name: string } };
  readonly split?: { readonly stream: { readonly name: string } };
}

export interface Selected {
  readonly enabled: boolean;
  /** Streams that need the rows of this one, which is read for them alone; absent where it is switched on itself. */
  readonly neededBy?: readonly string[];
}

/** Words of `streams.groups` beside the groups: what is read without any setting, and everything there is. */
export const DEFAULT_GROUP = 'default';
export const ALL_GROUPS = 'all';

/** What is wrong with a word of `streams.groups`, or null. */
export function groupProblem(word: string): string | null {
  const known = [...GROUP_NAMES, DEFAULT_GROUP, ALL_GROUPS];
  return known.includes(word)
    ? null
    : `unknown group "${word}"${didYouMean(word, known)}; there are ${known.join(', ')}`;
}

/**
 * Which streams are read. `groups` names what is on, every list of a group (without it the lists that are on by default);
 * `enabled` of a stream wins over that. What a stream that is on needs, its parent and the stream that splits it, is
 * read for it even if it is switched off.
 */
export function selectStreams(
  streams: readonly Selectable[],
  groups: readonly string[] = [DEFAULT_GROUP],
  enabled: Readonly<Record<string, boolean | undefined>> = {},
): ReadonlyMap<string, Selected> {
  const isChosen = ({ name, group, onByDefault = true }: Selectable) =>
    enabled[name] ??
    (groups.includes(ALL_GROUPS) || groups.includes(group) || (groups.includes(DEFAULT_GROUP) && onByDefault));
  const chosen = new Set(streams.filter(isChosen).map(({ name }) => name));
  const byName = new Map(streams.map((stream) => [stream.name, stream]));
  const neededBy = new Map<string, Set<string>>();
  const need = ({ name, parent, split }: Selectable): void => {
    for (const wanted of [parent?.stream.name, split?.stream.name]) {
      const needed = wanted === undefined || chosen.has(wanted) ? undefined : byName.get(wanted);
      if (needed === undefined) continue;
      neededBy.set(needed.name, (neededBy.get(needed.name) ?? new Set<string>()).add(name));
      need(needed);
    }
  };
  for (const stream of streams) if (chosen.has(stream.name)) need(stream);
  return new Map(
    streams.map(({ name }) => {
      const children = neededBy.get(name);
      return [
        name,
        children === undefined ? { enabled: chosen.has(name) } : { enabled: true, neededBy: [...children] },
      ];
    }),
  );
}
