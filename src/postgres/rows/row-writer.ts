import { once } from 'node:events';
import type { ClientBase } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { type RowChange, rowChange } from '../../core/store.ts';
import type { ColumnValue } from '../../core/stream/fields.ts';
import { toJson } from '../../core/stream/json.ts';
import { keyPart } from '../../core/stream/record.ts';
import type { Stream, StreamScope } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import { statementsOf } from './statements.ts';

const PIECE = 200;

/** The connection that holds the lock of a stream in a scope: every write goes through it. */
export interface StreamConnection extends StreamScope {
  readonly client: ClientBase;
}

export interface WriteOptions {
  /** Rows whose stored version is newer stay as they are. */
  readonly refuseOlder: boolean;
  /** Called for every row that is new or differs, while Postgres is at work where that can be. */
  readonly onChanged?: (row: ValidRow) => void;
}

export interface Written {
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  /** Rows refused because the stored content is newer. */
  readonly stale: number;
  /** New rows and rows with a significant change. */
  readonly moved: number;
  /** Rows that were in another part of a list until now. */
  readonly relisted: number;
}

/**
 * Rows that are stored just so cost no write: hashes are compared first. Rows with new keys are copied straight into the
 * table, which nothing can contradict while this connection holds the lock of the scope; the others go through one
 * statement that closes their old version (docs/decisions.md D5). Statements are unnamed: a plan cached while the table was
 * empty made a page 5-40 times slower.
 */
export async function writeRows(
  at: StreamConnection,
  rows: readonly ValidRow[],
  options: WriteOptions,
): Promise<Written> {
  return await writeProbed(at, await probe(at, questionOf(at.stream, rows)), options);
}

export function unchanged(rows: readonly ValidRow[]): Written {
  return { inserted: 0, updated: 0, unchanged: rows.length, stale: 0, moved: 0, relisted: 0 };
}

/** Rows sorted by what is stored of them. */
export interface Probed {
  readonly rows: number;
  /** Their keys are not stored. */
  readonly fresh: readonly ValidRow[];
  /** Stored otherwise, or swept. */
  readonly different: readonly ValidRow[];
  /** How each of them differs from what is stored, by key. */
  readonly changed: ReadonlyMap<string, RowChange>;
}

/** What Postgres is asked about rows. */
export interface Question {
  readonly rows: number;
  readonly asked: readonly ValidRow[];
  /** Need not be asked about. */
  readonly fresh: readonly ValidRow[];
  /** Hashes and key columns of `asked`, as the text of Postgres arrays: the driver would make it when it is Postgres' turn. */
  readonly arrays: readonly string[];
}

export function questionOf(
  stream: Stream,
  rows: readonly ValidRow[],
  mayBeStored: (key: string) => boolean = () => true,
): Question {
  // One statement cannot touch a row twice; the last one counts.
  const distinct = new Map(rows.map((row) => [row.key, row]));
  const asked: ValidRow[] = [];
  const fresh: ValidRow[] = [];
  for (const [key, row] of distinct) (mayBeStored(key) ? asked : fresh).push(row);
  const columns = stream.key.map((column) => arrayText(asked.map(({ row }) => keyPart(row[column]))));
  return { rows: rows.length, asked, fresh, arrays: [arrayText(asked.map(({ hash }) => hash)), ...columns] };
}

