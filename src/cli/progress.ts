import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Scope } from '../core/account.ts';
import { fullWalkRequests } from '../core/plan.ts';
import type { Quota } from '../core/ports.ts';
import type { RunReport } from '../core/store.ts';
import type { Stream } from '../core/stream.ts';
import type { RunOptions } from '../sync/run-stream.ts';
import type { Context } from './context.ts';

/** From this length on a first load is announced. */
const LONG_LOAD_MINUTES = 2;
const REDRAW_MS = 200;

interface Line {
  readonly name: string;
  readonly operation: string;
  readonly startedAt: number;
  listings: number;
  listingsDone: Set<string>;
  rows: number;
  total: number | null;
  waiting: boolean;
}

export interface ProgressDisplay {
  /** Whether anything is shown: on a terminal, without `--json`. */
  readonly visible: boolean;
  watch(stream: Stream, scope: Scope, config: Config, logger: Logger): Pick<RunOptions, 'onPage' | 'onListings'>;
  readonly watchQuota: (quota: Quota) => Quota;
  done(report: Pick<RunReport, 'stream' | 'project_id'>): void;
  stop(): void;
}

/** One line for each stream that is being read, redrawn in place on a terminal; elsewhere only the log speaks. */
export function startProgress({ json }: Pick<Context, 'json'>): ProgressDisplay {
  const visible = process.stderr.isTTY === true && !json;
  const lines = new Map<string, Line>();
  let drawn = 0;
  const clear = () => {
    if (drawn > 0) process.stderr.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = () => {
    clear();
    const text = [...lines.values()].map(show);
    drawn = text.length;
    if (drawn > 0) process.stderr.write(`${text.join('\n')}\n`);
  };
  const timer = visible ? setInterval(draw, REDRAW_MS) : null;
  timer?.unref();

  return {
    visible,
    watch(stream, scope, config, logger) {
      const key = `${stream.name}/${scope.projectId}`;
      const line: Line = {
        name: stream.name,
        operation: `${stream.endpoint.method} ${stream.endpoint.paths[0]}`,
        startedAt: Date.now(),
        listings: 1,
        listingsDone: new Set(),
        rows: 0,
        total: null,
        waiting: false,
      };
      lines.set(key, line);
      const perMinute = config.accounts.find(({ name }) => name === scope.account)?.requestsPerMinute ?? 5;
      const announce = (requests: number, what: string) => {
        const minutes = Math.ceil(requests / perMinute);
        if (minutes < LONG_LOAD_MINUTES) return;
        const message = `${stream.name}: ${what}, ${requests} requests at ${perMinute} a minute: about ${minutes} minutes`;
        if (visible) {
          clear();
          process.stderr.write(`${message}\n`);
        } else logger.info({ stream: stream.name, requests, minutes }, message);
      };
      let announced = false;
      return {
        onListings(listings) {
          line.listings = listings.length;
          if (listings.length > 1) announce(listings.length, `${listings.length} lists`);
        },
        onPage({ listing, offset, total }) {
          line.listingsDone.add(listing.key);
          line.rows = line.listings === 1 ? offset : line.rows;
          line.total = line.listings === 1 ? total : null;
          if (!announced && line.listings === 1 && total !== null) {
            announced = true;
            announce(fullWalkRequests(total, stream.paging.limit), `${total} rows`);
          }
        },
      };
    },
    watchQuota: (quota) => ({
      async acquire(account, operation, requestsPerMinute, signal) {
        const mine = [...lines.values()].filter((line) => line.operation === operation);
        for (const line of mine) line.waiting = true;
        try {
          return await quota.acquire(account, operation, requestsPerMinute, signal);
        } finally {
          for (const line of mine) line.waiting = false;
        }
      },
    }),
    done(report) {
      lines.delete(`${report.stream}/${report.project_id}`);
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      clear();
    },
  };
}

function show({ name, listings, listingsDone, rows, total, startedAt, waiting }: Line): string {
  const seconds = Math.max(1, (Date.now() - startedAt) / 1000);
  const amount =
    listings === 1
      ? `${rows}${total === null ? '' : ` of ${total}`} rows, ${Math.round(rows / seconds)}/s`
      : `${listingsDone.size} of ${listings} lists`;
  return `${name.padEnd(36)} ${amount}${waiting ? ', waiting for quota' : ''}`;
}
