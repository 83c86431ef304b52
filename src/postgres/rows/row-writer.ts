import { once } from 'node:events';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { type RowChange, rowChange } from '../../core/store.ts';
import { type ColumnValue, storedValue } from '../../core/stream/fields.ts';
import { sortedMembers, toJson } from '../../core/stream/json.ts';
import { keyPart } from '../../core/stream/record.ts';
import { compile, onceForEachStream, quoted } from '../../core/stream/row-maker.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import { isFormerFingerprint, type ValidRow } from '../../core/stream/validate.ts';
import { type StoredColumn, statementsOf } from './statements.ts';

const PIECE = 200;

/** The connection that holds the lock of a stream in a scope. All writes go through it. */
export interface StreamConnection extends StreamScope {
  readonly client: ClientBase;
}

/** How to write rows. */
export interface WriteOptions {
  /** Keep rows whose stored version is newer. */
  readonly refuseOlder: boolean;
  /** Time of new rows, as text, if the caller has asked the database for it. */
  readonly now?: string | undefined;
  /** Called for every new or changed row, if possible while Postgres is busy. */
  readonly onChanged?: (row: ValidRow) => void;
}

/** Numbers of rows by result. */
export interface Written {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  /** Rows not written because the stored content is newer. */
  readonly stale: number;
  /** New rows and rows with a significant change. */
  readonly significant: number;
  /** Rows that were in another part of a list before. */
  readonly relisted: number;
}

/**
 * Writes rows. Unchanged rows cost no write, because hashes are compared first. Rows with new keys are copied directly
 * into the table, which is safe while this connection holds the lock of the scope. The others go through one statement
 * that closes their old version (docs/decisions.md D5). Statements are unnamed, because a plan cached while the table
 * was empty made pages much slower.
 */
export async function writeRows(
  at: StreamConnection,
  rows: readonly ValidRow[],
  options: WriteOptions,
): Promise<Written> {
  return await writeCompared(at, await compareWithTable(at, comparisonInputOf(at.stream, rows)), options);
}

/** The result for rows that are all stored unchanged. */
export function unchanged(rows: readonly ValidRow[]): Written {
  return { inserted: 0, updated: 0, unchanged: rows.length, stale: 0, significant: 0, relisted: 0 };
}

/** Rows compared with the table. */
export interface ComparedRows {
  readonly rows: number;
  /** Rows with new keys. */
  readonly fresh: readonly ValidRow[];
  /** Rows that differ from the stored ones, or were marked as gone. */
  readonly different: readonly ValidRow[];
  /** How each of them differs from what is stored, by key. */
  readonly changed: ReadonlyMap<string, RowChange>;
}

/** The parameters of the comparison: which rows to compare. */
export interface ComparisonInput {
  readonly rows: number;
  readonly asked: readonly ValidRow[];
  /** Rows whose keys are certainly new. */
  readonly fresh: readonly ValidRow[];
  /**
   * Hashes and key columns of `asked`, as texts of Postgres arrays. Made in advance, because the driver would do it
   * late.
   */
  readonly arrays: readonly string[];
}

/**
 * Prepares the comparison of rows. `known` tells which have certainly new keys and which are certainly stored like this;
 * the table is asked about the others.
 */
export function comparisonInputOf(
  stream: Stream,
  rows: readonly ValidRow[],
  known: (row: ValidRow) => 'new' | 'stored' | 'unknown' = () => 'unknown',
): ComparisonInput {
  // One statement cannot change a row twice, so the last one counts.
  const distinct = new Map<string, ValidRow>();
  for (const row of rows) distinct.set(row.key, row);
  const asked: ValidRow[] = [];
  const fresh: ValidRow[] = [];
  for (const row of distinct.values()) {
    const what = known(row);
    if (what !== 'stored') (what === 'new' ? fresh : asked).push(row);
  }
  const columns = stream.key.map((column) => arrayText(asked.map(({ row }) => keyPart(row[column]))));
  const hashes = `{${asked.map(({ hash }) => hash).join(',')}}`;
  return { rows: rows.length, asked, fresh, arrays: [hashes, ...columns] };
}

