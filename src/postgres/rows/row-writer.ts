import type { ClientBase } from 'pg';
import { type RowChange, rowChange } from '../../core/store.ts';
import { storedValue } from '../../core/stream/fields.ts';
import { toJson } from '../../core/stream/json.ts';
import { keyPart } from '../../core/stream/record.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import { isoText } from '../../core/stream/time.ts';
import { isFormerFingerprint, type ValidRow } from '../../core/stream/validate.ts';
import { copyRows } from './copy-rows.ts';
import { type StoredColumn, statementsOf } from './statements.ts';

/** The connection that holds the lock of a stream in a scope. All writes go through it. */
export interface StreamConnection extends StreamScope {
  readonly client: ClientBase;
}

/** How to write rows. */
export interface WriteOptions {
  /** Keep rows whose stored version is newer. */
  readonly refuseOlder: boolean;
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

/** The result for rows that are either new or stored unchanged. */
export function withoutChange({ rows, fresh }: Pick<ComparedRows, 'rows' | 'fresh'>): Written {
  const inserted = fresh.length;
  return { inserted, updated: 0, unchanged: rows - inserted, stale: 0, significant: inserted, relisted: 0 };
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
  return { rows: rows.length, asked, fresh, arrays: [hashesOf(asked), ...columns] };
}

function hashesOf(rows: readonly ValidRow[]): string {
  return `{${rows.map(({ hash }) => hash).join(',')}}`;
}

const NEEDS_ESCAPE = /["\\]/;

/** An array in the text format of Postgres. */
function arrayText(values: readonly (string | null)[]): string {
  const element = (value: string | null) => {
    if (value === null) return 'null';
    return `"${NEEDS_ESCAPE.test(value) ? value.replaceAll(/["\\]/g, '\\$&') : value}"`;
  };
  return `{${values.map(element).join(',')}}`;
}

/** The value of a column as an element of such an array. */
function elementOf(field: StoredColumn, { row, json }: ValidRow): string | null {
  const made = field.json ? json?.[field.name] : undefined;
  if (typeof made === 'string') return made;
  const value = storedValue(field, row);
  if (value === null || value === undefined) return null;
  if (field.json) return toJson(value);
  return value instanceof Date ? isoText(value) : String(value);
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
  { refuseOlder }: WriteOptions,
): Promise<Written> {
  if (fresh.length > 0) await copyRows(at, fresh);
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

type Counted = Pick<Written, 'inserted' | 'updated' | 'significant' | 'relisted'>;

const NONE_COUNTED: Counted = { inserted: 0, updated: 0, significant: 0, relisted: 0 };

async function writeDifferent(
  { client, stream, scope }: StreamConnection,
  rows: readonly ValidRow[],
  refuseOlder: boolean,
): Promise<Counted> {
  if (rows.length === 0) return NONE_COUNTED;
  const { write, fields } = statementsOf(stream);
  const { projectId, region, account } = scope;
  const columns = fields.map((field) => arrayText(rows.map((valid) => elementOf(field, valid))));
  const extras = arrayText(rows.map(({ extra }) => (extra === null ? null : toJson(extra))));
  const parameters = [projectId, region, account, refuseOlder, ...columns, extras, hashesOf(rows)];
  const { rows: counted } = await client.query<Counted>(write, parameters);
  return counted[0] ?? NONE_COUNTED;
}
