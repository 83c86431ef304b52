import { type Config, loadConfig } from '../config/config.ts';
import { byGroup, GROUPS, type Group, inOrder, type Stream, streamNamed } from '../core/stream/stream.ts';
import { SYSTEM_COLUMN_ABOUT } from '../core/stream/table.ts';
import { streams } from '../streams/index.ts';
import { tablesMarkdown } from './catalogue/markdown.ts';
import { type Context, EXIT, type ExitCode } from './context.ts';
import { table } from './output.ts';

interface Entry {
  readonly stream: string;
  readonly group: Group;
  /** Whether the configuration enables it. */
  readonly on: boolean;
  readonly on_by_default: boolean;
  /** Enabled streams that need the rows of this one, which is not enabled itself. */
  readonly needed_by: readonly string[];
  readonly about: string;
  readonly endpoint: string;
  readonly document: string;
  readonly table: string;
  readonly history: string | null;
  /** Tables of the lists inside its rows, by column. */
  readonly lists: Readonly<Record<string, string>>;
  readonly key: readonly string[];
  readonly parent: string | null;
  readonly schedule: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly about: string }[];
}

export interface StreamsFlags {
  readonly markdown?: boolean;
}

/**
 * `security-sync streams`: lists the streams by group and whether they are enabled; for named streams, endpoints,
 * tables and columns. Needs neither configuration nor database; of a configuration, it reads only `streams`.
 */
export async function streamsCommand(
  context: Context,
  names: readonly string[],
  { markdown = false }: StreamsFlags,
): Promise<ExitCode> {
  if (markdown) {
    context.io.stdout.write(tablesMarkdown(streams));
    return EXIT.ok;
  }
  const config = await loadConfig({ streams, file: context.configFile, streamsOnly: true });
  const chosen = names.length === 0 ? inOrder(streams) : names.map((name) => streamNamed(streams, name));
  const entries = chosen.map((stream) => entryOf(stream, config));
  context.answer({ streams: entries }, () =>
    names.length === 0 ? overview(entries, config.file) : entries.map(details).join('\n\n'),
  );
  return EXIT.ok;
}

function entryOf(stream: Stream, { streams: settings }: Config): Entry {
  const { schema, name, columns } = stream.table;
  const { enabled = false, neededBy = [] } = settings[stream.name] ?? {};
  return {
    stream: stream.name,
    group: stream.group,
    on: enabled,
    on_by_default: stream.onByDefault ?? true,
    needed_by: neededBy,
    about: stream.about,
    endpoint: `${stream.endpoint.method} ${stream.endpoint.paths[0]}`,
    document: stream.document,
    table: `${schema}.${name}`,
    history: stream.history === null ? null : `${schema}.${stream.history.name}`,
    lists: Object.fromEntries(stream.memberLists.map((one) => [one.column, `${schema}.${one.table.name}`])),
    key: ['project_id', ...stream.key],
    parent: stream.parent?.stream.name ?? null,
    schedule: settings[stream.name]?.schedule ?? stream.schedule,
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type,
      about: stream.fields[column.name]?.about ?? SYSTEM_COLUMN_ABOUT[column.name] ?? '',
    })),
  };
}

function overview(entries: readonly Entry[], file: string | null): string {
  const groups = byGroup(entries, ({ group }) => group).map(([group, own]) => {
    const rows = own.map(({ stream, table: target, schedule, ...entry }) => ({
      stream,
      read: readText(entry),
      table: target,
      schedule,
    }));
    return `${group} (${own.filter(({ on }) => on).length} of ${own.length} enabled): ${GROUPS[group]}\n${table(rows)}`;
  });
  return [
    ...groups,
    `${entries.filter(({ on }) => on).length} of ${entries.length} streams are enabled, by ${file ?? 'the environment and the defaults'}. Others: streams.groups, or streams.NAME.enabled.`,
    'Columns of a table: security-sync streams NAME',
  ].join('\n\n');
}

function readText({ on, needed_by }: Pick<Entry, 'on' | 'needed_by'>): string {
  const [first] = needed_by;
  if (first !== undefined) return `for ${first}${needed_by.length > 1 ? ` and ${needed_by.length - 1} more` : ''}`;
  return on ? 'yes' : 'no';
}

function details({
  stream,
  about,
  endpoint,
  table: target,
  history,
  lists,
  key,
  parent,
  columns,
  ...entry
}: Entry): string {
  const width = Math.max(...columns.map(({ name }) => name.length));
  const lines = columns.map(({ name, type, about: text }) => `    ${name.padEnd(width)}  ${type.padEnd(27)}  ${text}`);
  const notes = [
    `group ${entry.group}`,
    `read: ${readText(entry)}`,
    `key ${key.join(', ')}`,
    ...(history === null ? [] : [`history in ${history}`]),
    ...Object.entries(lists).map(([column, name]) => `${column} as rows in ${name}`),
    ...(parent === null ? [] : [`one list for each row of ${parent}`]),
  ];
  return [`${stream} -> ${target}`, `  ${about}`, `  ${endpoint}`, `  ${notes.join('; ')}`, ...lines].join('\n');
}
