import type { App } from '../app.ts';
import { contentPolicyOf, targetMsOf } from '../config/schedule.ts';
import type { Account } from '../core/account.ts';
import { type Forecast, forecast } from '../core/due.ts';
import { byGroup, type Group, inOrder, type Stream } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { tickEveryMs } from '../sync/service/cron.ts';
import { type Context, EXIT, type ExitCode, withApp } from './context.ts';
import { LoadSizes } from './load-sizes.ts';
import { age, table } from './table.ts';

interface LanePlan extends Forecast {
  readonly account: string;
  readonly stream: string;
  readonly group: Group;
  /** Streams it is read for although it is not switched on itself. */
  readonly neededBy: readonly string[];
  readonly lists: number;
  readonly hot: number;
  readonly rows: number;
  readonly targetMs: number;
  readonly meetsTarget: boolean;
  /** In one of its scopes at least: lists and rows are what the API says they are, of children an estimate. */
  readonly neverRead: boolean;
  /** Why the API did not say how large its lists are. */
  readonly problems: readonly string[];
}

/**
 * `security-sync plan`: how fresh each stream can be kept under the quota, and what that costs. Asks the API for the size of what was
 * never read; else sends no request.
 */
export async function plan(context: Context): Promise<ExitCode> {
  return withApp(context, { quiet: true, makes: 'temporary' }, async (app) => {
    const lanes: LanePlan[] = [];
    const sizes = new LoadSizes(app, context);
    for (const account of app.config.accounts) {
      for (const stream of inOrder(app.streams)) lanes.push(await laneOf({ app, sizes, account }, stream));
    }
    const ok = lanes.every(({ meetsTarget }) => meetsTarget);
    const first = firstLoadMs(app.streams, lanes);
    context.answer({ ok, first_load_ms: first, lanes }, () => show(lanes, first));
    return EXIT.ok;
  });
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
  const expected = forecast({
    hot,
    cold,
    closed: { rows: closed, areReread: stream.appendOnly !== true },
    limit: stream.paging.limit,
    scheduleEveryMs: tickEveryMs(settings?.schedule ?? stream.schedule),
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
    targetMs,
    meetsTarget,
    neverRead: unread.length > 0,
    problems: unread.flatMap((size) => (typeof size === 'object' ? [size.problem] : [])),
    ...expected,
  };
}

/**
 * Until every table is filled. Lanes have a quota each and are read side by side, children after their parents. Null once
 * everything was read, and where the API did not say how much there is.
 */
function firstLoadMs(streams: readonly Stream[], lanes: readonly LanePlan[]): number | null {
  if (!lanes.some(({ neverRead }) => neverRead) || lanes.some(({ problems }) => problems.length > 0)) return null;
  const parentOf = (name: string) => streams.find((stream) => stream.name === name)?.parent?.stream.name;
  const ends = ({ account, stream, firstLoadMs: own }: LanePlan): number => {
    const parent = parentOf(stream);
    const above = lanes.find((lane) => lane.account === account && lane.stream === parent);
    return own + (above === undefined ? 0 : ends(above));
  };
  return Math.max(...lanes.map(ends));
}

function show(lanes: readonly LanePlan[], first: number | null): string {
  const rows = lanes.map((lane) => ({
    account: lane.account,
    stream: lane.stream,
    lists: lane.lists,
    hot: lane.hot,
    rows: lane.rows,
    'first load': age(lane.firstLoadMs),
    'requests/h': Number(lane.perHour.toFixed(1)),
    'of quota': `${Math.round(lane.share * 100)} %`,
    'look at most': lane.ageMs === null ? 'cannot keep up' : age(lane.ageMs),
    'age at most': lane.contentAgeMs === null ? 'cannot keep up' : age(lane.contentAgeMs),
    target: age(lane.targetMs),
  }));
  const late = lanes.filter(({ meetsTarget }) => !meetsTarget);
  const advice = late.map(({ stream, ageMs }) =>
    ageMs === null
      ? `${stream}: the quota does not pay for its full walks; raise reconcileEvery, or requestsPerMinute if yours is higher`
      : `${stream}: older than its target; poll it more often (schedule), give full readings more (fullReads.share), or read fewer projects with this account`,
  );
  const total = lanes.reduce((sum, { perHour }) => sum + perHour, 0);
  return [
    table(rows),
    ...groupTotals(lanes),
    ...neededOnly(lanes),
    ...(first === null ? [] : [`The first load takes about ${age(first)}; rows can be queried as they come.`]),
    ...estimates(lanes),
    `${counted(Math.round(total), 'request')} an hour in all, once everything is certified.`,
    ...advice,
  ].join('\n');
}

/** What each group costs and the oldest it lets its data get; nothing where there is one group only. */
function groupTotals(lanes: readonly LanePlan[]): readonly string[] {
  const groups = byGroup(lanes, ({ group }) => group);
  if (groups.length < 2) return [];
  const rows = groups.map(([group, own]) => ({
    group,
    streams: new Set(own.map(({ stream }) => stream)).size,
    'requests/h': Number(own.reduce((sum, { perHour }) => sum + perHour, 0).toFixed(1)),
    'age at most': oldest(own),
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
    by.length === 0 ? [] : [`${stream} is not switched on, and is read because ${by.join(', ')} needs its rows.`],
  );
}

function estimates(lanes: readonly LanePlan[]): readonly string[] {
  const problems = new Set(
    lanes.flatMap(({ stream, problems: own }) => own.map((problem) => `${stream}, size unknown: ${problem}`)),
  );
  if (!lanes.some(({ neverRead }) => neverRead)) return [];
  return [
    'Some streams were never read: their lists and rows are what the API counts now. Which lists of a parent change often',
    'is known after the first load; run plan again then.',
    ...problems,
  ];
}
