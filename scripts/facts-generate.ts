/**
 * `npm run facts:generate -- FOLDER [Operation...]`: regenerates `src/facts/operations.jsonl` from the Python SDK, and
 * adds the named operations. FOLDER is the unpacked result of `pip download --no-deps huaweicloudsdkhss
 * huaweicloudsdkdbss`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elementValues, limitsOf } from './facts/limits.ts';
import { type Attribute, Sdk } from './facts/sdk.ts';

type Json = Readonly<Record<string, unknown>>;
type Kind = Parameters<typeof limitsOf>[0];

const FILE = join(import.meta.dirname, '..', 'src', 'facts', 'operations.jsonl');
const KINDS: Readonly<Record<string, Kind>> = {
  str: 'text',
  int: 'integer',
  float: 'number',
  bool: 'boolean',
  datetime: 'text',
};

const [folder = '', ...added] = process.argv.slice(2);
const sdks = {
  dbss: new Sdk(join(folder, 'huaweicloudsdkdbss', 'v1'), 'dbss'),
  hss: new Sdk(join(folder, 'huaweicloudsdkhss', 'v5'), 'hss'),
};
const known = readFileSync(FILE, 'utf8').matchAll(/^\{"operation":"(\w+)"/gm);
const names = [...new Set([...added, ...[...known].map(([, name = '']) => name)])].sort();
const lines = Object.entries(sdks).flatMap(([service, sdk]) =>
  names.flatMap((name) => {
    const facts = factsOf(sdk, name);
    return facts === undefined ? [] : [JSON.stringify({ operation: name, service, ...facts })];
  }),
);
writeFileSync(FILE, lines.map((line) => `${line}\n`).join(''));
process.stdout.write(`${lines.length} operations\n`);

function factsOf(sdk: Sdk, name: string): Json | undefined {
  const operation = sdk.operation(name);
  if (operation === undefined) return undefined;
  const { method, path, places } = operation;
  const response = fieldsOf(sdk, operation.response, []);
  const parameters = Object.fromEntries(
    (sdk.model(operation.request) ?? []).map((attribute) => [
      attribute.name,
      { in: places.get(attribute.name), ...factOf(sdk, attribute, { trail: [], isParameter: true }) },
    ]),
  );
  const lists = Object.keys(response).filter((key) => response[key]?.type === 'list');
  return {
    method,
    path,
    list: listOf(response, lists),
    total: ['total_num', 'total', 'total_count'].find((key) => key in response) ?? null,
    parameters,
    response,
  };
}

/** The key of the rows: the only list of objects, or the key that all lists of this API use. */
function listOf(response: Readonly<Record<string, Json>>, lists: readonly string[]): string | null {
  if (lists.includes('data_list')) return 'data_list';
  const ofObjects = lists.filter((key) => JSON.stringify(response[key]?.items).includes('"fields"'));
  return ofObjects.length === 1 ? (ofObjects[0] ?? null) : null;
}

interface Where {
  /** Enclosing models, because a model may contain itself. */
  readonly trail: readonly string[];
  readonly isParameter: boolean;
}

function factOf(sdk: Sdk, { type, text, required }: Attribute, { trail, isParameter }: Where): Json {
  const element = /^list\[(.+)\]$/.exec(type)?.[1];
  const kind: Kind = element === undefined ? (KINDS[type] ?? 'object') : 'list';
  const inner = (model: string): Json => {
    const fields = trail.includes(model) ? {} : fieldsOf(sdk, model, [...trail, model]);
    return Object.keys(fields).length === 0 ? {} : { fields };
  };
  const isRequired = isParameter && required ? { required: true } : {};
  if (kind === 'object') return { type: kind, ...inner(type), ...isRequired };
  if (element === undefined) return { type: kind, ...limitsOf(kind, text, isParameter), ...isRequired };
  const elementKind = KINDS[element] ?? 'object';
  const values = elementKind === 'object' ? undefined : elementValues(elementKind, text);
  const items = { type: elementKind, ...(values && { values }), ...(elementKind === 'object' && inner(element)) };
  return { type: kind, ...limitsOf(kind, text, isParameter), items, ...isRequired };
}

/** The members of a model; required ones are marked if it is the body of a request. */
function fieldsOf(sdk: Sdk, model: string, trail: readonly string[]): Readonly<Record<string, Json>> {
  const isParameter = model.includes('Request');
  return Object.fromEntries(
    (sdk.model(model) ?? []).map((attribute) => [attribute.name, factOf(sdk, attribute, { trail, isParameter })]),
  );
}
