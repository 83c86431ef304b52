import type { ColumnValue } from '../../core/stream/fields.ts';
import { compile, onceForEachStream, quoted } from '../../core/stream/generated.ts';
import { toJson } from '../../core/stream/json.ts';
import type { StreamScope } from '../../core/stream/stream.ts';
import type { ValidRow } from '../../core/stream/validate.ts';
import { statementsOf } from './statements.ts';

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
  const columns = fields.map(({ name, json }) =>
    json ? `storedJson(valid, ${quoted(name)})` : `copyField(row[${quoted(name)}])`,
  );
  const lines = ['const { row } = valid;', `return ${columns.map((column) => `'\\t' + ${column}`).join(' + ')};`];
  const made: unknown = compile(['valid'], lines, { copyField, storedJson });
  return isColumnWriter(made) ? made : (valid) => columnText(fields, valid);
});

function isColumnWriter(made: unknown): made is ColumnWriter {
  return typeof made === 'function';
}

/** The same without generated code. */
export function columnText(
  fields: readonly { readonly name: string; readonly json: boolean }[],
  { row }: Pick<ValidRow, 'row'>,
): string {
  let text = '';
  for (const { name, json } of fields) text += `\t${json ? jsonField(row[name]) : copyField(row[name])}`;
  return text;
}

function storedJson({ row, json }: ValidRow, name: string): string {
  const made = json?.[name] ?? null;
  return made === null ? jsonField(row[name]) : escaped(made);
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
