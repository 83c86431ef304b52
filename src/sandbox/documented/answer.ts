import { rowFields } from '../../facts/facts.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../auth/identities.ts';
import { SortedRows } from '../estate/sorted-rows.ts';
import { cutPage } from '../lists/list-page.ts';
import type { Call } from '../server/call.ts';
import { ok, permissionError, type Reply } from '../server/replies.ts';
import { type DocumentedRequest, readRequest } from './request.ts';
import { found, selectRows } from './selection.ts';
import type { DocumentedRow, DocumentedTable } from './table.ts';

/** Answers a documented list: checks the request, selects the rows, cuts the page. */
export function answerDocumented(call: Call, table: DocumentedTable, instanceIds: readonly string[]): Reply {
  const { facts } = table;
  const request = readRequest(facts, call);
  const instance = call.params.instance_id;
  if (instance !== undefined && !instanceIds.includes(instance)) return permissionError('dbss', `instance ${instance}`);
  const rows = rowsAskedFor(table, request, call.settings.now());
  const cap = facts.response[facts.total ?? '']?.max ?? rows.length;
  const numbers = new Uint32Array(rows.length).map((_, index) => index);
  const list = new SortedRows({ time: (row) => rows[row]?.time ?? row, tie: (row) => row }, numbers.subarray(0, cap));
  const behaviour = { order: usualOrder(table, request), ...call.settings.lists[call.operation] };
  // If the documents limit the length of the list in a response, a longer page is silently cut to it.
  const limit = Math.min(request.limit, facts.response[facts.list ?? '']?.maxItems ?? request.limit);
  const page = cutPage(list, { behaviour, offset: request.offset, limit, salt: call.salt });
  const { item } = rowFields(facts);
  const records = page.rows
    .flatMap((row) => rows[row]?.record ?? [])
    .map((record) => (item === undefined ? record : { [item]: record }));
  return ok(
    JSON.stringify({
      ...(facts.total === null ? {} : { [facts.total]: page.total }),
      ...('last_update_time' in facts.response && { last_update_time: table.sorted.at(-1)?.time ?? 0 }),
      [facts.list ?? 'data_list']: records,
    }),
  );
}

/** Newest first if the list has a time, else in generated order. A requested order is already applied to the rows. */
function usualOrder({ entry }: DocumentedTable, { sent }: DocumentedRequest): 'update_desc' | 'asc' {
  if (sent.has('sort_key')) return 'asc';
  return entry.moving === undefined && entry.fixed === undefined ? 'asc' : 'update_desc';
}

/** Parameters that affect the form of the response but not the rows. */
const NO_FILTER = new Set(['sort_key', 'sort_dir', 'region', 'refresh', 'part_match', 'enterprise_project_id']);

/** The rows in the requested order, else oldest first. */
function rowsAskedFor(table: DocumentedTable, { sent }: DocumentedRequest, now: number): readonly DocumentedRow[] {
  const { entry, facts } = table;
  const { window } = entry;
  const windowed = [window?.from, window?.to, window?.last].map((name) => name?.replace(/^body\./, ''));
  const filters = [...sent].filter(([name]) => !NO_FILTER.has(name) && !windowed.includes(name));
  const by = sent.get('sort_key')?.[0];
  const ascending = (sent.get('sort_dir')?.[0] ?? entry.sortedBy ?? 'desc') === 'asc';
  const rows = selectRows(table, { filters, sort: by === undefined ? null : { by, ascending } });
  const project =
    'enterprise_project_id' in facts.parameters
      ? (sent.get('enterprise_project_id')?.[0] ?? '0')
      : ALL_ENTERPRISE_PROJECTS;
  const times = windowed.map((name) => sent.get(name ?? '')?.[0]);
  if (project === ALL_ENTERPRISE_PROJECTS && times.every((time) => time === undefined)) return rows;
  const [from, to] = span(times, now);
  return rows.filter((row) => {
    const at = window?.member === undefined ? row.time : timeOf(row.record[window.member]);
    if (at < from || at > to) return false;
    return project === ALL_ENTERPRISE_PROJECTS || (found(row, 'enterprise_project_id') ?? '0') === project;
  });
}

const RANGES_MS: Readonly<Record<string, number>> = {
  HALF_HOUR: 1_800_000,
  HOUR: 3_600_000,
  THREE_HOUR: 10_800_000,
  TWELVE_HOUR: 43_200_000,
  DAY: 86_400_000,
  WEEK: 604_800_000,
  MONTH: 2_592_000_000,
};

/** The time window in ms since the epoch. A number of days or a named range overrides begin and end, as documented. */
function span([from, to, last]: readonly (string | undefined)[], now: number): readonly [number, number] {
  if (last !== undefined) return [now - (RANGES_MS[last] ?? Number(last) * 86_400_000), Number.POSITIVE_INFINITY];
  return [
    from === undefined ? Number.NEGATIVE_INFINITY : timeOf(from),
    to === undefined ? Number.POSITIVE_INFINITY : timeOf(to),
  ];
}

/** Parses a time of lists and requests: milliseconds as number or text, or a UTC date and time. */
function timeOf(value: unknown): number {
  const text = String(value);
  return /^\d+$/.test(text) ? Number(text) : Date.parse(`${text.replace(' ', 'T')}Z`);
}
