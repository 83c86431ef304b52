import type { App } from '../app.ts';
import { contentPolicyOf, targetMsOf } from '../config/streams.ts';
import type { Account, Scope } from '../core/account.ts';
import { type Forecast, forecast, isHot } from '../core/due.ts';
import { coerceError, SyncError, Unreachable } from '../core/errors.ts';
import { fixedListings, type Listing } from '../core/stream/endpoint.ts';
import { byGroup, type Group, inOrder, type Stream, type StreamScope } from '../core/stream/stream.ts';
import { age, counted } from '../core/text.ts';
import { PageReader } from '../sync/run/page-reader.ts';
import { windowsOf } from '../sync/run/read-windows.ts';
import { tickEveryMs } from '../sync/service/cron.ts';
import { type Context, EXIT, type ExitCode, withApp } from './context.ts';
import { table } from './output.ts';

interface LanePlan extends Forecast {
  readonly account: string;
  readonly stream: string;
  readonly group: Group;
  /** Enabled streams that need the rows of this one, which is not enabled itself. */
  readonly neededBy: readonly string[];
  readonly lists: number;
  readonly hot: number;
  readonly rows: number;
  readonly scheduleEveryMs: number;
  readonly targetMs: number;
  readonly meetsTarget: boolean;
  /**
   * True if the stream was never read in at least one scope. The API then reports the size of its lists; sizes of child
   * lists are estimates.
   */
  readonly neverRead: boolean;
  /** Why the API did not report the size of its lists. */
  readonly problems: readonly string[];
}

/**
 * `security-sync plan`: how fresh each stream can be kept under the quota, and what that costs. Asks the API only for
 * the size of streams that were never read.
 */
export async function plan(context: Context): Promise<ExitCode> {
  return withApp(context, { quiet: true, creation: 'temporary' }, async (app) => {
    const lanes: LanePlan[] = [];
    const sizes = new LoadSizes(app, context);
    for (const account of app.config.accounts) {
      for (const stream of inOrder(app.streams)) lanes.push(await laneOf({ app, sizes, account }, stream));
    }
    const ok = lanes.every((lane) => lane.meetsTarget && !isUnknown(lane));
    const first = firstLoadMs(app.streams, lanes);
    context.answer({ ok, first_load_ms: first, lanes }, () => show(lanes, first));
    return knowsNothing(lanes) ? EXIT.incomplete : EXIT.ok;
  });
}

function isUnknown({ problems }: LanePlan): boolean {
  return problems.length > 0;
}

/** No list of any project told its size. */
function knowsNothing(lanes: readonly LanePlan[]): boolean {
  return lanes.length > 0 && lanes.every((lane) => isUnknown(lane) && lane.lists === 0);
}

interface LaneOf {
  readonly app: App;
  readonly sizes: LoadSizes;
  readonly account: Account;
}

async function laneOf({ app, sizes, account: { name: account, requestsPerMinute } }: LaneOf, stream: Stream) {
  const { config, engine } = app;
  const scopes = config.scopes.filter((scope) => scope.account === account);
  const found = await Promise.all(scopes.map((scope) => sizes.of(stream, scope)));
  const hot = found.flatMap((size) => size.hot);
  const cold = found.reduce((sum, size) => sum + size.cold, 0);
  const closed = found.flatMap((size) => size.closed ?? []);
  const unread = found.flatMap((size) => size.unread ?? []);
  const settings = config.streams[stream.name];
  const targetMs = targetMsOf(config, stream);
  const scheduleEveryMs = tickEveryMs(settings?.schedule ?? stream.schedule);
  const expected = forecast({
    hot,
    cold,
    closed: { rows: closed, areReread: stream.appendOnly !== true },
    limit: stream.paging.limit,
    scheduleEveryMs,
    reconcileEveryMs: engine.reconcileEveryMs(stream),
    requestsPerMinute,
    pollsShowAll: stream.version !== undefined || stream.appendOnly === true,
    content: contentPolicyOf(config, stream, scopes[0] ?? { account }),
  });
  const meetsTarget = expected.contentAgeMs !== null && expected.contentAgeMs <= targetMs;
  return {
    account,
    stream: stream.name,
    group: stream.group,
    neededBy: settings?.neededBy ?? [],
    lists: hot.length + cold,
    hot: hot.length,
    rows: [...hot, ...closed].reduce((sum, rows) => sum + rows, 0),
    scheduleEveryMs,
    targetMs,
    meetsTarget,
    neverRead: unread.length > 0,
    problems: unread.flatMap((size) => (typeof size === 'object' ? [size.problem] : [])),
    ...expected,
  };
}

/**
 * Time until every table is loaded, in ms. Lanes have separate quotas and run in parallel; children run after their
 * parents. Null if everything was read before, or if the API did not report a size.
 */
