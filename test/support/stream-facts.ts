import type { ApiCall } from '../../src/core/ports.ts';
import { callFor, fixedListings, listingsUnder } from '../../src/core/stream/endpoint.ts';
import type { Field } from '../../src/core/stream/fields.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { spanParams } from '../../src/core/stream/time.ts';
import { rowFields } from '../../src/facts/facts.ts';
import { scope } from './engine.ts';
import {
  contradictions,
  type Fact,
  type FactFields,
  facts,
  type OperationFacts,
  parameterContradictions,
  snakeFields,
} from './facts.ts';

/** A stream against what the documents say of its operation: the fields of its rows, and the requests it makes. */

const ONE_DAY = { begin: Date.UTC(2026, 0, 1), end: Date.UTC(2026, 0, 2) };

/** Members of every record that say where it was listed; each table has columns of its own for them. */
const SCOPE = ['project_id', 'region'];

function operationsOf({ endpoint }: Stream): readonly OperationFacts[] {
  return endpoint.paths.map((path) => {
    const found = facts.get(`${endpoint.method} ${path}`);
    if (found === undefined) throw new Error(`no facts of ${endpoint.method} ${path}`);
    return found;
  });
}

/**
 * The fields of a record by the column they belong to. An object is one column where the stream has one of its name, else its
 * members are columns of their own, named `object_member`.
 */
function recordFields(operation: OperationFacts, columns: ReadonlySet<string>): FactFields {
  return Object.fromEntries(
    Object.entries(snakeFields(rowFields(operation).fields)).flatMap(([name, fact]): [string, Fact][] =>
      fact.fields === undefined || columns.has(name)
        ? [[name, fact]]
        : Object.entries(snakeFields(fact.fields)).map(([inner, one]) => [`${name}_${inner}`, one]),
    ),
  );
}

function namesOf(column: string, field: Field): readonly string[] {
  return [column, ...field.also.map((name) => (field.inside === undefined ? name : `${field.inside}_${name}`))];
}

const TYPES: Readonly<Record<Field['type'], readonly Fact['type'][]>> = {
  text: ['text'],
  bigint: ['integer'],
  'double precision': ['number', 'integer'],
  boolean: ['boolean'],
  timestamptz: ['integer'],
  jsonb: ['list', 'object'],
};

/** Where a stream says something else than the documents, as `stream.column: what`. */
export function differences(stream: Stream): readonly string[] {
  const operations = operationsOf(stream);
  const columns = new Set(Object.entries(stream.fields).flatMap(([column, field]) => namesOf(column, field)));
  const records = operations.map((operation) => recordFields(operation, columns));
  const parameters = operations.map((one) => namedAsColumns(stream, one.parameters));
  // Left out on purpose; the stream itself says why.
  const claimed = new Set<string>([...SCOPE, ...Object.keys(stream.secrets)]);
  const found: string[] = [];
  for (const [column, field] of Object.entries(stream.fields)) {
    if (field.derive !== undefined) continue;
    const names = namesOf(column, field);
    for (const name of names) claimed.add(name);
    const factsIn = (all: readonly FactFields[]) =>
      all.flatMap((fields) => names.flatMap((name) => fields[name] ?? []));
    const [inRecords, inRequests] = [factsIn(records), factsIn(parameters)];
    const known = inRecords.length > 0 ? inRecords : inRequests;
    if (known.length === 0) found.push(`${column}: in no document`);
    else found.push(...fieldDifferences(field, known).map((what) => `${column}: ${what}`));
  }
  for (const name of new Set(records.flatMap((fields) => Object.keys(fields)))) {
    if (!claimed.has(name)) found.push(`${name}: documented, and not in the stream`);
  }
  return found.map((what) => `${stream.name}.${what}`);
}

/** Parameters by the columns that they are sent from; what the documents say of their values, as it is stored. */
function namedAsColumns({ endpoint }: Stream, parameters: FactFields): FactFields {
  const renamed = Object.entries(endpoint.names ?? {}).map(([column, wire]): [string, Fact | undefined] => {
    const fact = parameters[wire];
    const spellings = Object.entries(endpoint.spellings?.[column] ?? {});
    if (fact === undefined || spellings.length === 0) return [column, fact];
    const documented = fact.type === 'boolean' ? ['true', 'false'] : (fact.values ?? []);
    const values = documented.map((one) => spellings.find(([, all]) => all.includes(one))?.[0] ?? one);
    return [column, { ...fact, type: 'text', values }];
  });
  return { ...parameters, ...Object.fromEntries(renamed.flatMap(([column, fact]) => (fact ? [[column, fact]] : []))) };
}

