import { inOrder } from '../core/plan.ts';
import { getTableConfig } from '../core/stream/drizzle.ts';
import type { Stream } from '../core/stream/stream.ts';
import { SYSTEM_COLUMN_ABOUT } from '../core/stream/table.ts';
import { streams } from '../streams/index.ts';
import { tablesMarkdown } from './catalogue/markdown.ts';
import { type Context, EXIT, type ExitCode } from './context.ts';

interface Entry {
  readonly stream: string;
  readonly about: string;
  readonly endpoint: string;
  readonly document: string;
  readonly table: string;
  readonly history: string | null;
  readonly key: readonly string[];
  readonly parent: string | null;
  readonly schedule: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly about: string }[];
}

/** `security-sync streams`: what is read, and what the tables hold. Needs neither configuration nor database. */
export async function streamsCommand(
  context: Context,
  { markdown = false }: { readonly markdown?: boolean },
): Promise<ExitCode> {
  if (markdown) {
    process.stdout.write(tablesMarkdown(streams));
    return EXIT.ok;
  }
  const entries = inOrder(streams).map(entryOf);
  context.answer({ streams: entries }, () => entries.map(show).join('\n\n'));
  return EXIT.ok;
}

function entryOf(stream: Stream): Entry {
  const { schema, name, columns } = getTableConfig(stream.table);
  return {
    stream: stream.name,
    about: stream.about,
    endpoint: `${stream.endpoint.method} ${stream.endpoint.paths[0]}`,
    document: stream.document,
    table: `${schema}.${name}`,
    history: stream.history === null ? null : `${schema}.${getTableConfig(stream.history).name}`,
    key: ['project_id', ...stream.key],
    parent: stream.parent?.stream.name ?? null,
    schedule: stream.schedule,
    columns: columns.map((column) => ({
      name: column.name,
      type: column.getSQLType(),
      about: stream.fields[column.name]?.about ?? SYSTEM_COLUMN_ABOUT[column.name] ?? '',
    })),
  };
}

function show({ stream, about, endpoint, table, history, key, parent, columns }: Entry): string {
  const width = Math.max(...columns.map(({ name }) => name.length));
  const lines = columns.map(({ name, type, about: text }) => `    ${name.padEnd(width)}  ${type.padEnd(27)}  ${text}`);
  const notes = [
    `key ${key.join(', ')}`,
    ...(history === null ? [] : [`history in ${history}`]),
    ...(parent === null ? [] : [`one list for each row of ${parent}`]),
  ];
  return [`${stream} -> ${table}`, `  ${about}`, `  ${endpoint}`, `  ${notes.join('; ')}`, ...lines].join('\n');
}