const NEEDS_ESCAPE = /["\\]/;

function arrayText(values: readonly string[]): string {
  const escaped = (value: string) => (NEEDS_ESCAPE.test(value) ? value.replaceAll(/["\\]/g, '\\$&') : value);
  return values.length === 0 ? '{}' : `{"${values.map(escaped).join('","')}"}`;
}

/**
 * Reads only, and no other connection writes rows of the scope, so it needs no transaction: it is sent before `begin`, and
 * Postgres compares while the next pages are hashed (bench writer, docs/decisions.md D5).
 */
export async function probe({ client, stream, scope }: StreamConnection, question: Question): Promise<Probed> {
  const { rows, asked, arrays } = question;
  const changed = new Map<string, RowChange>(question.fresh.map(({ key }) => [key, 'new']));
  if (asked.length === 0) return { rows, fresh: question.fresh, different: [], changed };
  const fresh = [...question.fresh];
  const { rows: found } = await client.query<Stored>(statementsOf(stream).probe, [scope.projectId, ...arrays]);
  const different: ValidRow[] = [];
  for (const stored of found) {
    const row = asked[stored.position - 1];
    if (row === undefined) continue;
    (stored.stored ? different : fresh).push(row);
    changed.set(
      row.key,
      rowChange(stored.stored ? stored : null, stream.version === undefined ? null : row.row[stream.version]),
    );
  }
  return { rows, fresh, different, changed };
}

/** What the probe answers for a row that is not stored just so. */
interface Stored {
  /** Place of the row in the question, from 1. */
  readonly position: number;
  readonly stored: boolean;
  /** It was marked as gone. */
  readonly gone: boolean;
  /** The stored version; null where the stream has none, or the row none. */
  readonly version: Date | null;
}

export async function writeProbed(
  at: StreamConnection,
  { rows, fresh, different }: Probed,
  { refuseOlder, onChanged = () => {} }: WriteOptions,
): Promise<Written> {
  const report = () => {
    for (const row of [...fresh, ...different]) onChanged(row);
  };
  if (fresh.length > 0) await copyRows(at, fresh, report);
  else report();
  const { inserted, updated, moved, relisted } = await writeDifferent(at, different, refuseOlder);
  return {
    inserted: fresh.length + inserted,
    updated,
    unchanged: rows - fresh.length - different.length,
    stale: different.length - inserted - updated,
    moved: fresh.length + moved,
    relisted,
  };
}

async function copyRows(at: StreamConnection, rows: readonly ValidRow[], meanwhile: () => void): Promise<void> {
  const { client } = at;
  const { rows: clock } = await client.query<{ now: string }>(
    'select statement_timestamp()::timestamptz(3)::text as now',
  );
  const now = clock[0]?.now ?? '';
  const stream = client.query(copyFrom(statementsOf(at.stream).copy));
  const finished = once(stream, 'finish');
  // Once Postgres has refused, the stream holds no connection any more, and would emit an error without a listener.
  stream.once('error', () => stream.destroy());
  // In pieces, so that Postgres stores one while the next is being written out. Nothing leaves before it has taken the first:
  // without waiting for that, all of it was made before any of it was sent (0.56 instead of 0.81 of a bare COPY).
  for (let start = 0; start < rows.length; start += PIECE) {
    const piece = copyText(at, rows.slice(start, start + PIECE), now);
    const sent = new Promise((done) => stream.write(piece, done));
    if (start === 0) await Promise.race([sent, finished]);
  }
  stream.end();
  meanwhile();
  await finished;
}

type Counted = Pick<Written, 'inserted' | 'updated' | 'moved' | 'relisted'>;

const NONE_COUNTED: Counted = { inserted: 0, updated: 0, moved: 0, relisted: 0 };

async function writeDifferent(
  { client, stream, scope }: StreamConnection,
  rows: readonly ValidRow[],
  refuseOlder: boolean,
): Promise<Counted> {
  if (rows.length === 0) return NONE_COUNTED;
  const payload = rows.map(({ row, extra, hash }) => ({
    project_id: scope.projectId,
    region: scope.region,
    account: scope.account,
    ...row,
    _extra: extra,
    _hash: hash,
  }));
  const { rows: counted } = await client.query<Counted>(statementsOf(stream).write, [toJson(payload), refuseOlder]);
  return counted[0] ?? NONE_COUNTED;
}

const COPY_SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/**
 * Rows in COPY's text format, in the column order of `statements.copy`; `now` is the database's time. Line by line into one
 * buffer: as a whole, a single Chinese character would make all of the text twice as long, and three times as slow to write.
 */
export function copyText(
  { stream, scope: { projectId, region, account } }: StreamScope,
  rows: readonly ValidRow[],
  now: string,
): Buffer {
  const { fields } = statementsOf(stream);
  const scope = [projectId, region, account].map(escaped).join('\t');
  const lines = rows.map(({ row, extra, hash }) => {
    let line = scope;
    for (const { name, json } of fields) line += `\t${json ? jsonField(row[name]) : copyField(row[name])}`;
    return `${line}\t${jsonField(extra)}\t\\\\x${hash}\t${now}\t${now}\n`;
  });
  const bytes = Buffer.allocUnsafe(lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0));
  let end = 0;
  for (const line of lines) end += bytes.write(line, end);
  return bytes;
}

function copyField(value: ColumnValue | undefined): string {
  if (typeof value === 'string') return escaped(value);
  if (value === null || value === undefined) return '\\N';
  return value instanceof Date ? value.toISOString() : String(value);
}

function jsonField(value: ColumnValue | undefined): string {
  return value === null || value === undefined ? '\\N' : escaped(toJson(value));
}

/** Most texts hold nothing special, and the test costs a tenth of the replacement. */
function escaped(text: string): string {
  return COPY_SPECIAL.test(text)
    ? text.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character)
    : text;
}
