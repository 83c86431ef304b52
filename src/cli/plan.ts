import type { App } from '../app.ts';
import { contentPolicyOf, targetMsOf } from '../config/target.ts';
import type { Scope } from '../core/account.ts';
import { isHot } from '../core/due.ts';
import { type Forecast, forecast } from '../core/forecast.ts';
import { fixedListings } from '../core/listing.ts';
import { inOrder } from '../core/plan.ts';
import type { Stream } from '../core/stream.ts';
import { counted } from '../core/words.ts';
import { tickEveryMs } from '../sync/cron.ts';
import { type Context, EXIT, type ExitCode, withApp } from './context.ts';
import { age, table } from './table.ts';

interface LanePlan extends Forecast {
  readonly account: string;
  readonly stream: string;
  readonly lists: number;
  readonly hot: number;
  readonly rows: number;
  readonly targetMs: number;
  readonly meetsTarget: boolean;
}

/** `security-sync plan`: how fresh each stream can be kept under the quota, and what that costs. Sends no request. */
export async function plan(context: Context): Promise<ExitCode> {
  return withApp(context, { quiet: true, makes: 'temporary' }, async (app) => {
    const lanes: LanePlan[] = [];
    for (const account of app.config.accounts) {
      const scopes = app.config.scopes.filter((scope) => scope.account === account.name);
      for (const stream of inOrder(app.streams))
        lanes.push(await laneOf(app, stream, scopes, account.name, account.requestsPerMinute));
    }
    const ok = lanes.every(({ meetsTarget }) => meetsTarget);
    context.answer({ ok, lanes }, () => show(lanes));
    return EXIT.ok;
  });
}

async function laneOf(
  { store, config, engine }: App,
  stream: Stream,
  scopes: readonly Scope[],
  account: string,
  requestsPerMinute: number,
): Promise<LanePlan> {
  const hot: number[] = [];
  let cold = 0;
  for (const scope of scopes) {
    const listings =
      stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
    const states = await store.states(stream, scope);
    for (const listing of listings) {
      const state = states.get(listing.key) ?? null;
      if (isHot(listing, state)) hot.push(state?.checkpoint?.total ?? 0);
      else cold += 1;
    }
  }
  const settings = config.streams[stream.name];
  const targetMs = targetMsOf(config, stream);
  const expected = forecast({
    hot,
    cold,
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
    lists: hot.length + cold,
    hot: hot.length,
    rows: hot.reduce((sum, rows) => sum + rows, 0),
    targetMs,
    meetsTarget,
    ...expected,
  };
}

function show(lanes: readonly LanePlan[]): string {
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
    `${counted(Math.round(total), 'request')} an hour in all, once everything is certified.`,
    ...advice,
  ].join('\n');
}
