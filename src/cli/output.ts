import type { Config } from '../config/config.ts';
import type { Logger, Quota } from '../core/ports.ts';
import type { RunReport } from '../core/store.ts';
import { fullWalkRequests, type StreamScope } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import type { RunOptions } from '../sync/run/run-stream.ts';

/** A first load that is estimated to take at least this long is announced. */
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
  /** Whether progress is shown: on a terminal, without `--json`. */
  readonly visible: boolean;
  watch(at: StreamScope, config: Config, logger: Logger): Pick<RunOptions, 'onPage' | 'onListings'>;
  readonly instrumentQuota: (quota: Quota) => Quota;
  /** Clears the progress lines while `write` writes to the same terminal. */
  around(write: () => void): void;
  done(report: Pick<RunReport, 'stream' | 'project_id'>): void;
  stop(): void;
}

/** The members of a terminal that the display uses. */
export type Screen = Pick<NodeJS.WritableStream, 'write'> &
  Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>>;

/**
 * Shows one line for each stream being read, redrawn in place on a terminal. Without a terminal it writes nothing; the
 * log reports progress.
 */
export function startProgress({ json, screen }: { readonly json: boolean; readonly screen: Screen }): ProgressDisplay {
  const visible = screen.isTTY === true && !json;
  const lines = new Map<string, Line>();
  const drawing = drawingOn(screen);
  const draw = () => drawing.draw([...lines.values()].map(show));
  const timer = visible ? setInterval(draw, REDRAW_MS) : null;
  timer?.unref();
  const around = (write: () => void) => {
    if (!visible) return write();
    drawing.clear();
    write();
    draw();
  };

  return {
    visible,
    around,
    watch({ stream, scope }, config, logger) {
      const line: Line = {
        name: config.scopes.length > 1 ? `${stream.name} ${scope.projectId.slice(0, 8)}` : stream.name,
        operation: `${stream.endpoint.method} ${stream.endpoint.paths[0]}`,
        startedAt: Date.now(),
        listings: 1,
        listingsDone: new Set(),
        rows: 0,
        total: null,
        waiting: false,
      };
      lines.set(`${stream.name}/${scope.projectId}`, line);
      const perMinute = config.accounts.find(({ name }) => name === scope.account)?.requestsPerMinute ?? 5;
      const announce = (requests: number, what: string) => {
        const minutes = Math.ceil(requests / perMinute);
        if (minutes < LONG_LOAD_MINUTES) return;
        const cost = `${counted(requests, 'request')} at ${perMinute} a minute: about ${counted(minutes, 'minute')}`;
        const message = `${stream.name}: ${what}, ${cost}`;
        if (visible) around(() => void screen.write(`${message}\n`));
        else logger.info({ stream: stream.name, requests, minutes }, message);
      };
      let announced = false;
      return {
        onListings(listings) {
          line.listings = listings.length;
          if (listings.length > 1) announce(listings.length, counted(listings.length, 'list'));
        },
        onPage({ listing, offset, total }) {
          // The windows of a list have the same parameters.
          line.listingsDone.add(JSON.stringify(listing.params));
          line.rows = line.listings === 1 ? offset : line.rows;
          line.total = line.listings === 1 ? total : null;
          if (!announced && line.listings === 1 && total !== null) {
            announced = true;
            announce(fullWalkRequests(total, stream.paging.limit), counted(total, 'row'));
          }
        },
      };
    },
    instrumentQuota: (quota) => ({
      async acquire(budget, signal) {
        const mine = [...lines.values()].filter((line) => line.operation === budget.operation);
        for (const line of mine) line.waiting = true;
        try {
          return await quota.acquire(budget, signal);
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
      drawing.clear();
    },
  };
}

/** Draws lines at the bottom of a terminal that can be erased: cut to its width, and at most as many as fit. */
function drawingOn(screen: Screen) {
  let drawn = 0;
  const clear = () => {
    if (drawn > 0) screen.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  return {
    clear,
    draw(texts: readonly string[]) {
      clear();
      const { columns = 80, rows = 24 } = screen;
      const shown = texts.slice(0, rows - 1).map((text) => text.slice(0, columns - 1));
      drawn = shown.length;
      if (drawn > 0) screen.write(`${shown.join('\n')}\n`);
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

/** A text table with columns as wide as their values; numbers are right-aligned. */
export function table(rows: readonly Readonly<Record<string, string | number | null>>[]): string {
  const [first] = rows;
  if (first === undefined) return '(none)';
  const names = Object.keys(first);
  const cells = rows.map((row) => names.map((name) => String(row[name] ?? '-')));
  const widths = names.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const isNumber = names.map((name) => rows.every((row) => typeof row[name] === 'number' || row[name] === null));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, column) => (isNumber[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(names), ...cells.map(line)].join('\n');
}

/**
 * Wraps a text to lines of at most `width` columns; all but the first begin with `indent`. A longer word gets its own
 * line.
 */
export function wrapped(text: string, { width = 80, indent = '' }: { width?: number; indent?: string } = {}): string {
  const lines: string[] = [];
  const [first = '', ...words] = text.trimStart().split(' ');
  let line = `${text.slice(0, text.length - text.trimStart().length)}${first}`;
  for (const word of words) {
    if (line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
