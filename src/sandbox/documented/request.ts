import { type DocumentedPaging, type Fact, type OperationFacts, pagingOf } from '../../facts/facts.ts';
import type { Call } from '../server/call.ts';
import { isObject } from '../server/parameters.ts';
import { dbssParameterError, hssParameterError, Refusal } from '../server/replies.ts';

/** A request with valid parameters. */
export interface DocumentedRequest {
  readonly offset: number;
  /** Infinity for a list without paging. */
  readonly limit: number;
  /** Parameters sent, except those for paging, with their values as text; members of a body as `time.start_time`. */
  readonly sent: ReadonlyMap<string, readonly string[]>;
}

const PAGE = new Set(['offset', 'limit', 'page', 'size', 'marker']);

/** Parses a request according to the facts of its operation; throws the service's refusal if they do not allow it. */
export function readRequest(facts: OperationFacts, call: Call): DocumentedRequest {
  const sent = new Map<string, readonly string[]>();
  const refuse = refusalOf(facts);
  for (const [name, fact] of Object.entries(facts.parameters)) {
    if (fact.in === 'body') readBody({ fact, value: call.body, path: '' }, sent, refuse);
    else {
      const values = valuesOf(call, name, fact);
      if (values.length > 0) sent.set(name, values);
      else if (fact.required === true) throw refuse(`${name} is required`);
      for (const value of values) checkText({ name, fact, value }, refuse);
    }
  }
  const page = readPage(pagingOf(facts), sent, refuse);
  return { ...page, sent: new Map([...sent].filter(([name]) => !PAGE.has(name))) };
}

type Refuse = (why: string) => Refusal;

const refusalOf =
  ({ service }: OperationFacts): Refuse =>
  (why) =>
    new Refusal(service === 'hss' ? hssParameterError(why) : dbssParameterError(why));

function valuesOf({ query, headers, params }: Call, name: string, fact: Fact): readonly string[] {
  if (fact.in === 'path') return [params[name] ?? ''];
  if (fact.in === 'header') return [headers.get(name.toLowerCase())].filter((value) => value !== undefined);
  const all = query.getAll(name);
  // A list comes as repeated parameters or separated by commas; some parameters documented as text are lists too.
  return fact.type === 'list' || /_list$|ies$/.test(name) ? all.flatMap((value) => value.split(',')) : all;
}

interface Sent {
  readonly name: string;
  readonly fact: Fact;
  readonly value: string;
}

function checkText({ name, fact, value }: Sent, refuse: Refuse): void {
  const known = fact.type === 'list' ? (fact.items ?? fact) : fact;
  const number = known.type === 'integer' || known.type === 'number' || known.min !== undefined;
  if (known.type === 'boolean' && value !== 'true' && value !== 'false') throw refuse(`${name} must be true or false`);
  if (number && !/^-?\d{1,19}$/.test(value)) throw refuse(`${name} must be an integer`);
  if (known.values !== undefined && !known.values.includes(value)) {
    throw refuse(`${name} must be one of ${known.values.slice(0, 20).join(', ')}`);
  }
  const [low, high, size] = number
    ? [known.min, known.max, Number(value)]
    : [known.minLength, known.maxLength, value.length];
  if (size < (low ?? size) || size > (high ?? size)) {
    throw refuse(
      `${name} must ${number ? 'be' : 'have'} ${low ?? 0} to ${high ?? 'any'}${number ? '' : ' characters'}`,
    );
  }
}

interface Member {
  readonly fact: Fact;
  readonly value: unknown;
  readonly path: string;
}

function readBody({ fact, value, path }: Member, sent: Map<string, readonly string[]>, refuse: Refuse): void {
  if (!isObject(value)) throw refuse(`${path === '' ? 'the body' : path} must be an object`);
  for (const [name, inner] of Object.entries(fact.fields ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    const member = value[name];
    if (member === undefined || member === null) {
      if (inner.required === true) throw refuse(`${at} is required`);
    } else if (inner.type === 'object') readBody({ fact: inner, value: member, path: at }, sent, refuse);
    else {
      const values = Array.isArray(member) ? member : [member];
      const kind = inner.type === 'list' ? inner.items?.type : inner.type;
      const wanted = kind === 'text' ? 'string' : kind === 'boolean' ? 'boolean' : 'number';
      if (values.some((each) => typeof each !== wanted)) throw refuse(`${at} must be a ${wanted}`);
      for (const each of values) checkText({ name: at, fact: inner, value: String(each) }, refuse);
      sent.set(at, values.map(String));
    }
  }
}

/** Documented defaults: ten rows for HSS, a hundred for DBSS. */
function readPage(
  { kind, in: place, asText }: DocumentedPaging,
  sent: ReadonlyMap<string, readonly string[]>,
  refuse: Refuse,
): Pick<DocumentedRequest, 'offset' | 'limit'> {
  if (kind === 'whole') return { offset: 0, limit: Number.POSITIVE_INFINITY };
  const number = (name: string, preset: number): number => {
    const value = Number(sent.get(name)?.[0] ?? preset);
    if (!Number.isSafeInteger(value) || value < 0) throw refuse(`${name} must be an integer of at least 0`);
    return value;
  };
  if (kind === 'page') {
    const [page, size] = [number('page', 1), number('size', 10)];
    if (page < 1 || size < 1) throw refuse('page and size must be at least 1');
    return { offset: (page - 1) * size, limit: size };
  }
  return { offset: number('offset', 0), limit: number('limit', asText || place === 'body' ? 100 : 10) };
}
