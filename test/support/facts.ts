import { type Fact, type FactFields, type OperationFacts, readFacts, snakeCase } from '../../src/facts/facts.ts';

export type { Fact, FactFields, OperationFacts } from '../../src/facts/facts.ts';

/** Every documented list operation by `METHOD /path/{template}`. */
export const facts: ReadonlyMap<string, OperationFacts> = readFacts();

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

function hasType({ type, orNumber, orText }: Fact, value: unknown): boolean {
  if (orText === true && typeof value === 'string') return true;
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
