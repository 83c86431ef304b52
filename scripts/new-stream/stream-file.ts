import {
  type Fact,
  type FactFields,
  type OperationFacts,
  pagingOf,
  rowFields,
  snakeCase,
} from '../../src/facts/facts.ts';

/** The inputs for the names of a new stream. */
export interface NewStream {
  readonly facts: OperationFacts;
  /** The table, such as `host_status`; the stream is `hss_host_status`. */
  readonly table: string;
}

/**
 * The file of a new stream with everything from the documents. Open points are `say('...')` calls, which no module
 * declares, so that the type check reports each; descriptions are empty, which the contract tests report.
 */
export function streamFile({ facts, table }: NewStream): string {
  const { service, method, path, parameters } = facts;
  const name = `${service}_${table}`;
  const fields = fieldLines(facts);
  const imports = imported(fields.join('\n'));
  const site = service === 'hss' ? 'api-hss2.0' : 'api-dbss';
  const pageParts = pagingLine(facts);
  const windowLine = windowOf(facts);
  return [
    `import { ${pageParts.name} } from '../../core/stream/endpoint.ts';`,
    `import { ${imports} } from '../../core/stream/fields.ts';`,
    "import { defineStream } from '../../core/stream/stream.ts';",
    `import { ${[service, 'drizzleTables'].sort().join(', ')} } from '../../core/stream/table.ts';`,
    ...(windowLine === undefined ? [] : ["import { timeWindow } from '../../core/stream/time.ts';"]),
    "import { fixed, moving } from '../../core/walk/order.ts';",
    '',
    `export const ${constant(name)} = defineStream({`,
    `name: '${name}',`,
    "about: '',",
    `document: 'https://support.huaweicloud.com/${site}/${facts.operation}.html',`,
    "group: say('containers, hosts, vulnerabilities, baseline, images, malware, webtamper, ransomware, dbss or settings'),",
    'onByDefault: false,',
    `endpoint: { service: '${service}', method: '${method}', paths: ['${path}'],`,
    `enterpriseProjects: ${'enterprise_project_id' in parameters} },`,
    `paging: ${pageParts.call},`,
    ...listingLines(facts),
    ...(windowLine === undefined ? [] : [windowLine]),
    `order: [fixed(say('a column that never changes')), moving(say('a time that moves with every change, of ${timesOf(facts)}'))],`,
    "version: say('that time; no line without one'),",
    "history: say('true: earlier versions are kept; or appendOnly: true for a list that only grows'),",
    "schedule: say('how often to look, as cron'),",
    "reconcileEveryMs: say('how often a full walk proves it again'),",
    "targetMs: say('how old the data may get'),",
    `table: { schema: ${service}, name: '${table}',`,
    `key: [say('the columns that tell rows apart, of ${idsOf(facts)}')],`,
    'fields: {',
    ...fields,
    '} } });',
    '',
    `export const { table, history } = drizzleTables(${constant(name)});`,
    '',
  ].join('\n');
}

/** The constant of a stream: `hss_host_status` is `hssHostStatus`. */
export const constant = (name: string): string =>
  name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Every table already has columns for these. */
const SCOPE = new Set(['project_id', 'region']);
/** Only values that can be seconds or milliseconds since the epoch are times; smaller ones are durations. */
const TIME = /(^|_)(time|timestamp)$|_(c|m|a)time$/;
/** Maximum values from here on are limits of the type, not of the value. */
const NO_BOUND = 2_147_483_547;

interface FieldUse extends Pick<OperationFacts, 'service'> {
  /** The document gives it as a parameter of the request; answers need not repeat it. */
  readonly optional?: boolean;
}

function fieldLines(facts: OperationFacts): readonly string[] {
  const { service } = facts;
  const { fields } = rowFields(facts);
  const own = Object.entries(fields).filter(([name]) => !SCOPE.has(snakeCase(name)));
  const listed = neededParameters(facts).filter(([name]) => !own.some(([column]) => snakeCase(column) === name));
  return [
    ...listed.map(
      ([name, fact]) => `${name}: ${fieldCall(name, { ...fact, type: 'text' }, { service, optional: true })},`,
    ),
    ...own.map(([name, fact]) => {
      const column = snakeCase(name);
      if (fact.type !== 'object' || fact.fields === undefined)
        return `${column}: ${fieldCall(column, fact, { service })},`;
      const members = Object.entries(fact.fields).map(
        ([inner, one]) => `${snakeCase(inner)}: ${fieldCall(snakeCase(inner), one, { service })}`,
      );
      return `...inside('${column}', { ${members.join(', ')} }),`;
    }),
  ];
}