function firstLoadMs(streams: readonly Stream[], lanes: readonly LanePlan[]): number | null {
  if (!lanes.some(({ neverRead }) => neverRead) || lanes.some(isUnknown)) return null;
  const parentOf = (name: string) => streams.find((stream) => stream.name === name)?.parent?.stream.name;
  const ends = ({ account, stream, firstLoadMs: own }: LanePlan): number => {
    const parent = parentOf(stream);
    const above = lanes.find((lane) => lane.account === account && lane.stream === parent);
    return own + (above === undefined ? 0 : ends(above));
  };
  return Math.max(...lanes.map(ends));
}

function show(lanes: readonly LanePlan[], first: number | null): string {
  if (knowsNothing(lanes)) return problemsOf(lanes).join('\n');
  const rows = lanes.map((lane) => ({
    account: lane.account,
    stream: lane.stream,
    lists: lane.lists,
    hot: lane.hot,
    rows: lane.rows,
    'first load': age(lane.firstLoadMs),
    'requests/h': Number(lane.perHour.toFixed(1)),
    'of quota': `${Math.round(lane.share * 100)} %`,
    'new rows within': lane.ageMs === null ? 'cannot keep up' : age(lane.ageMs),
    'changes within': lane.contentAgeMs === null ? 'cannot keep up' : age(lane.contentAgeMs),
    target: age(lane.targetMs),
  }));
  const late = lanes.filter(({ meetsTarget }) => !meetsTarget);
  const advice = late.map(({ stream, ageMs }) =>
    ageMs === null
      ? `${stream}: the quota is too small for its full walks; raise reconcileEvery, or requestsPerMinute if Huawei Cloud allows this account more`
      : `${stream}: older than its target; poll it more often (schedule), raise fullReads.share, or read fewer projects with this account`,
  );
  const total = lanes.reduce((sum, { perHour }) => sum + perHour, 0);
  return [
    table(rows),
    ...groupTotals(lanes),
    ...neededOnly(lanes),
    ...cycles(lanes),
    ...(first === null ? [] : [`The first load takes about ${age(first)}; rows can be queried as they come.`]),
    ...estimates(lanes),
    `${counted(Math.round(total), 'request')} an hour in all, once everything is certified.`,
    ...advice,
  ].join('\n');
}

/** How long the lists of a lane take that cannot all be read between two runs. */
function cycles(lanes: readonly LanePlan[]): readonly string[] {
  return lanes.flatMap(({ stream, lists, cycleMs, scheduleEveryMs }) =>
    lists < 2 || cycleMs <= scheduleEveryMs
      ? []
      : [
          `${stream}: ${counted(lists, 'list')} in turn, the one read longest ago first; a full cycle takes ${age(cycleMs)}.`,
        ],
  );
}

/** Cost and oldest data of each group; empty if there is only one group. */
function groupTotals(lanes: readonly LanePlan[]): readonly string[] {
  const groups = byGroup(lanes, ({ group }) => group);
  if (groups.length < 2) return [];
  const rows = groups.map(([group, own]) => ({
    group,
    streams: new Set(own.map(({ stream }) => stream)).size,
    'requests/h': Number(own.reduce((sum, { perHour }) => sum + perHour, 0).toFixed(1)),
    'changes within': oldest(own),
    late: own.filter(({ meetsTarget }) => !meetsTarget).length,
  }));
  return ['', table(rows), ''];
}

function oldest(lanes: readonly LanePlan[]): string {
  const ages = lanes.flatMap(({ contentAgeMs }) => contentAgeMs ?? []);
  return ages.length < lanes.length ? 'cannot keep up' : age(Math.max(...ages));
}

function neededOnly(lanes: readonly LanePlan[]): readonly string[] {
  const needed = new Map(lanes.map(({ stream, neededBy }) => [stream, neededBy]));
  return [...needed].flatMap(([stream, by]) =>
    by.length === 0
      ? []
      : [
          `${stream} is not enabled, but is read because ${by.join(', ')} ${by.length === 1 ? 'needs' : 'need'} its rows.`,
        ],
  );
}

function estimates(lanes: readonly LanePlan[]): readonly string[] {
  if (!lanes.some(({ neverRead }) => neverRead)) return [];
  return [
    "Some streams have never been read, so their sizes are the API's current counts.",
    'Which child lists are polled is known after the first load; run plan again then.',
    ...problemsOf(lanes),
  ];
}

/** Why sizes are unknown: one line for each reason, with the streams. */
function problemsOf(lanes: readonly LanePlan[]): readonly string[] {
  const streamsOf = new Map<string, Set<string>>();
  for (const { stream, problems } of lanes) {
    for (const problem of problems) streamsOf.set(problem, (streamsOf.get(problem) ?? new Set()).add(stream));
  }
  return [...streamsOf].map(([problem, names]) => `${[...names].join(', ')}, size unknown: ${problem}`);
}

