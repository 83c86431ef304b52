import type { Config } from '../config/config.ts';
import { certificateLimitMsOf } from '../config/streams.ts';
import { describeCertificate } from '../core/certificate.ts';
import type { Refusal } from '../core/errors.ts';
import { byGroup, type Group, type Stream } from '../core/stream/stream.ts';
import { age, counted } from '../core/text.ts';
import { isServed, projectsOfOthers } from '../postgres/queries/overview.ts';
import { type CountedState, readCountedStates, whyUnavailable } from '../postgres/queries/stream-state.ts';
import { migrationState } from '../postgres/schema/migrate.ts';
import { streams } from '../streams/index.ts';
import { nextTick } from '../sync/service/cron.ts';
import { type Context, EXIT, type ExitCode, onDatabase, unknownProject } from './context.ts';
import { table, wrapped } from './output.ts';

export interface StatusFlags {
  readonly check?: boolean;
  /** Show every table of this project, regardless of their number. */
  readonly project?: string;
}

/**
 * `security-sync status`: first what is wrong, then for each stream and scope the age of its content, its rows, and how
 * it was proven. With `--check`, exit code 1 unless all tables are fresh and proven.
 */
export async function status(context: Context, { check = false, project }: StatusFlags): Promise<ExitCode> {
  return onDatabase(context, { needsAccounts: false }, async ({ pool }, config) => {
    const isAbsent = (await migrationState(pool)) === 'absent';
    const states = isAbsent ? [] : await readCountedStates(pool, streams);
    const judged = judgeAll(states, streams, config);
    const own = config.scopes.map(({ projectId }) => projectId);
    const known = [...new Set([...own, ...states.map(({ project_id }) => project_id)])];
    if (project !== undefined && !known.includes(project)) throw unknownProject(project, 'configured or stored', known);
    const served = !isAbsent && (await isServed(pool, own));
    const nextRuns = new Map(streams.map(({ name }) => [name, nextRun(name, config.streams[name]?.schedule)]));
    const next = (name: string) => (served ? (nextRuns.get(name) ?? null) : null);
    const others = isAbsent || own.length === 0 ? [] : await projectsOfOthers(pool, own);
    const unconfigured = notConfigured(states, config).filter((id) => !others.includes(id));
    const verdict = states.length === 0 ? NOTHING_READ : verdictOf(judged);
    const judgements = new Map(judged.map(({ state, judgement }) => [state, judgement]));
    const listed = states.map((state) => {
      // Without judgement: a stream that is disabled, and a project that is not configured.
      const { standing, note } = judgements.get(state) ?? { standing: null, note: null };
      return { ...state, standing, note, next_run: next(state.stream) };
    });
    const never = judged.filter(({ state }) => state === null);
    const document = {
      ok: verdict.ok,
      verdict: verdict.lines,
      service_running: served,
      streams: listed,
      never_read: never.map(({ stream, project_id, account, region }) => ({ stream, project_id, account, region })),
      not_configured: unconfigured,
      of_other_services: others,
    };
    context.answer(document, () =>
      show({ verdict: verdict.lines, judged, unconfigured, others, next, served, project }),
    );
    return check && !verdict.ok ? EXIT.incomplete : EXIT.ok;
  });
}

function withoutService(read: readonly Judged[]): string {
  return read.some(({ state }) => state?.status === 'running')
    ? 'No service runs on this database; a one-off command is running at the moment.'
    : 'No service runs on this database: nothing is read until it is started.';
}

const NOTHING_READ = { ok: false, lines: ['Nothing has been synced yet. Run security-sync sync.'] };

function nextRun(name: string, configured: string | undefined): string | null {
  const schedule = configured ?? streams.find((stream) => stream.name === name)?.schedule;
  return schedule === undefined ? null : (nextTick(schedule)?.toISOString() ?? null);
}

/** Projects that were read once but are no longer configured. Empty if no project is configured at all. */
function notConfigured(rows: readonly CountedState[], { scopes }: Config): readonly string[] {
  if (scopes.length === 0) return [];
  const configured = new Set(scopes.map(({ projectId }) => projectId));
  return [...new Set(rows.map((row) => row.project_id))].filter((id) => !configured.has(id));
}

