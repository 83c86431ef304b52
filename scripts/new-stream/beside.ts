import { type OperationFacts, rowFields } from '../../src/facts/facts.ts';
import { membersOf } from '../../src/sandbox/documented/values.ts';
import { seedOf, startRandom } from '../../src/sandbox/estate/random.ts';
import { constant } from './stream-file.ts';

/** A published example as stored in `test/fixtures/published/reference`. */
export interface Published {
  readonly uri: string;
  readonly source: string;
  readonly response: Readonly<Record<string, unknown>>;
}

/** Generated records have times in the month before this. */
const MADE_AT_MS = Date.UTC(2026, 0, 1);

/**
 * The fixture of a new stream: the published example if there is one, else two records generated from the facts and
 * marked as such.
 */
export function fixtureFile(facts: OperationFacts, published: readonly Published[]): string {
  const { operation, service, list, total } = facts;
  const known = published.find(({ uri }) => uri === `${facts.method} ${facts.path}`);
  if (known !== undefined) return text({ ...known.response, _source: known.source });
  const random = startRandom(seedOf(operation));
  const { fields, item } = rowFields(facts);
  const records = [0, 1].map(() => membersOf(fields, { random, service, bag: {}, now: MADE_AT_MS }));
  return text({
    ...(total === null ? {} : { [total]: records.length }),
    [list ?? 'data_list']: item === undefined ? records : records.map((record) => ({ [item]: record })),
    _source: 'Made from the documented model: no real answer was at hand.',
  });
}

const text = (body: object): string => `${JSON.stringify(body, null, 2)}\n`;

/** `src/streams/index.ts` with the new stream added. */
export function indexWith(source: string, { service, table }: { service: string; table: string }): string {
  const name = constant(`${service}_${table}`);
  if (source.includes(`{ ${name} }`)) return source;
  const line = `import { ${name} } from './${service}/${table.replaceAll('_', '-')}.ts';`;
  const lines = source.split('\n');
  const imports = lines.filter((each) => each.startsWith('import { ')).concat(line);
  // Without `.ts`, so that `hosts` comes before `hosts-of-vulnerabilities`, as the formatter sorts them.
  const path = (each: string): string => each.slice(each.indexOf("from '"), -".ts';".length);
  const others = lines.filter((each) => !each.startsWith('import { '));
  const sorted = imports.toSorted((a, b) => (path(a) < path(b) ? -1 : 1));
  const [first = '', ...rest] = others;
  return [first, ...sorted, ...rest].join('\n').replace(/\n\];/, `\n  ${name},\n];`);
}

/** The file of `src/sandbox/documented/entries` with an entry for the operation appended. */
export function entriesWith(source: string, { operation }: OperationFacts): string {
  const entry = [
    `  list('${operation}', {`,
    "    rows: say('one for each thing: { per: kind }; or a number of them, with what they refer to: { times: 100, with: [kinds] }'),",
    "    key: [say('the members that tell rows apart')],",
    "    moving: say('{ member, days }: the time that moves with every change; no line without one'),",
    "    fixed: say('{ member, days }: the time that a row keeps; no line without one'),",
    '  }),',
  ];
  return source.replace(/\n\];\n$/, `\n${entry.join('\n')}\n];\n`);
}

/** The entries file for a list, chosen by its path. */
export function entriesFor({ service, path }: OperationFacts): string {
  const homes: readonly (readonly [RegExp, string])[] = [
    [/vulnerabilit/, 'vulnerabilities'],
    [/baseline|check-rule|risk-config/, 'baseline'],
    [/\/images?\//, 'images'],
    [/container|cluster|kubernetes|webtamper|docker/, 'containers'],
    [/event|antivirus|rasp|file/, 'alarms'],
  ];
  return service === 'dbss' ? 'dbss' : (homes.find(([pattern]) => pattern.test(path))?.[1] ?? 'hosts');
}
