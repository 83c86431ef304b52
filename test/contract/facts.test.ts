import { describe, expect, test } from 'vitest';
import { inOrder } from '../../src/core/plan.ts';
import type { ApiCall } from '../../src/core/ports.ts';
import type { Field } from '../../src/core/stream/fields.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { DEMO_PROJECT, type SandboxOptions } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { scope, startEngine } from '../support/engine.ts';
import {
  contradictions,
  type Fact,
  type FactFields,
  facts,
  type OperationFacts,
  parameterContradictions,
  snakeFields,
} from '../support/facts.ts';
import { createTestDatabase } from '../support/postgres.ts';

/**
 * Every stream, every request and every answer of the sandbox against what the documents say. An invented name or value fails
 * here; so does a documented one that a stream leaves out.
 */

const database = await createTestDatabase();

/** Where a definition differs from the documents on purpose. */
const DELIBERATE: Readonly<Record<string, string>> = {
  'dbss_audit_reports.percentum: range 0 to 100, documented any': 'a percentage; the documents give no range',
  'hss_image_vulnerabilities.description: length any, documented 128':
    'an advisory text; one that is longer says nothing about the API',
  'hss_image_vulnerabilities.url: length any, documented 128': 'as the description',
  'hss_image_vulnerabilities.solution_detail: length any, documented 128': 'as the description',
};

/** Members of every record that say where it was listed; each table has columns of its own for them. */
const SCOPE = ['project_id', 'region'];

function operationsOf({ endpoint }: Stream): readonly OperationFacts[] {
  return endpoint.paths.map((path) => {
    const found = facts.get(`${endpoint.method} ${path}`);
    if (found === undefined) throw new Error(`no facts of ${endpoint.method} ${path}`);
    return found;
  });
}

/** The fields of a record by the column they belong to; nested ones as `object_member`. */
function recordFields({ list, response }: OperationFacts): FactFields {
  const item = snakeFields(response[list ?? '']?.items?.fields ?? {});
  const [[, only] = ['', undefined], ...others] = Object.entries(item);
  const record = others.length === 0 && only?.fields !== undefined ? snakeFields(only.fields) : item;
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, fact]): [string, Fact][] =>
      fact.type !== 'object'
        ? [[name, fact]]
        : Object.entries(snakeFields(fact.fields ?? {})).map(([inner, one]) => [`${name}_${inner}`, one]),
    ),
  );
}

function namesOf(column: string, field: Field): readonly string[] {
  return [column, ...field.also.map((name) => (field.inside === undefined ? name : `${field.inside}_${name}`))];
}

const TYPES: Readonly<Record<Field['type'], readonly Fact['type'][]>> = {
  text: ['text', 'integer'],
  bigint: ['integer'],
  'double precision': ['number', 'integer'],
  boolean: ['boolean'],
  timestamptz: ['integer'],
  jsonb: ['list', 'object'],
};

function differences(stream: Stream): readonly string[] {
  const operations = operationsOf(stream);
  const records = operations.map(recordFields);
  const parameters = operations.map((one) => one.parameters);
  const claimed = new Set<string>(SCOPE);
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

test('every stream says what the documents say, but for differences that are declared with a reason', () => {
  expect(streams.flatMap(differences).sort()).toEqual(Object.keys(DELIBERATE).sort());
});

interface Exchange {
  readonly call: ApiCall;
  readonly body: unknown;
}

/** Reads every list that a sandbox has, twice with changes in between, and keeps what was asked and answered. */
async function exchanges(options: SandboxOptions): Promise<readonly Exchange[]> {
  // What is learnt of a server belongs to its project.
  projects += 1;
  const projectId = `project${projects}`;
  const { engine, sandbox } = await startEngine(database, {
    clusters: 5,
    events: 120,
    vulnerabilities: 25,
    reports: 60,
    projects: [{ ...DEMO_PROJECT, id: projectId }],
    ...options,
  });
  const kept: Exchange[] = [];
  const source: typeof engine.source = {
    ...engine.source,
    read: (from, call, parse, signal) =>
      engine.source.read(
        from,
        call,
        (text) => {
          kept.push({ call, body: JSON.parse(text) });
          return parse(text);
        },
        signal,
      ),
  };
  for (let round = 0; round < 2; round += 1) {
    for (const stream of inOrder(streams)) {
      const report = await runStream(
        { ...engine, source },
        stream,
        { ...scope, projectId },
        {
          signal: new AbortController().signal,
          full: true,
        },
      );
      expect(report.error, stream.name).toBeNull();
    }
    if (options.examples !== true) sandbox.estate.step(200);
  }
  return kept;
}

function problemsOf({ call, body }: Exchange): readonly string[] {
  const known = facts.get(call.operation);
  if (known === undefined) return [`${call.operation}: an operation without facts`];
  const { parameters, response } = known;
  const asked = [
    ...parameterContradictions(parameters, call.query ?? {}),
    ...contradictions(parameters.body?.fields ?? {}, call.body ?? {}),
  ];
  return [...asked.map((what) => `asked for ${what}`), ...contradictions(response, body)].map(
    (what) => `${known.operation}: ${what}`,
  );
}

let projects = 0;

describe('everything that is asked of the sandbox, and everything it answers, is documented', () => {
  test.each<readonly [string, SandboxOptions]>([
    ['the lists as they are by default', {}],
    [
      'camelCase, and the instances of the generation in between',
      { lists: { ListClusterEvents: { casing: 'camel' } }, instanceGenerations: ['v1'], instanceTimeZone: 'UTC+08:00' },
    ],
    ['the older shape of that generation', { instanceGenerations: ['v1'], v1InstanceShape: 'servers' }],
    ['the oldest generation of instances', { instanceGenerations: ['v1-dbss'] }],
    ['the published examples in English', { examples: true }],
    ['the published examples in Chinese', { examples: true, eventsDocument: 'zh' }],
  ])('%s', async (_, options) => {
    const kept = await exchanges(options);
    const operations = new Set(kept.map(({ call }) => call.operation));
    expect(operations.size).toBeGreaterThanOrEqual(streams.length);
    expect([...new Set(kept.flatMap(problemsOf))]).toEqual([]);
  });
});

describe('the comparison itself', () => {
  const { response } = facts.get('GET /v5/{project_id}/cluster-protect/clusters') ?? { response: {} };
  const cluster = { cluster_id: 'a', protect_status: 'protected with policy', policy_num: 1 };
  const answer = (more: object) => contradictions(response, { total_num: 1, data_list: [{ ...cluster, ...more }] });

  test.each([
    ['an unknown name', { protection: 'on' }, 'data_list.protection: unknown name'],
    ['an invented value', { protect_status: 'protected' }, 'data_list.protect_status: undocumented value protected'],
    ['a wrong type', { policy_num: '1' }, 'data_list.policy_num: string instead of integer'],
  ])('finds %s', (_, more, what) => {
    expect(answer({})).toEqual([]);
    expect(answer(more)).toEqual([what]);
  });

  test('finds a number out of its range, and a parameter that no document has', () => {
    expect(contradictions(response, { total_num: 10_001, data_list: [] })).toEqual(['total_num: out of range: 10001']);
    const { parameters } = facts.get('GET /v5/{project_id}/images/vulnerabilities') ?? { parameters: {} };
    expect(parameterContradictions(parameters, { limit: 500, image_type: 'remote', sort: 'asc' })).toEqual([
      'limit: out of range: 500',
      'image_type: undocumented value remote',
      'sort: unknown parameter',
    ]);
  });
});