interface StatusOutput {
  readonly verdict: readonly string[];
  readonly judged: readonly Judged[];
  readonly unconfigured: readonly string[];
  readonly others: readonly string[];
  readonly next: (stream: string) => string | null;
  readonly served: boolean;
  readonly project: string | undefined;
}

/** At most 80 columns, to fit into any terminal and into tickets. */
function show({ verdict, judged, unconfigured, others, next, served, project }: StatusOutput): string {
  const [first = '', ...causes] = verdict;
  const chosen = judged.filter(({ project_id }) => project === undefined || project_id === project);
  const read = chosen.filter(({ state }) => state !== null);
  const isShort = project === undefined && judged.length > MOST_TABLES;
  return [
    first,
    ...causes.map((cause) => wrapped(`  ${cause}`, { indent: '    ' })),
    ...(read.length === 0 || served ? [] : [withoutService(read)]),
    ...(isShort ? groupLines(judged) : [...tables(chosen, next), ...proofs(read)]),
    ...unconfirmed(read),
    ...rejects(read),
    ...advice(unconfigured),
    ...neighbours(others),
  ].join('\n');
}

/** With more tables than this, one line sums up each group. */
const MOST_TABLES = 40;

/** One line for each group: number of tables, how many are well, oldest proof and oldest data. */
function groupLines(judged: readonly Judged[]): readonly string[] {
  const rows = byGroup(judged, ({ group }) => group).map(([group, ones]) => {
    const oldest = (name: 'certificate_age_seconds' | 'age_seconds') => {
      const ages = ones.flatMap(({ state }) => state?.[name] ?? []);
      return ages.length === 0 ? null : inWords(Math.max(...ages));
    };
    return {
      group,
      tables: ones.length,
      fresh: ones.filter(({ judgement }) => judgement.standing === 'fresh').length,
      'oldest proof': oldest('certificate_age_seconds'),
      'oldest data': oldest('age_seconds'),
      rows: ones.reduce((sum, { state }) => sum + (state?.rows ?? 0), 0),
    };
  });
  return ['', table(rows), '', 'Each table of a project: security-sync status --project ID'];
}

/** One table for each project, titled with the account. */
function tables(judged: readonly Judged[], next: StatusOutput['next']): readonly string[] {
  const projects = Map.groupBy(judged, ({ project_id }) => project_id);
  return [...projects.values()].flatMap((ones) => {
    if (ones.every(({ state }) => state === null)) return [];
    const [{ account, region, project_id } = { account: '', region: '', project_id: '' }] = ones;
    const rows = ones.map(({ stream, state, judgement }) => ({
      stream,
      state: state?.status === 'running' && judgement.standing === 'fresh' ? 'running' : judgement.standing,
      age: inWords(state?.age_seconds ?? null),
      target: inWords(state?.target_seconds ?? null),
      rows: state?.rows ?? null,
      next: next(stream)?.slice(11, 16) ?? null,
    }));
    return ['', wrapped(`Account ${account}, ${region}, project ${project_id}:`, { indent: '  ' }), table(rows)];
  });
}

/** How completeness was proven and under which premises: one entry for all tables with the same proof. */
function proofs(read: readonly Judged[]): readonly string[] {
  const texts = read.flatMap(({ stream, state }) => {
    if (state === null || state.proof_text === null) return [];
    const { proof_text, premises } = state;
    return [{ stream, text: `${proof_text}${premises === null ? '' : `; assuming that ${premises}`}.` }];
  });
  const same = Map.groupBy(texts, ({ text }) => text);
  if (same.size === 0) return [];
  const lines = [...same].map(([text, ones]) => {
    const names = [...new Set(ones.map(({ stream }) => stream))].join(', ');
    return wrapped(`  ${names}: ${text}`, { indent: '    ' });
  });
  return ['', 'How they were last proven complete:', ...lines];
}

function unconfirmed(read: readonly Judged[]): readonly string[] {
  return read.flatMap(({ stream, project_id, state }) => {
    if (state === null || state.unconfirmed === 0) return [];
    const gone = counted(state.unconfirmed, 'row');
    const text = `${stream} (project ${project_id}): the API no longer lists ${gone}. They will be marked as gone when later full walks confirm it. To mark them now:`;
    return ['', wrapped(text), `  security-sync sync ${stream} --accept-shrink`];
  });
}