const NEEDS_ESCAPE = /["\\]/;

function arrayText(values: readonly string[]): string {
  const escaped = (value: string) => (NEEDS_ESCAPE.test(value) ? value.replaceAll(/["\\]/g, '\\$&') : value);
  return values.length === 0 ? '{}' : `{"${values.map(escaped).join('","')}"}`;
}

/**
 * Compares rows with the table. Only reads, and no other connection writes rows of the scope, so it needs no
 * transaction: it is sent before `begin`, and Postgres compares while the next pages are hashed (docs/decisions.md D5).
 */
export async function compareWithTable(
  { client, stream, scope }: StreamConnection,
  input: ComparisonInput,
): Promise<ComparedRows> {
  const { rows, asked, arrays } = input;
  const changed = new Map<string, RowChange>(input.fresh.map(({ key }) => [key, 'new']));
  if (asked.length === 0) return { rows, fresh: input.fresh, different: [], changed };
  const fresh = [...input.fresh];
  const { rows: found } = await client.query<Stored>(statementsOf(stream).comparison, [scope.projectId, ...arrays]);
  const different: ValidRow[] = [];
  for (const stored of found) {
    const row = asked[stored.position - 1];
    if (row === undefined) continue;
    const change = rowChange(
      stored.stored ? stored : null,
      stream.version === undefined ? null : row.row[stream.version],
    );
    // With another version the content differs, so there is no need to look for the fingerprint of an earlier program.
    if (change === 'in-place' && isFormerFingerprint(stream, stored.hash, row)) continue;
    (stored.stored ? different : fresh).push(row);
    changed.set(row.key, change);
  }
  return { rows, fresh, different, changed };
}

/** Result of the comparison for a row that differs from the table. */
interface Stored {
  /** Position of the row in `asked`, from 1. */
  readonly position: number;
  readonly stored: boolean;
  /** It was marked as gone. */
  readonly gone: boolean;
  /** The stored version; null if the stream or the row has none. */
  readonly version: Date | null;
  /** The stored fingerprint in hexadecimal; null if the key is new. */
  readonly hash: string | null;
}

/** Writes compared rows. Returns their numbers by result. */
export async function writeCompared(
  at: StreamConnection,
  { rows, fresh, different }: ComparedRows,
  { refuseOlder, now, onChanged = () => {} }: WriteOptions,
): Promise<Written> {
  const report = () => {
    for (const row of [...fresh, ...different]) onChanged(row);
  };
  if (fresh.length > 0) await copyRows(at, fresh, { now, meanwhile: report });
  else report();
  const { inserted, updated, significant, relisted } = await writeDifferent(at, different, refuseOlder);
  return {
    inserted: fresh.length + inserted,
    updated,
    unchanged: rows - fresh.length - different.length,
    stale: different.length - inserted - updated,
    significant: fresh.length + significant,
    relisted,
  };
}

const CLOCK = 'select statement_timestamp()::timestamptz(3)::text as now';
/** Begins a transaction and asks for the time of its new rows ({@link timeOf}) in one round trip. */
export const BEGIN_WITH_CLOCK = `begin; ${CLOCK}`;

/** The time in the answer to {@link BEGIN_WITH_CLOCK}: the driver returns a list with a result for each statement. */
export function timeOf(began: unknown): string | undefined {
  const answer: unknown = Array.isArray(began) ? began[1]?.rows?.[0]?.now : undefined;
  return typeof answer === 'string' ? answer : undefined;
}

interface CopyOptions {
  readonly now: string | undefined;
  /** Work to do while Postgres is busy. */
  readonly meanwhile: () => void;
}

async function copyRows(
  at: StreamConnection,
  rows: readonly ValidRow[],
  { now: known, meanwhile }: CopyOptions,
): Promise<void> {
  const { client } = at;
  const now = known ?? (await client.query<{ now: string }>(CLOCK)).rows[0]?.now ?? '';
  const stream = client.query(copyFrom(statementsOf(at.stream).copy));
  const finished = once(stream, 'finish');
  // After a refusal by Postgres the stream has no connection, and would emit an error without a listener.
  stream.once('error', () => stream.destroy());
  // Sends pieces, so that Postgres stores one while the next is being formatted. The first wait is necessary, because
  // nothing is sent before Postgres has accepted the COPY; without it, all pieces would be formatted first
  // (docs/performance.md).
  for (let start = 0; start < rows.length; start += PIECE) {
    const piece = copyText(at, rows.slice(start, start + PIECE), now);
    const sent = new Promise((done) => stream.write(piece, done));
    if (start === 0) await Promise.race([sent, finished]);
  }
  stream.end();
  meanwhile();
  await finished;
}

type Counted = Pick<Written, 'inserted' | 'updated' | 'significant' | 'relisted'>;

const NONE_COUNTED: Counted = { inserted: 0, updated: 0, significant: 0, relisted: 0 };

async function writeDifferent(
  { client, stream, scope }: StreamConnection,
  rows: readonly ValidRow[],
  refuseOlder: boolean,
): Promise<Counted> {
  if (rows.length === 0) return NONE_COUNTED;
  const columns = statementsOf(stream).fields;
  const payload = rows.map(({ row, extra, hash }) => ({
    project_id: scope.projectId,
    region: scope.region,
    account: scope.account,
    ...Object.fromEntries(columns.map((column) => [column.name, storedValue(column, row)])),
    _extra: extra,
    _hash: hash,
  }));
  const { rows: counted } = await client.query<Counted>(statementsOf(stream).write, [toJson(payload), refuseOlder]);
  return counted[0] ?? NONE_COUNTED;
}

/**
 * Rows in COPY's text format, in the column order of `statements.copy`; `now` is the database time. Encodes line by
 * line into one buffer: in one long string, a single Chinese character would double its memory and slow down the
 * encoding.
 */
export function copyText(
  { stream, scope: { projectId, region, account } }: StreamScope,
  rows: readonly ValidRow[],
  now: string,
): Buffer {
  const scope = [projectId, region, account].map(escaped).join('\t');
  const columnsOf = columnWriterOf(stream);
  const lines = rows.map(
    (valid) => `${scope}${columnsOf(valid)}\t${jsonField(valid.extra)}\t\\\\x${valid.hash}\t${now}\t${now}\n`,
  );
  const bytes = Buffer.allocUnsafe(lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0));
  let end = 0;
  for (const line of lines) end += bytes.write(line, end);
  return bytes;
}

/** The columns of a row in COPY's text format, each after a tab. */
type ColumnWriter = (valid: ValidRow) => string;

/** The generated function of a stream, or the loop over its columns where the process forbids generated code. */
export const columnWriterOf = onceForEachStream((stream): ColumnWriter => {
  const { fields } = statementsOf(stream);
  const columns = fields.map(({ name, json, storedOnly }, index) => {
    if (storedOnly) return `(${json ? 'jsonColumn' : 'copyField'}(storedValue(fields[${index}], row)))`;
    return json ? `storedJson(valid, ${quoted(name)})` : `copyField(row[${quoted(name)}])`;
  });
  const lines = ['const { row } = valid;', `return ${columns.map((column) => `'\\t' + ${column}`).join(' + ')};`];
  const made: unknown = compile(['valid'], lines, { copyField, storedJson, jsonColumn, storedValue, fields });
  return isColumnWriter(made) ? made : (valid) => columnText(fields, valid);
});

function isColumnWriter(made: unknown): made is ColumnWriter {
  return typeof made === 'function';
}

/** The columns of a row in COPY's text format, without generated code. */
export function columnText(fields: readonly StoredColumn[], { row }: Pick<ValidRow, 'row'>): string {
  let text = '';
  for (const field of fields) {
    const value = storedValue(field, row);
    text += `\t${field.json ? jsonColumn(value) : copyField(value)}`;
  }
  return text;
}

function storedJson({ row, json }: ValidRow, name: string): string {
  const made = json?.[name] ?? null;
  return made === null ? jsonColumn(row[name]) : escaped(made);
}

/** Sorts members as the fingerprint does, so that generated and general code write the same text. */
function jsonColumn(value: ColumnValue | undefined): string {
  return value === null || value === undefined ? '\\N' : escaped(toJson(sortedMembers(value)));
}

const COPY_SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function copyField(value: ColumnValue | undefined): string {
  if (typeof value === 'string') return escaped(value);
  if (value === null || value === undefined) return '\\N';
  return value instanceof Date ? value.toISOString() : String(value);
}

function jsonField(value: ColumnValue | undefined): string {
  return value === null || value === undefined ? '\\N' : escaped(toJson(value));
}

/** Tests first, because most texts contain no special character and the test is much cheaper than the replacement. */
function escaped(text: string): string {
  return COPY_SPECIAL.test(text)
    ? text.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character)
    : text;
}