/** What a stream has to read in one scope. */
export interface LoadSize {
  /** Rows of each hot listing. */
  readonly hot: readonly number[];
  /** Rows of each closed window, for lists read in time windows; `hot` then has the newest windows. */
  readonly closed?: readonly number[];
  /**
   * Number of listings that rarely change. Before the first load these are all children, since their contents are
   * unknown.
   */
  readonly cold: number;
  /**
   * Set if the database remembers nothing of the stream in this scope: how the size was found, or why it is unknown.
   * Else null.
   */
  readonly unread: 'asked' | 'estimated' | { readonly problem: string } | null;
}

export class LoadSizes {
  readonly #app: App;
  readonly #api: ApiAccess;
  /** By stream and project: children look up the size of their parents again. */
  readonly #sizes = new Map<string, Promise<LoadSize>>();

  /** Hosts that did not respond, and accounts that were refused, with the reason: they are not asked again. */
  readonly #failed = new Map<string, string>();
  readonly #say: Context['say'];

  constructor(app: App, { signal, say }: Pick<Context, 'signal' | 'say'>) {
    this.#app = app;
    this.#api = { source: app.source, signal };
    this.#say = say;
  }

  /**
   * The size from the database. For a stream that was never read, the size from the API: one request for each fixed
   * list.
   */
  of(stream: Stream, scope: Scope): Promise<LoadSize> {
    const key = `${stream.name} ${scope.projectId}`;
    const known = this.#sizes.get(key) ?? this.#find(stream, scope);
    this.#sizes.set(key, known);
    return known;
  }

  async #find(stream: Stream, scope: Scope): Promise<LoadSize> {
    const { store } = this.#app;
    const states = await store.states(stream, scope);
    if (states.size === 0 && stream.parent === undefined) return this.#ask(stream, scope);
    if (states.size === 0 && stream.parent !== undefined) {
      const above = await this.of(stream.parent.stream, scope);
      if (above.unread !== null) return childrenOf(above, stream.parent.listings?.length ?? 1);
    }
    const listings =
      stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
    const hot: number[] = [];
    const closed: number[] = [];
    for (const listing of listings) {
      const state = states.get(listing.key) ?? null;
      if (!isHot(listing, state)) continue;
      const windows = windowsOf(this.#app.engine, { stream, listing, states });
      const [newest = 0, ...older] = windows.map(({ state: known }) => known?.checkpoint?.total ?? 0);
      hot.push(windows.length === 0 ? (state?.checkpoint?.total ?? 0) : newest);
      closed.push(...older);
    }
    return { hot, closed, cold: listings.length - hot.length, unread: states.size === 0 ? 'estimated' : null };
  }

  async #ask(stream: Stream, scope: Scope): Promise<LoadSize> {
    const hot: number[] = [];
    const host = `${scope.account} ${scope.region} ${stream.endpoint.service}`;
    const known = this.#failed.get(scope.account) ?? this.#failed.get(host);
    if (known !== undefined) return { hot: [], cold: 0, unread: { problem: known } };
    const closed: number[] = [];
    const lists = fixedListings(stream).map((listing) => {
      const [newest = { listing }, ...older] = windowsOf(this.#app.engine, { stream, listing, states: new Map() });
      return { newest: newest.listing, older: older.map((one) => one.listing) };
    });
    const requests = lists.reduce((sum, { older }) => sum + 1 + older.length, 0);
    this.#say(`Asking the API how long ${stream.name} is: ${counted(requests, 'request')} ...`);
    try {
      for (const { newest, older } of lists) {
        hot.push(await totalOf(this.#api, { stream, scope }, newest));
        for (const one of older) closed.push(await totalOf(this.#api, { stream, scope }, one));
      }
      return { hot, closed, cold: 0, unread: 'asked' };
    } catch (thrown) {
      this.#api.signal.throwIfAborted();
      const error = coerceError(thrown);
      if (error instanceof Unreachable) this.#failed.set(host, error.message);
      if (error instanceof SyncError && error.recovery === 'stop-account')
        this.#failed.set(scope.account, error.message);
      return { hot: [], cold: 0, unread: { problem: error.message } };
    }
  }
}

/** Lists for each row of the parent, as far as the parent's count is known. */
function childrenOf({ hot, cold, unread }: LoadSize, each: number): LoadSize {
  if (unread !== 'asked' && unread !== 'estimated') return { hot: [], cold: 0, unread };
  return { hot: [], cold: (hot.reduce((sum, rows) => sum + rows, 0) + cold) * each, unread: 'estimated' };
}

export interface ApiAccess {
  readonly source: App['source'];
  readonly signal: AbortSignal;
}

/**
 * The number of rows in a list according to the API, by one request. For a list without a count, the rows of its first
 * page.
 */
export async function totalOf({ source, signal }: ApiAccess, { stream, scope }: StreamScope, listing: Listing) {
  const reader = new PageReader({ source, stream, scope, dialect: { generation: null, spellings: {} }, signal });
  const limit = stream.paging.kind === 'page' ? stream.paging.limit : 10;
  const { page } = await reader.read({ listing, at: { offset: 0, limit }, counts: { requests: 0, throttled: 0 } });
  return page.total ?? page.records.length;
}