function rejects(read: readonly Judged[]): readonly string[] {
  const lines = read.flatMap(({ stream, project_id, state }) =>
    state === null || state.rejects === 0 ? [] : [wrapped(`  ${stream} (project ${project_id}): ${state.rejects}`)],
  );
  return lines.length === 0 ? [] : ['', 'Rejected records (sync.rejected_records):', ...lines];
}

function advice(unconfigured: readonly string[]): readonly string[] {
  if (unconfigured.length === 0) return [];
  const text = `Not configured: ${unconfigured.join(', ')}. To remove a project and all its rows:`;
  return ['', wrapped(text), '  security-sync reset --project ID'];
}

function neighbours(others: readonly string[]): readonly string[] {
  if (others.length === 0) return [];
  return ['', wrapped(`Read by a service of another configuration, and not judged here: ${others.join(', ')}.`)];
}

function inWords(seconds: number | null): string | null {
  return seconds === null ? null : age(seconds * 1000);
}

/** Most urgent first. */
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

/** The state of a table and the reason. `note` is null if the word alone says enough. */
export interface TableStatus {
  readonly standing: Standing;
  readonly note: string | null;
}

export interface Judged {
  readonly stream: string;
  readonly group: Group;
  readonly project_id: string;
  readonly account: string;
  readonly region: string;
  /** Null if it is configured but was never read. */
  readonly state: CountedState | null;
  readonly judgement: TableStatus;
}

/** Checks failed before stale before late: the first that applies usually causes the others. */
function judge(state: CountedState, stream: Stream, config: Pick<Config, 'streams'>): TableStatus {
  const { status, error, age_seconds, target_seconds, certificate_age_seconds } = state;
  if (status === 'failed') return { standing: 'failed', note: error };
  if (status === 'abandoned')
    return { standing: 'abandoned', note: 'its last process died or froze; the next run continues' };
  if (isForgotten(state, stream))
    return { standing: 'unproven', note: 'reset: its next run reads it again and proves it' };
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

/**
 * A list without a parent is always remembered once it was read. For a child stream, an empty table may mean that it
 * has no lists.
 */
function isForgotten({ remembered, rows }: CountedState, { parent }: Stream): boolean {
  return !remembered && (parent === undefined || rows > 0);
}

function certificateOf(state: CountedState): string {
  return describeCertificate({ ...state, kind: state.certificate ?? 'incomplete' });
}

/**
 * Judges every configured stream in every configured project, whether read or not; without any configured project, what
 * was read. Ignores streams that are disabled and projects that are no longer configured.
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
      const judgement: TableStatus =
        refusal !== null
          ? { standing: refusal, note: UNAVAILABLE[refusal] }
          : state === null
            ? { standing: 'never read', note: null }
            : judge(state, stream, config);
      return [{ stream: stream.name, group: stream.group, project_id, account, region, state, judgement }];
    }),
  );
}

/** Read again daily. The error differs between lists; the log and `--json` have it. */
const UNAVAILABLE: Readonly<Record<Refusal, string>> = {
  'no permission':
    'the credentials have no permission for it. It is tried once a day, and by security-sync sync. Grant the role, or disable the stream (streams.groups)',
  'not published':
    'its API is not published in this region. It is tried once a day. This is not counted as a problem. Disable the stream (streams.groups) if you do not need it',
};

/** Most names in a line, and most lines in a verdict; `--json` has all of them. */
const MAX_ENTRIES = 12;

/**
 * The problems, worst first: one line for each cause with the tables it affects. Without problems, one line that says
 * so.
 */
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
  const all = [...causes].map(([cause, tables]) => `${upTo(MAX_ENTRIES, tables.map(place))}: ${cause}`);
  const lines =
    all.length > MAX_ENTRIES ? [...all.slice(0, MAX_ENTRIES), `and ${all.length - MAX_ENTRIES} other causes`] : all;
  const except = off.length > 0 ? `, except ${off.length} not published` : '';
  const are = wrong.length === 1 ? 'is' : 'are';
  const head =
    wrong.length === 0
      ? `All tables (${judged.length - off.length}) are fresh and proven${except}.`
      : `${wrong.length} of ${counted(judged.length, 'table')} ${are} not fresh and proven:`;
  return { ok: wrong.length === 0, lines: [head, ...lines] };
}

/** Names joined with commas; beyond `most` only their number. */
function upTo(most: number, names: readonly string[]): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
