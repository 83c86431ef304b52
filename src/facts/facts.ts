import { readFileSync } from 'node:fs';

/** What the documents say about a field or a parameter. README.md of this folder explains the members. */
export interface Fact {
  readonly type: 'text' | 'integer' | 'number' | 'boolean' | 'list' | 'object';
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  /** Documented as text, but a published example has a number. */
  readonly orNumber?: boolean;
  /** Documented as a number, but a published example has text. */
  readonly orText?: boolean;
  readonly in?: 'query' | 'path' | 'body' | 'header';
  readonly required?: boolean;
  readonly items?: Fact;
  readonly fields?: FactFields;
}

export type FactFields = Readonly<Record<string, Fact>>;

/** What the documents say about a list operation. */
export interface OperationFacts {
  readonly operation: string;
  readonly service: 'hss' | 'dbss';
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly list: string | null;
  readonly total: string | null;
  readonly parameters: FactFields;
  readonly response: FactFields;
}

interface Correction {
  readonly operation: string;
  readonly at: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly more?: readonly string[];
  readonly copy?: { readonly operation: string; readonly at: string };
}

const file = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/**
 * The operations by `METHOD /path/{template}`, with the corrections applied.
 *
 * @throws {Error} if a correction names something that does not exist.
 */
export function readFacts(): ReadonlyMap<string, OperationFacts> {
  const operations = new Map<string, OperationFacts>();
  for (const line of file('operations.jsonl').trim().split('\n')) {
    const one: OperationFacts = JSON.parse(line);
    operations.set(one.operation, one);
  }
  const corrections: readonly Correction[] = JSON.parse(file('corrections.json'));
  for (const each of corrections) correct(operations, each);
  return new Map([...operations.values()].map((one) => [`${one.method} ${one.path}`, one]));
}

function correct(
  operations: Map<string, OperationFacts>,
  { operation: name, at, set = {}, more, copy }: Correction,
): void {
  const facts = operations.get(name);
  const [root, ...path] = at.split('.');
  if (facts === undefined || (root !== 'parameters' && root !== 'response') || path.length === 0) {
    throw new Error(`corrections.json: there is no ${at} of ${name}`);
  }
  const before = factAt(copy === undefined ? facts : operations.get(copy.operation), copy?.at ?? at);
  const values = more === undefined ? {} : { values: [...(before?.values ?? []), ...more] };
  const members = Object.entries({ ...before, ...set, ...values }).filter(([, value]) => value !== null);
  if (members.length === 0) throw new Error(`corrections.json: ${name} has no ${at}`);
  const after: Fact = JSON.parse(JSON.stringify(Object.fromEntries(members)));
  operations.set(name, { ...facts, [root]: replaced(facts[root], path, after) });
}

/**
 * The fact at a path such as `response.data_list.image_id`. Members of a list element are addressed as members of the
 * list.
 */
export function factAt(facts: OperationFacts | undefined, at: string): Fact | undefined {
  const [root, ...path] = at.split('.');
  let fields: FactFields | undefined = root === 'parameters' ? facts?.parameters : facts?.response;
  let found: Fact | undefined;
  for (const name of path) {
    found = fields?.[name];
    fields = found?.items?.fields ?? found?.fields;
  }
  return found;
}

/** A copy of the fields with the fact at a path replaced. */
function replaced(fields: FactFields, [name = '', ...path]: readonly string[], after: Fact): FactFields {
  if (path.length === 0) return { ...fields, [name]: after };
  const fact = fields[name];
  if (fact?.items?.fields !== undefined) {
    return {
      ...fields,
      [name]: { ...fact, items: { ...fact.items, fields: replaced(fact.items.fields, path, after) } },
    };
  }
  if (fact?.fields === undefined) throw new Error(`corrections.json: there is nothing inside ${name}`);
  return { ...fields, [name]: { ...fact, fields: replaced(fact.fields, path, after) } };
}

/** How a list is paged, according to its parameters. */
export interface DocumentedPaging {
  /** `whole`: the list has no paging; one response has all of it. */
  readonly kind: 'offset' | 'page' | 'marker' | 'whole';
  readonly in: 'query' | 'body';
  /** Page parameters are sent as text. */
  readonly asText: boolean;
  /** Minimum and maximum rows of a page; absent if undocumented. */
  readonly min?: number;
  readonly max?: number;
}

/** Which paging parameters an operation takes, and where. */
export function pagingOf({ parameters }: OperationFacts): DocumentedPaging {
  const { body } = parameters;
  for (const [place, fields] of [
    ['query', parameters],
    ['body', body?.fields ?? {}],
  ] as const) {
    const size = fields.limit ?? fields.size;
    if (size === undefined) continue;
    const { min, max } = size;
    const kind = 'offset' in fields ? 'offset' : 'page' in fields ? 'page' : 'marker';
    const bounds = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
    return { kind, in: place, asText: size.type === 'text', ...bounds };
  }
  return { kind: 'whole', in: 'query', asText: false };
}

/** The fields of one row. If an object wraps the row, its name is in `item`. */
export function rowFields({ list, response }: OperationFacts): { readonly fields: FactFields; readonly item?: string } {
  const fields = response[list ?? '']?.items?.fields ?? {};
  const [[name, only] = ['', undefined], ...others] = Object.entries(fields);
  return others.length === 0 && only?.fields !== undefined ? { fields: only.fields, item: name } : { fields };
}

/**
 * A name in snake_case, as in the facts: the API writes the same field in snake_case in one place and in camelCase in
 * another.
 */
export const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