function fieldCall(name: string, fact: Fact, { service, optional = false }: FieldUse): string {
  const more = optional ? ['optional: true'] : [];
  const call = (kind: string, options: readonly string[] = []) => {
    const all = [...options, ...more];
    return all.length === 0 ? `${kind}('')` : `${kind}('', { ${all.join(', ')} })`;
  };
  if (fact.type === 'boolean') return call('flag');
  if (fact.type === 'list' || fact.type === 'object') return call('json');
  if (fact.type === 'text') {
    if (TIME.test(name) && fact.values === undefined) return call(service === 'dbss' ? 'zonelessTime' : 'instant');
    if (fact.values !== undefined) return call('text', [`values: [${fact.values.map(quoted).join(', ')}]`]);
    return call('text', fact.maxLength === undefined ? [] : [`max: ${fact.maxLength}`]);
  }
  if (TIME.test(name) && (fact.max === undefined || fact.max > 1e11)) return call('instant');
  const numbers = fact.values?.map(Number);
  const [min, max] = numbers === undefined ? [fact.min, fact.max] : [Math.min(...numbers), Math.max(...numbers)];
  const bounds = min === undefined || max === undefined || max >= NO_BOUND ? [] : [`min: ${min}`, `max: ${max}`];
  return call(fact.type === 'number' ? 'decimal' : 'int', bounds);
}

const quoted = (value: string): string => `'${value.replaceAll("'", "\\'")}'`;

function imported(fields: string): string {
  const names = ['decimal', 'flag', 'inside', 'instant', 'int', 'json', 'text', 'zonelessTime'];
  return names.filter((name) => new RegExp(`\\b${name}\\('`).test(fields)).join(', ');
}

/** Required parameters other than page, window, project and enterprise project. */
function neededParameters({ parameters }: OperationFacts): readonly (readonly [string, Fact])[] {
  const others = /^(project_id|enterprise_project_id|offset|limit|body|region)$|(^|_)time$/;
  return Object.entries(parameters).filter(([name, fact]) => fact.required === true && !others.test(name));
}

/** Fixed listings if every required parameter has documented values, else a parent that knows the values. */
function listingLines(facts: OperationFacts): readonly string[] {
  const needed = neededParameters(facts);
  if (needed.length === 0) return [];
  const unknown = needed
    .filter(([, { values, type }]) => values === undefined && type !== 'boolean')
    .map(([name]) => name);
  if (unknown.length > 0)
    return [`parent: say('childOf(stream, { parameter: column }) for ${needed.map(([name]) => name).join(', ')}'),`];
  let all: readonly Readonly<Record<string, string>>[] = [{}];
  for (const [name, { values = ['true', 'false'] }] of needed) {
    all = all.flatMap((params) => values.map((value) => ({ ...params, [name]: value })));
  }
  return [`listings: ${JSON.stringify(all)},`];
}

interface Call {
  readonly name: string;
  readonly call: string;
}

function pagingLine(facts: OperationFacts): Call {
  const paging = pagingOf(facts);
  const { item } = rowFields(facts);
  const byPage = paging.kind === 'page';
  const usual = paging.kind === 'offset' ? { total: 'total_num', limit: 200 } : { total: 'total', limit: 100 };
  const cap = facts.response[facts.total ?? '']?.max;
  const options = [
    `list: '${facts.list ?? ''}'`,
    ...(item === undefined ? [] : [`item: '${item}'`]),
    ...(facts.total === null || facts.total === usual.total ? [] : [`total: '${facts.total}'`]),
    ...(paging.max === undefined || paging.max === usual.limit ? [] : [`limit: ${paging.max}`]),
    ...(cap === undefined || cap > 10_000 ? [] : [`cap: ${cap}`]),
    ...(paging.asText && byPage ? ['asText: true'] : []),
  ];
  const name = byPage ? 'pagePaging' : paging.kind === 'whole' ? 'wholePaging' : 'offsetPaging';
  return { name, call: `${name}({ ${options.join(', ')} })` };
}

/** The two required parameters of a time window; a list with optional ones is read without. */
function windowOf({ parameters, service }: OperationFacts): string | undefined {
  const time = parameters.body?.fields?.time;
  if (time?.required === true) {
    return `window: timeWindow({ begin: 'time.start_time', end: 'time.end_time', in: 'body', unit: 'text', column: say('the time it filters by') }),`;
  }
  const needed = Object.entries(parameters).filter(
    ([name, { required }]) => required === true && /(^|_)time$/.test(name),
  );
  const begin = needed.find(([name]) => /begin|start/.test(name));
  const end = needed.find(([name]) => name.includes('end'));
  if (begin === undefined || end === undefined) return undefined;
  const unit = begin[1].type === 'integer' ? 'ms' : service === 'hss' ? 'ms-text' : 'text';
  return `window: timeWindow({ begin: '${begin[0]}', end: '${end[0]}', unit: '${unit}', column: say('the time it filters by') }),`;
}

const columnsOf = (facts: OperationFacts, pattern: RegExp): string =>
  Object.keys(rowFields(facts).fields)
    .filter((name) => pattern.test(snakeCase(name)))
    .join(', ') || 'none';
const timesOf = (facts: OperationFacts): string => columnsOf(facts, TIME);
const idsOf = (facts: OperationFacts): string => columnsOf(facts, /(^|_)id$|name$|type$/);

/** Columns whose names suggest secrets, which must not be stored. */
export function secretColumns(facts: OperationFacts): readonly string[] {
  const found = (fields: FactFields): readonly string[] =>
    Object.entries(fields).flatMap(([name, { items, fields: inner }]) => [
      ...(/password|pwd_(hash|with)|secret|token|credential/.test(name) ? [name] : []),
      ...found(inner ?? items?.fields ?? {}),
    ]);
  return [...new Set(found(rowFields(facts).fields))];
}
