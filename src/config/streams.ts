import type { Scope } from '../core/account.ts';
import type { ContentPolicy } from '../core/due.ts';
import { GROUP_NAMES, type Group, type Stream } from '../core/stream/stream.ts';
import { didYouMean } from '../core/text.ts';
import { tickEveryMs, twoTicksMs } from '../sync/service/cron.ts';
import type { Config } from './config.ts';

type Settings = Pick<Config, 'streams'>;

/** A certificate is renewed at least every `reconcileEvery`; it is late after one and a half times that. */
const LATE_FACTOR = 1.5;

/** Age from which the data of a stream is stale, in ms: its target, but at least what the schedule can achieve. */
export function targetMsOf({ streams }: Settings, stream: Stream): number {
  return atLeastTwoTicks(streams[stream.name]?.targetMs ?? stream.targetMs, { streams }, stream);
}

/**
 * Age from which a certificate is late, in ms. Not the target: polls may confirm a list many times between two full
 * walks.
 */
export function certificateLimitMsOf({ streams }: Settings, stream: Stream): number {
  const reconcileEveryMs = streams[stream.name]?.reconcileEveryMs ?? stream.reconcileEveryMs;
  return atLeastTwoTicks(reconcileEveryMs * LATE_FACTOR, { streams }, stream);
}

/** At least two ticks of the schedule: one missed tick or long run must not raise an alarm. */
function atLeastTwoTicks(wantedMs: number, { streams }: Settings, { name, schedule }: Stream): number {
  return Math.max(wantedMs, twoTicksMs(streams[name]?.schedule ?? schedule));
}

/** Age limit of content that polls do not show, and the share of the scope's quota for reading it. */
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

/** What decides whether a stream is read: its group, and the streams that need its rows. */
export interface Selectable {
  readonly name: string;
  readonly group: Group;
  readonly onByDefault?: boolean;
  readonly parent?: { readonly stream: { readonly name: string } };
  readonly split?: { readonly stream: { readonly name: string } };
}

export interface Selected {
  readonly enabled: boolean;
  /**
   * Enabled streams that need the rows of this one, if they are the only reason to read it; absent if it is enabled
   * itself.
   */
  readonly neededBy?: readonly string[];
}

/** Words in `streams.groups` that are not groups: the default selection, and all streams. */
export const DEFAULT_GROUP = 'default';
export const ALL_GROUPS = 'all';

/** The problem with a word of `streams.groups`, or null. */
export function groupProblem(word: string): string | null {
  const known = [...GROUP_NAMES, DEFAULT_GROUP, ALL_GROUPS];
  return known.includes(word)
    ? null
    : `unknown group "${word}"${didYouMean(word, known)}; there are ${known.join(', ')}`;
}

/**
 * Decides which streams are read. `groups` enables every list of the named groups (without it, the lists enabled by
 * default); `enabled` of a stream has precedence. The parent and the split stream of an enabled stream are read for it
 * even if they are disabled.
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
