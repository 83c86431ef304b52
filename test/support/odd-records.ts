import type { Field } from '../../src/core/stream/fields.ts';
import { isObject } from '../../src/core/stream/json.ts';
import type { Origin } from '../../src/core/stream/record.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { type Random, random } from './random.ts';

/** The JSON text of a record, as a server may send it, and the list that it comes from. */
export interface OddRecord {
  readonly text: string;
  readonly origin: Origin;
}

/** A record with every documented member, of the documented type. */
export function documentedRecord(stream: Stream): Record<string, unknown> {
  return recordOf(stream, (field, name) => usual(field, name, random(1)));
}

function recordOf(stream: Stream, value: (field: Field, name: string) => unknown): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const [column, field] of Object.entries(stream.fields)) {
    if (field.derive !== undefined) continue;
    const name = field.wire ?? column;
    const inside = field.inside === undefined ? undefined : (record[field.inside] ?? {});
    if (field.inside !== undefined) record[field.inside] = inside;
    Reflect.set(isObject(inside) ? inside : record, name, value(field, column));
  }
  return record;
}

function usual({ type, documented, zoneless }: Field, name: string, draw: Random): unknown {
  const { values, min, max } = documented;
  if (type === 'boolean') return draw.chance(0.5);
  if (type === 'jsonb') return [{ id: draw.int(5), tags: ['b', 'a'] }, { id: draw.int(5) }];
  if (zoneless === true) return '2026-11-28 07:03:56';
  if (type === 'timestamptz') return 1_788_220_800_000 + draw.int(1_000_000);
  if (values !== undefined) return type === 'text' ? values[draw.int(values.length)] : Number(values[0]);
  if (type === 'text') return `${name} ${draw.int(1000)}`.slice(0, max ?? 40).padEnd(min ?? 0, '-');
  return Math.min(max ?? 100, (min ?? 0) + draw.int(10));
}

/** Values that no document mentions, or that are hard to store. */
const ODD: readonly unknown[] = [
  null,
  '',
  ' ',
  0,
  -1,
  1.5,
  JSON.rawJSON('-0'),
  JSON.rawJSON('1e400'),
  JSON.rawJSON('1.0'),
  2 ** 53,
  9_007_199_254_740_993n,
  10n ** 30n,
  1_600_000_000,
  946_684_799_999,
  253_402_300_800_000,
  true,
  false,
  'true',
  '1',
  '17',
  '-1',
  '1788220800000',
  '2026-02-30 00:00:00',
  '2026-11-28T07:03:56+08:00',
  'a\tb\nc\\d\re',
  'nul \u0000',
  'half \ud800',
  '\u{1f600}'.repeat(70),
  '中文'.repeat(80),
  'x'.repeat(300),
  '{"a":[2,1],"b":"\\u0000"}',
  '{"n":9007199254740993}',
  '[1,',
  [],
  {},
  [1],
  [2, 1, [4, 3]],
  { deep: { list: [{ b: 1 }, { a: 2 }] }, 'nul \u0000': 1 },
  ['x\ty', null, 'x\\'],
];

/** Draws records of a stream, most of them with something unusual, from the same seed always the same ones. */
export function* oddRecords(stream: Stream, seed: number): Generator<OddRecord> {
  const draw = random(seed);
  for (;;) {
    const params: Record<string, string> = {};
    for (const name of Object.keys(stream.fields)) if (draw.chance(0.05)) params[name] = `${name} of the list`;
    const origin = { projectId: 'p', region: 'r', params, timeZone: draw.pick(['UTC', '+08:00']) };
    const strangeness = draw.pick([0, 0.05, 0.3]);
    const record = recordOf(stream, (field, name) =>
      draw.chance(strangeness) ? ODD[draw.int(ODD.length)] : usual(field, name, draw),
    );
    if (draw.chance(0.5)) disturb(record, draw);
    yield { text: draw.chance(0.01) ? textOf(ODD[draw.int(ODD.length)]) : textOf(record), origin };
  }
}

/** Removes, renames and adds members, in the record or in an object of it. */
function disturb(record: Record<string, unknown>, draw: Random): void {
  const names = Object.keys(record);
  const name = names[draw.int(names.length)] ?? '';
  const camel = name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const odd = ODD[draw.int(ODD.length)];
  const inner = Object.values(record).find((value) => typeof value === 'object' && value !== null);
  const ways: readonly [() => void, ...(() => void)[]] = [
    () => Reflect.deleteProperty(record, name),
    () => Reflect.set(record, camel, record[name]),
    () => {
      Reflect.set(record, camel, odd);
      if (draw.chance(0.5)) Reflect.deleteProperty(record, name);
    },
    () => Reflect.set(record, draw.pick(['unknown', 'constructor', 'nul \u0000', '__proto']), odd),
    () => Object.defineProperty(record, '__proto__', { value: odd, enumerable: true }),
    () => Reflect.set(record, draw.pick(['project_id', 'projectId', 'region']), draw.pick(['p', 'r', 'other'])),
    () => Reflect.set(inner ?? record, draw.pick(['unknown', 'region']), 'r'),
    () => {
      for (const one of names) if (draw.chance(0.8)) Reflect.deleteProperty(record, one);
    },
    () => Reflect.set(record, name, deep(250)),
  ];
  draw.pick(ways)();
}

function deep(levels: number): unknown {
  let value: unknown = 'end';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { value };
  return value;
}

/** JSON with escapes for what a server would escape, and with all digits. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'bigint' ? JSON.rawJSON(String(inner)) : inner,
  );
}
