import { certificateLimitMsOf } from '../config/schedule.ts';
import type { Config } from '../config.ts';
import { describeCertificate } from '../core/certificate.ts';
import type { Refusal } from '../core/errors.ts';
import type { Group, Stream } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { type CountedState, whyUnavailable } from '../postgres/queries/stream-state.ts';
import { age } from './table.ts';

/** In the order of urgency. */
const KINDS = [
  'failed',
  'abandoned',
  'no permission',
  'never read',
  'unproven',
  'stale',
  'late',
  'not published',
  'fresh',
] as const;

export type Standing = (typeof KINDS)[number];

/** How a table stands, and why in words; `note` is null where the word says it all. */
export interface Judgement {
  readonly standing: Standing;
  readonly note: string | null;
}

export interface Judged {
  readonly stream: string;
  readonly group: Group;
  readonly project_id: string;
  readonly account: string;
  readonly region: string;
  /** Null for what is configured and was never read. */
  readonly state: CountedState | null;
  readonly judgement: Judgement;
}

/** Failed before stale before late: the first that holds is the cause of the others. */
function judge(state: CountedState, stream: Stream, config: Pick<Config, 'streams'>): Judgement {
  const { status, error, age_seconds, target_seconds, certificate_age_seconds } = state;
  if (status === 'failed') return { standing: 'failed', note: error };
  if (status === 'abandoned')
    return { standing: 'abandoned', note: 'the process that ran it last died or froze; it goes on with its next run' };
  if (isForgotten(state, stream))
    return { standing: 'unproven', note: 'reset: its next run reads it anew and proves it again' };
  if (age_seconds === null) {
    const why = state.certificate === null ? 'its first run has not ended' : certificateOf(state);
    return { standing: 'unproven', note: `${why}; never proven complete` };
  }
  if (age_seconds > target_seconds)
    return { standing: 'stale', note: `${age(age_seconds * 1000)} old, target ${age(target_seconds * 1000)}` };
  if (state.certificate === 'incomplete') return { standing: 'unproven', note: certificateOf(state) };
  const limitMs = certificateLimitMsOf(config, stream);
  if (certificate_age_seconds !== null && certificate_age_seconds * 1000 > limitMs) {
    const readMs = certificate_age_seconds * 1000;
    return { standing: 'late', note: `last read to its end ${age(readMs)} ago, limit ${age(limitMs)}` };
  }
  return { standing: 'fresh', note: null };
}

/** A list without a parent is always remembered once it was read; of a child an empty table may mean that there is no list. */
function isForgotten({ remembered, rows }: CountedState, { parent }: Stream): boolean {
  return !remembered && (parent === undefined || rows > 0);
}

function certificateOf(state: CountedState): string {
  return describeCertificate({ ...state, kind: state.certificate ?? 'incomplete' });
}

/**
 * Every configured stream in every configured project, read or not; without any configured project, what was read. Streams that
 * are switched off and projects that are no longer configured are not judged.
 */
export function judgeAll(
  states: readonly CountedState[],
  streams: readonly Stream[],
  config: Pick<Config, 'streams' | 'scopes'>,
): readonly Judged[] {
  const known = new Map(states.map((state) => [`${state.project_id}/${state.stream}`, state]));
  const enabled = streams.filter(({ name }) => config.streams[name]?.enabled !== false);
  const stateOf = (stream: string | undefined, projectId: string) => known.get(`${projectId}/${stream}`) ?? null;
  const places =
    config.scopes.length > 0
      ? config.scopes.map(({ projectId, account, region }) => ({ project_id: projectId, account, region }))
      : [...new Map(states.map((state) => [state.project_id, state])).values()];
  return places.flatMap(({ project_id, account, region }) =>
    enabled.flatMap((stream) => {
      const state = stateOf(stream.name, project_id);
      if (state === null && config.scopes.length === 0) return [];
      const parent = stateOf(stream.parent?.stream.name, project_id);
      const refusal = whyUnavailable(state ?? undefined, parent ?? undefined);
      const judgement: Judgement =
        refusal !== null
          ? { standing: refusal, note: UNAVAILABLE[refusal] }
          : state === null
            ? { standing: 'never read', note: null }
            : judge(state, stream, config);
      return [{ stream: stream.name, group: stream.group, project_id, account, region, state, judgement }];
    }),
  );
}

/** Asked again daily; the error itself differs from list to list, and is in the log and in `--json`. */
const UNAVAILABLE: Readonly<Record<Refusal, string>> = {
  'no permission':
    'these credentials may not read it; asked again once a day, and by security-sync sync at once. Give them the role, or switch it off (streams.groups)',
  'not published':
    'its API is not published in this region; asked again once a day. Not counted as wrong; switch it off (streams.groups) if it is not missed',
};

/** Names in a line, and lines in a verdict: `--json` has the rest. */
const MOST = 12;

/** What is wrong, worst first: a line for each cause with the tables it concerns; else that all is well. */
export function verdictOf(judged: readonly Judged[]): { readonly ok: boolean; readonly lines: readonly string[] } {
  const isOff = ({ judgement }: Judged) => judgement.standing === 'not published';
  const off = judged.filter(isOff);
  const wrong = judged.filter((one) => one.judgement.standing !== 'fresh' && !isOff(one));
  const severalProjects = new Set(judged.map(({ project_id }) => project_id)).size > 1;
  const severalAccounts = new Set(judged.map(({ account }) => account)).size > 1;
  const place = ({ stream, project_id, account }: Judged) => {
    const where = [
      ...(severalAccounts ? [account] : []),
      ...(severalProjects || !severalAccounts ? [`project ${project_id}`] : []),
    ];
    return `${stream} (${where.join(', ')})`;
  };
  const causes = new Map<string, Judged[]>();
  for (const kind of KINDS) {
    for (const one of [...wrong, ...off].filter(({ judgement }) => judgement.standing === kind)) {
      const { note } = one.judgement;
      const cause = note === null ? kind : `${kind}: ${note}`;
      causes.set(cause, [...(causes.get(cause) ?? []), one]);
    }
  }
  const all = [...causes].map(([cause, tables]) => `${upTo(MOST, tables.map(place))}: ${cause}`);
  const lines = all.length > MOST ? [...all.slice(0, MOST), `and ${all.length - MOST} other causes`] : all;
  const read = counted(judged.length - off.length, 'table');
  return wrong.length === 0
    ? {
        ok: true,
        lines: [`All ${read} fresh and proven${off.length > 0 ? `, ${off.length} not published` : ''}.`, ...lines],
      }
    : { ok: false, lines: [`${wrong.length} of ${counted(judged.length, 'table')} not fresh and proven:`, ...lines] };
}

/** Names with commas; those beyond `most` as a number. */
function upTo(most: number, names: readonly string[]): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
