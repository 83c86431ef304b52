import { describe, expect, test } from 'vitest';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { EXAMPLES } from '../../src/sandbox/lists/examples.ts';
import type { SandboxOptions } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { exchanges, problemsOf, streamsAround } from '../support/exchanges.ts';
import { createTestDatabase } from '../support/postgres.ts';

const database = await createTestDatabase();

test('every request of every stream, and every response of the sandbox to it, is documented', async () => {
  const kept = await exchanges(database, {}, inOrder(streams));
  expect(new Set(kept.map(({ call }) => call.operation)).size).toBeGreaterThanOrEqual(streams.length);
  expect([...new Set(kept.flatMap(problemsOf))]).toEqual([]);
});

describe('every request to a variant of the sandbox, and every response, is documented', () => {
  const instances = ['ListAuditInstancesLast', 'ListAuditInstancesNew', 'ListAuditInstances'];
  // Of the variants only the lists that the options change, and the lists below them.
  test.each<readonly [string, SandboxOptions, readonly Stream[]]>([
    [
      'camelCase, and the instances of the generation in between',
      { lists: { ListClusterEvents: { casing: 'camel' } }, instanceGenerations: ['v1'], instanceTimeZone: 'UTC+08:00' },
      streamsAround(['ListClusterEvents', ...instances]),
    ],
    [
      'the older shape of that generation',
      { instanceGenerations: ['v1'], v1InstanceShape: 'servers' },
      streamsAround(instances),
    ],
    ['the oldest generation of instances', { instanceGenerations: ['v1-dbss'] }, streamsAround(instances)],
    ['the published examples in English', { examples: true }, streamsAround(Object.keys(EXAMPLES))],
    [
      'the published examples in Chinese',
      { examples: true, eventsDocument: 'zh' },
      streamsAround(['ListClusterEvents', 'ListClusterProtectionInfo']),
    ],
  ])('%s', async (_, options, read) => {
    const kept = await exchanges(database, options, read);
    const operations = new Set(kept.map(({ call }) => call.operation));
    // The published examples have no rows that have lists of their own below a parent of theirs.
    const reached = read.filter(({ parent }) => options.examples !== true || parent?.stream.parent === undefined);
    expect(operations.size).toBeGreaterThanOrEqual(reached.length);
    expect([...new Set(kept.flatMap(problemsOf))]).toEqual([]);
  });
});