function fieldDifferences(field: Field, known: readonly Fact[]): readonly string[] {
  const types = field.zoneless ? ['text'] : TYPES[field.type];
  const wrong = known
    .filter(({ type }) => !types.includes(type))
    .map(({ type }) => `${field.type} for a documented ${type}`);
  const values = [...new Set(known.flatMap((fact) => fact.values ?? []))].map((value) => String(field.convert(value)));
  if (values.length > 0 && field.type === 'text') {
    const stored = [...(field.documented.values ?? [])].sort().join(', ');
    const documented = [...new Set(values)].sort().join(', ');
    return stored === documented ? wrong : [...wrong, `values ${stored}, documented ${documented}`];
  }
  return [...wrong, ...rangeDifferences(field, known, values.map(Number))];
}

function rangeDifferences(
  { type, documented }: Field,
  known: readonly Fact[],
  values: readonly number[],
): readonly string[] {
  if (type === 'text') {
    const longest = known.find(({ maxLength }) => maxLength !== undefined)?.maxLength;
    const what = `length ${documented.max ?? 'any'}, documented ${longest ?? 'any'}`;
    return documented.max === longest ? [] : [what];
  }
  if (type !== 'bigint' && type !== 'double precision') return [];
  const [min, max] =
    values.length > 0 ? [Math.min(...values), Math.max(...values)] : [known[0]?.min, boundOf(known[0]?.max)];
  const stored = `range ${documented.min ?? 'any'} to ${documented.max ?? 'any'}`;
  const wanted = min === undefined || max === undefined ? 'any' : `${min} to ${max}`;
  const isSame = max === undefined ? documented.max === undefined : documented.min === min && documented.max === max;
  return isSame ? [] : [`${stored}, documented ${wanted}`];
}

/** The largest number of 32 bits (also in the documents' own spelling) is no bound of the thing itself. */
function boundOf(max: number | undefined): number | undefined {
  return max !== undefined && max >= 2_147_483_547 ? undefined : max;
}

/** Requests for the first page of each list of a stream, as every generation of its endpoint would be asked. */
export function requestProblems(stream: Stream): readonly string[] {
  const { endpoint, paging, parent } = stream;
  const window = stream.window === undefined ? {} : spanParams(stream.window, ONE_DAY, 'UTC');
  const found = operationsOf(stream).flatMap((operation, generation) => {
    const fromParent = Object.fromEntries(
      Object.keys(parent?.params ?? {}).map((name) => [name, sampleOf(operation, parent, name)]),
    );
    const listings = parent === undefined ? fixedListings(stream) : listingsUnder(parent, fromParent);
    return listings.flatMap((one) => {
      const dialect = { generation, spellings: {} };
      const at = { offset: 0, limit: paging.limit };
      const { query, body, ...call } = callFor({ endpoint, paging }, scope, { listing: one, at, dialect });
      const asked = { ...call, query: { ...window.query, ...query }, body: { ...window.body, ...body } };
      return callProblems(operation, asked);
    });
  });
  const split = stream.split?.parameter;
  const lists = operationsOf(stream).flatMap(({ parameters, list, response }) => [
    ...(split === undefined || split in parameters ? [] : [`${split}: unknown parameter`]),
    ...(list !== null && list in response ? [] : ['no list']),
  ]);
  return [...new Set([...found, ...lists])].map((what) => `${stream.name} asks for ${what}`);
}

/** A value that a row of the parent may have: a documented one where the documents name them. */
function sampleOf({ parameters }: OperationFacts, parent: Stream['parent'], name: string): string {
  const column = parent?.params[name] ?? '';
  const only = parent?.only?.column === column ? parent.only.values[0] : undefined;
  const [known] = parent?.stream.fields[column]?.documented.values ?? [];
  return only ?? known ?? parameters[name]?.values?.[0] ?? 'x'.repeat(parameters[name]?.minLength ?? 1);
}

/** What a request has that the documents lack, and what the documents ask for and it lacks. */
export function callProblems({ parameters }: OperationFacts, { query = {}, body = {} }: ApiCall): readonly string[] {
  const missing = Object.entries(parameters).filter(
    ([name, fact]) => fact.required === true && fact.in === 'query' && !(name in query),
  );
  const members = Object.entries(parameters.body?.fields ?? {});
  const missingMembers = members.filter(([name, { required }]) => required === true && !(name in body));
  return [
    ...parameterContradictions(parameters, query),
    ...contradictions(parameters.body?.fields ?? {}, body),
    ...[...missing, ...missingMembers].map(([name]) => `${name}: required, and not sent`),
  ];
}
