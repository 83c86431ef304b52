import type { Scope } from '../account.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../sweep.ts';
import type { Listing, ListingWindow } from './endpoint.ts';
import type { ColumnValue } from './fields.ts';
import { isObject } from './json.ts';
import type { Stream } from './stream.ts';
import { instantIn } from './time.ts';
import type { Drift } from './validate.ts';

/** The request parameters that rows state themselves: column -> stored value. */
export type RequestedValues = Readonly<Record<string, string>>;

/** The parameters of the listing and the endpoint, and the enterprise project, if the table has columns for them. */
export function requestedValues({ endpoint, fields }: Stream, scope: Scope, listing: Listing): RequestedValues {
  const asksForOne = endpoint.enterpriseProjects && scope.enterpriseProjectId !== ALL_ENTERPRISE_PROJECTS;
  const asked = {
    ...endpoint.query,
    ...(asksForOne ? { enterprise_project_id: scope.enterpriseProjectId } : {}),
    ...listing.params,
  };
  return Object.fromEntries(Object.entries(asked).filter(([column]) => column in fields));
}

/** Records that contradict the request or its project: one drift for each column concerned. */
export function contradictions(
  stream: Stream,
  { values, projectId, window }: RequestedPage,
  records: readonly unknown[],
): readonly Drift[] {
  const found = new Map<string, Drift>();
  for (const record of records) {
    const project = otherProject(record, projectId);
    if (project !== null) note('project_id', projectId, project);
    for (const [column, asked] of Object.entries(values)) {
      const said = other(stream, { column, asked }, record);
      if (said !== null) note(column, asked, said);
    }
    const outside = window === undefined ? null : outsideOf(window, stream.stated(record, window.column));
    if (window !== undefined && outside !== null) {
      note(window.column, Object.values(window.asked).map(isoTime).join(' to '), isoTime(outside));
    }
  }
  return [...found.values()];

  function note(field: string, asked: string, said: string): void {
    if (!found.has(field)) found.set(field, { field, kind: 'other list', sample: `asked ${asked}, got ${said}` });
  }
}

/** The request that an answer must match. */
export interface RequestedPage {
  readonly values: RequestedValues;
  readonly projectId: string;
  readonly window?: ListingWindow | undefined;
}

/**
 * A record of an answer to another request may still be stored: it states every column itself that would otherwise be
 * taken from the request.
 */
export function statesAllRequestedValues(
  stream: Stream,
  { values, projectId }: RequestedPage,
  record: unknown,
): boolean {
  if (otherProject(record, projectId) !== null) return false;
  return Object.keys(values).every((column) => stream.stated(record, column) !== null);
}

/** The record's value of the column, if it contradicts the requested one; otherwise null. */
function other(stream: Stream, { column, asked }: { column: string; asked: string }, record: unknown): string | null {
  const value = stream.stated(record, column);
  if (value === null || value === '') return null;
  const said = String(value);
  if (said.toLowerCase() === asked.toLowerCase()) return null;
  const values = stream.fields[column]?.documented.values;
  // An undocumented value may be another word for the requested one. It is recorded as drift anyway.
  return values === undefined || values.includes(said) ? said : null;
}

/** The time of a row, in ms, if it is outside the requested window by more than the tolerance; otherwise null. */
function outsideOf({ asked, toleranceMs, timeZone }: ListingWindow, value: ColumnValue): number | null {
  const time = typeof value === 'string' ? instantIn(timeZone, value) : value;
  if (!(time instanceof Date)) return null;
  const at = time.getTime();
  return at < asked.begin - toleranceMs || at > asked.end + toleranceMs ? at : null;
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}

function otherProject(record: unknown, projectId: string): string | null {
  if (!isObject(record)) return null;
  const said = record.project_id ?? record.projectId;
  return typeof said === 'string' && said !== '' && said.toLowerCase() !== projectId.toLowerCase() ? said : null;
}
