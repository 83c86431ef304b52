import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What the documents say of the list operations: test/fixtures/facts, corrections applied. */

const field = z.strictObject({
  type: z.enum(['text', 'integer', 'number', 'boolean', 'list', 'object']),
  values: z.array(z.string()).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  /** Typed as text, but a published example has a number. */
  orNumber: z.boolean().optional(),
  in: z.enum(['query', 'path', 'body', 'header']).optional(),
  required: z.boolean().optional(),
  get items() {
    return field.optional();
  },
  get fields() {
    return z.record(z.string(), field).optional();
  },
});

const operation = z.strictObject({
  operation: z.string(),
  service: z.enum(['hss', 'dbss']),
  method: z.enum(['GET', 'POST']),
  path: z.string(),
  /** Key of the list in the answer; null where the answer has several. */
  list: z.string().nullable(),
  parameters: z.record(z.string(), field),
  response: z.record(z.string(), field),
});

const correction = z.strictObject({
  operation: z.string(),
  /** Path of a field below `parameters` or `response`; what lies inside a list is named as if it lay in the list itself. */
  at: z.string(),
  /** Members of the field; null takes one away. */
  set: z.record(z.string(), z.unknown()).optional(),
  copy: z.strictObject({ operation: z.string(), at: z.string() }).optional(),
  source: z.string().min(10),
});

export type Fact = z.infer<typeof field>;
export type FactFields = Readonly<Record<string, Fact>>;
export type OperationFacts = z.infer<typeof operation>;

const file = (name: string) => readFileSync(new URL(`../fixtures/facts/${name}`, import.meta.url), 'utf8');

/** Every operation of the facts file by `METHOD /path/{template}`. */
export const facts: ReadonlyMap<string, OperationFacts> = load();

function load(): ReadonlyMap<string, OperationFacts> {
  const lines = file('operations.jsonl').trim().split('\n');
  const operations = lines.map((line) => operation.parse(JSON.parse(line)));
  const named = (name: string) => {
    const found = operations.find((one) => one.operation === name);
    if (found === undefined) throw new Error(`corrections.json: there is no operation ${name}`);
    return found;
  };
  for (const { operation: name, at, set = {}, copy } of z
    .array(correction)
    .parse(JSON.parse(file('corrections.json')))) {
    const { holder, key } = placeOf(named(name), at);
    const source = copy === undefined ? undefined : placeOf(named(copy.operation), copy.at);
    const before = source === undefined ? holder[key] : source.holder[source.key];
    if (before === undefined) throw new Error(`corrections.json: ${name} has no ${at}`);
    const members = Object.entries({ ...before, ...set }).filter(([, value]) => value !== null);
    holder[key] = field.parse(Object.fromEntries(members));
  }
  return new Map(operations.map((one) => [`${one.method} ${one.path}`, one]));
}

/** The members among which a field is or will be, and its name there. */
function placeOf(facts: OperationFacts, at: string): { readonly holder: Record<string, Fact>; readonly key: string } {
  const [root, ...names] = at.split('.');
  const key = names.pop() ?? '';
  let holder = root === 'parameters' ? facts.parameters : facts.response;
  for (const name of names) {
    const next = holder[name];
    const inner = next?.items?.fields ?? next?.fields;
    if (inner === undefined) throw new Error(`corrections.json: ${facts.operation} has nothing inside ${name} (${at})`);
    holder = inner;
  }
  return { holder, key };
}

/** A name as the facts have it: the API writes the same field in snake_case here and in camelCase there. */
export const snakeCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Members of an object with every name in snake_case. */
export function snakeFields(fields: FactFields): FactFields {
  return Object.fromEntries(Object.entries(fields).map(([name, fact]) => [snakeCase(name), fact]));
}

/** Where an answer says what no document says, as `path: what`. Null and "" are no value, and say nothing. */
export function contradictions(fields: FactFields, value: unknown, path = ''): readonly string[] {
  return objectProblems({ type: 'object', fields }, value, path);
}

function problems(fact: Fact, value: unknown, path: string): readonly string[] {
  if (value === null || value === '') return [];
  if (fact.type === 'object') return objectProblems(fact, value, path);
  if (fact.type === 'list') {
    const { items, maxItems = Number.POSITIVE_INFINITY } = fact;
    if (!Array.isArray(value)) return [`${path}: ${typeof value} instead of a list`];
    const found = items === undefined ? [] : value.flatMap((item) => problems(items, item, path));
    return value.length > maxItems ? [...found, `${path}: more than ${maxItems} elements`] : found;
  }
  if (!hasType(fact, value)) return [`${path}: ${typeof value} instead of ${fact.type}`];
  const text = String(value);
  if (fact.values !== undefined) return fact.values.includes(text) ? [] : [`${path}: undocumented value ${text}`];
  return isWithin(fact, value) ? [] : [`${path}: out of range: ${text.slice(0, 200)}`];
}

function objectProblems({ fields }: Fact, value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: not an object`];
  if (fields === undefined) return [];
  const known = snakeFields(fields);
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const fact = known[snakeCase(name)];
    return fact === undefined ? [`${at}: unknown name`] : problems(fact, inner, at);
  });
}

function hasType({ type, orNumber }: Fact, value: unknown): boolean {
  if (type === 'text') return typeof value === 'string' || (orNumber === true && typeof value === 'number');
  if (type === 'boolean') return typeof value === 'boolean';
  return typeof value === 'number' && (type === 'number' || Number.isInteger(value));
}

function isWithin({ type, min, max, minLength, maxLength }: Fact, value: unknown): boolean {
  const [low, high] = type === 'text' ? [minLength, maxLength] : [min, max];
  const size = type === 'text' ? [...String(value)].length : Number(value);
  return (low === undefined || size >= low) && (high === undefined || size <= high);
}

/** The same for the parameters of a request, whose query is text whatever its type. */
export function parameterContradictions(
  parameters: FactFields,
  sent: Readonly<Record<string, unknown>>,
): readonly string[] {
  return Object.entries(sent).flatMap(([name, value]) => {
    const fact = parameters[name];
    if (fact === undefined) return [`${name}: unknown parameter`];
    if (fact.type === 'text') return problems(fact, String(value), name);
    return problems(fact, fact.type === 'boolean' ? value === 'true' || value === 'false' : Number(value), name);
  });
}
