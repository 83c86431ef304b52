import { expect, test } from 'vitest';
import { listingsUnder, offsetPaging } from '../../src/core/stream/endpoint.ts';
import { flag, instant, text } from '../../src/core/stream/fields.ts';
import { keyOf } from '../../src/core/stream/record.ts';
import { childOf, defineStream, type StreamDefinition } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { validate } from '../../src/core/stream/validate.ts';
import { asked, candidates, fixed, moving } from '../../src/core/walk/order.ts';

const definition: StreamDefinition = {
  name: 'things',
  group: 'hosts',
  about: 'Things.',
  document: 'https://example.com',
  endpoint: {
    service: 'hss',
    method: 'GET',
    paths: ['/v5/{project_id}/things'],
    query: { a: '1' },
    enterpriseProjects: true,
  },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('id'), asked(moving('at'), 'desc', { sort_key: 'at', sort_dir: 'desc' })],
  schedule: '* * * * *',
  reconcileEveryMs: 1,
  targetMs: 1,
  table: { schema: hss, name: 'things', key: ['id'], fields: { id: text(''), at: instant(''), open: flag('') } },
};
const things = defineStream(definition);

test('a requested order adds its parameters to every request, and a walk tries it first', () => {
  expect(things.endpoint.query).toEqual({ a: '1', sort_key: 'at', sort_dir: 'desc' });
  expect(candidates(things.order).map(({ name }) => name)).toEqual(['at desc', 'id desc', 'id asc', 'at asc']);
});

test('a definition is refused if a parameter of a list is not a column, or has another type than in the parent', () => {
  expect(() => defineStream({ ...definition, listings: [{ category: 'host' }] })).toThrow(
    'things: the parameter "category" of its lists must be a column',
  );
  const parent = childOf(things, { id: 'id' }, { listings: [{ kind: 'x' }] });
  expect(() => defineStream({ ...definition, parent })).toThrow('the parameter "kind"');
  expect(() => defineStream({ ...definition, parent: childOf(things, { id: 'open' }) })).toThrow(
    'the column "id" must have the same type as "open" of its parent',
  );
});

test('a parent row has one list for each constant', () => {
  const parent = childOf(things, { id: 'id' }, { listings: [{ open: 'true' }, { open: 'false' }] });
  expect(listingsUnder(parent, { id: 'a' }, { hot: true }).map(({ key, hot }) => [key, hot])).toEqual([
    ['id=a&open=true', true],
    ['id=a&open=false', true],
  ]);
  expect(listingsUnder(childOf(things, { id: 'id' }), { id: 'a' }).map(({ key }) => key)).toEqual(['id=a']);
});

test('keys with times that differ by milliseconds are different', () => {
  const at = (ms: number) => keyOf(['id', 'at'], { id: 'a', at: new Date(ms) });
  expect(at(1_700_000_000_123)).toBe('a\u00012023-11-14T22:13:20.123Z');
  expect(at(1_700_000_000_123)).not.toBe(at(1_700_000_000_124));
});

test('secrets are removed from records nested deeper than the call stack allows', () => {
  const secret = defineStream({ ...definition, secrets: { token: 'a password' } });
  const deep: unknown = JSON.parse(`{"id":"a","more":${'['.repeat(7_000)}{"Token":"s3cret"}${']'.repeat(7_000)}}`);
  const { rows } = validate(secret, [deep], {
    origin: { projectId: 'p', region: 'r', params: {}, timeZone: 'UTC' },
    listingKey: '',
  });
  expect(rows).toHaveLength(1);
  expect(JSON.stringify(rows[0]?.extra)).not.toContain('s3cret');
});
