import type { Connection, Submittable } from 'pg';
import { coerceError } from '../../core/errors.ts';
import { type ColumnValue, storedValue } from '../../core/stream/fields.ts';
import { sortedMembers, toJson } from '../../core/stream/json.ts';
import { compile, onceForEachStream, quoted } from '../../core/stream/row-maker.ts';
import type { StreamScope } from '../../core/stream/stream.ts';
import { isoText } from '../../core/stream/time.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import type { StreamConnection } from './row-writer.ts';
import { type StoredColumn, statementsOf } from './statements.ts';

/** Rows of one message: Postgres stores them while the next ones are being formatted. */
const PIECE = 200;

/**
 * Copies rows with new keys into the table. The database sets their times (defaults of the columns). `then` is executed
 * after them, in the same transaction and round trip; it may return no rows and has no parameters. Throws the error of
 * Postgres; then nothing is stored.
 */
export async function copyRows(at: StreamConnection, rows: readonly ValidRow[], then = ''): Promise<void> {
  const text = then === '' ? statementsOf(at.stream).copy : `${statementsOf(at.stream).copy}; ${then}`;
  await new Promise<void>((resolve, reject) => {
    at.client.query(new CopyIn(text, pieces(at, rows), (error) => (error ? reject(error) : resolve())));
  });
}

function* pieces(at: StreamScope, rows: readonly ValidRow[]): Generator<Buffer> {
  for (let start = 0; start < rows.length; start += PIECE) yield copyData(at, rows.slice(start, start + PIECE));
}

/** Messages of the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html): type and length. */
const HEADER = 5;
const COPY_DATA = 'd'.charCodeAt(0);
const COPY_DONE = Buffer.from([...Buffer.from('c'), 0, 0, 0, 4]);
/** A `CopyFail` whose reason is empty: the error that is thrown says more. */
const COPY_FAIL = Buffer.from([...Buffer.from('f'), 0, 0, 0, 5, 0]);

function copyData(at: StreamScope, rows: readonly ValidRow[]): Buffer {
  const message = copyText(at, rows, HEADER);
  message[0] = COPY_DATA;
  message.writeUInt32BE(message.length - 1, 1);
  return message;
}

/**
 * A query of the driver that sends its rows without waiting until Postgres asks for them, as pgx does. Postgres ignores
 * them if it refuses the statement (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY). Waiting,
 * as pg-copy-streams does, costs a turn of the event loop, in which Postgres is idle (docs/performance.md).
 */
class CopyIn implements Submittable {
  readonly #text: string;
  readonly #pieces: Iterable<Buffer>;
  /** Called once, when Postgres is ready or has refused. The driver replaces it if the connection has a time limit. */
  callback: (error: Error | null) => void;
  #failure: Error | null = null;

  constructor(text: string, pieces: Iterable<Buffer>, callback: (error: Error | null) => void) {
    this.#text = text;
    this.#pieces = pieces;
    this.callback = callback;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
    try {
      for (const piece of this.#pieces) connection.stream.write(piece);
      connection.stream.write(COPY_DONE);
    } catch (error) {
      // A row that cannot be formatted. Without this message the connection would wait for the rest.
      this.#failure = coerceError(error);
      connection.stream.write(COPY_FAIL);
    }
  }

  handleCopyInResponse(): void {}

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.callback(this.#failure ?? error);
  }

  handleReadyForQuery(): void {
    this.callback(null);
  }
}

/**
 * Rows in COPY's text format, in the column order of `statements.copy`, after `header` unwritten bytes. Encodes line by
 * line into one buffer: in one long string, a single Chinese character would double its memory and slow down the
 * encoding.
 */
export function copyText(
  { stream, scope: { projectId, region, account } }: StreamScope,
  rows: readonly ValidRow[],
  header = 0,
): Buffer {
  const scope = [projectId, region, account].map(escaped).join('\t');
  const columnsOf = columnWriterOf(stream);
  const lines = rows.map((valid) => `${scope}${columnsOf(valid)}\t${jsonField(valid.extra)}\t\\\\x${valid.hash}\n`);
  let bytes: Buffer = Buffer.allocUnsafe(header + Math.ceil(lines.reduce((sum, { length }) => sum + length * ROOM, 0)));
  let end = header;
  for (const [index, line] of lines.entries()) {
    if (bytes.length - end < line.length * MOST_BYTES) bytes = withRoom(bytes.subarray(0, end), lines.slice(index));
    end += bytes.write(line, end);
  }
  return bytes.subarray(0, end);
}

/** Bytes of a character in UTF-8: room for texts that are mostly ASCII, and the most. Counting takes as long as writing. */
const ROOM = 1.25;
const MOST_BYTES = 3;

/** The bytes in a buffer with room for more lines, whatever they contain. */
function withRoom(bytes: Buffer, lines: readonly string[]): Buffer {
  const most = lines.reduce((sum, line) => sum + line.length * MOST_BYTES, bytes.length);
  const larger = Buffer.allocUnsafe(most);
  bytes.copy(larger);
  return larger;
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
  return value instanceof Date ? isoText(value) : String(value);
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
