import type { Scope } from '../account.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../sweep.ts';
import type { Listing, ListingWindow } from './endpoint.ts';
import type { ColumnValue } from './fields.ts';
import { isObject } from './json.ts';
import type { Stream } from './stream.ts';
import { instantIn } from './time.ts';
import type { Drift } from './validate.ts';

/** What a list was asked for, as far as its rows can say it themselves: column -> stored value. */
export type Question = Readonly<Record<string, string>>;

/** The parameters of the list, those of the endpoint and the enterprise project, where the table has a column for them. */
export function questionOf({ endpoint, fields }: Stream, scope: Scope, listing: Listing): Question {
  const asksForOne = endpoint.enterpriseProjects && scope.enterpriseProjectId !== ALL_ENTERPRISE_PROJECTS;
  const asked = {
    ...endpoint.query,
    ...(asksForOne ? { enterprise_project_id: scope.enterpriseProjectId } : {}),
    ...listing.params,
  };
  return Object.fromEntries(Object.entries(asked).filter(([column]) => column in fields));
}

/** Where records contradict the question or the project they were asked for: one drift for each column that does. */
export function contradictions(
  stream: Stream,
  { question, projectId, window }: Asked,
  records: readonly unknown[],
): readonly Drift[] {
  const found = new Map<string, Drift>();
  for (const record of records) {
    const project = otherProject(record, projectId);
    if (project !== null) note('project_id', projectId, project);
    for (const [column, asked] of Object.entries(question)) {
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

export interface Asked {
  readonly question: Question;
  readonly projectId: string;
  readonly window?: ListingWindow | undefined;
}

/**
 * Whether a record of an answer to another question is a row all the same: it says itself what else the list would say of
 * it. One that does not would be stored as what was asked for.
 */
export function speaksForItself(stream: Stream, { question, projectId }: Asked, record: unknown): boolean {
  if (otherProject(record, projectId) !== null) return false;
  return Object.keys(question).every((column) => stream.stated(record, column) !== null);
}

/** What the record says of the column, if that cannot be what was asked for. */
function other(stream: Stream, { column, asked }: { column: string; asked: string }, record: unknown): string | null {
  const value = stream.stated(record, column);
  if (value === null || value === '') return null;
  const said = String(value);
  if (said.toLowerCase() === asked.toLowerCase()) return null;
  const values = stream.fields[column]?.documented.values;
  // A value that no document knows may be another word for the one that was asked for; it is drift by itself.
  return values === undefined || values.includes(said) ? said : null;
}

/** The time of a row that lies outside of what was asked for, by more than it may. */
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
