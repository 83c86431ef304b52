import { expect, expectTypeOf, test } from 'vitest';
import type { Certificate } from '../../src/core/certificate.ts';
import { offsetPaging } from '../../src/core/stream/endpoint.ts';
import { text } from '../../src/core/stream/fields.ts';
import type { Parsed } from '../../src/core/stream/record.ts';
import { childOf, type StreamDefinition } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { fixed } from '../../src/core/walk/order.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';

/** What the compiler refuses: `tsc` fails when one of these is accepted. */

const good: StreamDefinition = {
  name: 'things',
  about: 'Things.',
  document: 'https://example.com',
  group: 'containers',
  endpoint: { service: 'hss', method: 'GET', paths: ['/v5/{project_id}/things'], enterpriseProjects: true },
  paging: offsetPaging({ list: 'data_list' }),
  order: [fixed('id')],
  schedule: '* * * * *',
  reconcileEveryMs: 1,
  targetMs: 1,
  table: { schema: hss, name: 'things', key: ['id'], fields: { id: text('Id.') } },
};

function refused(): void {
  // @ts-expect-error: a stream without a path reads nothing
  const noPath: StreamDefinition = { ...good, endpoint: { ...good.endpoint, paths: [] } };
  // @ts-expect-error: a path is absolute
  const relative: StreamDefinition = { ...good, endpoint: { ...good.endpoint, paths: ['v5/things'] } };
  // @ts-expect-error: only services that have lists
  const service: StreamDefinition = { ...good, endpoint: { ...good.endpoint, service: 'iam' } };
  // @ts-expect-error: lists are read, never changed
  const method: StreamDefinition = { ...good, endpoint: { ...good.endpoint, method: 'DELETE' } };
  // @ts-expect-error: every field says what it means
  const silent = text();
  // @ts-expect-error: an unknown option is a mistake
  const unknown = text('Id.', { maximum: 5 });
  // @ts-expect-error: a definition cannot be changed afterwards
  good.name = 'other';
  // @ts-expect-error: a proof belongs to a complete certificate only
  const proven: Certificate = { kind: 'incomplete', proof: 'order', evidence: undefined };
  void [noPath, relative, service, method, silent, unknown, proven];
}

test('definitions that cannot work do not compile', () => {
  expect(refused).toBeTypeOf('function');
  expectTypeOf<Extract<Parsed, { ok: false }>>().toHaveProperty('issues');
  expectTypeOf<Extract<Parsed, { ok: true }>>().not.toHaveProperty('issues');
  expectTypeOf(childOf).parameter(0).toEqualTypeOf(hssClusterEvents);
});
