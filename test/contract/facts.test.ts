import { describe, expect, test } from 'vitest';
import { int, json, text } from '../../src/core/stream/fields.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { isDocumented } from '../../src/sandbox/documented/lists.ts';
import { streams } from '../../src/streams/index.ts';
import { exchanges, operationsOf, problemsOf } from '../support/exchanges.ts';
import { contradictions, facts, parameterContradictions } from '../support/facts.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { differences, requestProblems } from '../support/stream-facts.ts';
import { DELIBERATE } from './deliberate.ts';

/**
 * Every stream, every request and every answer of the sandbox against what the documents say. An invented name or value fails
 * here; so does a documented one that a stream leaves out.
 */

const database = await createTestDatabase();

test('every stream agrees with the documents, except for declared differences', () => {
  expect(streams.flatMap(differences).sort()).toEqual(Object.keys(DELIBERATE).sort());
});

test('every stream sends documented parameters and values, and all required ones', () => {
  expect(streams.flatMap(requestProblems)).toEqual([]);
});

/** Streams whose lists the sandbox does not make from the facts. */
const HAND_MADE = inOrder(streams.filter((stream) => !operationsOf(stream).some(isDocumented)));

describe('every request to the sandbox and every response is documented', () => {
  // The other lists are asked for in documented-lists.test.ts, and through their streams in facts.long.test.ts.
  test('of the lists as they are by default', async () => {
    const kept = await exchanges(database, {}, HAND_MADE);
    expect(new Set(kept.map(({ call }) => call.operation)).size).toBeGreaterThanOrEqual(HAND_MADE.length);
    expect([...new Set(kept.flatMap(problemsOf))]).toEqual([]);
  });
});

describe('the comparison of a stream with the documents', () => {
  const events = streams.find(({ name }) => name === 'hss_cluster_events');
  if (events === undefined) throw new Error('no stream of cluster events');
  const { fields } = events;
  const changed = (more: Stream['fields']) => differences({ ...events, fields: { ...fields, ...more } });

  test.each<readonly [string, Stream['fields'], string]>([
    ['an unknown field', { colour: text('Colour.') }, 'colour: in no document'],
    ['a wrong type', { event_type: text('Type.') }, 'event_type: text for a documented integer'],
    ['a wrong type of a text', { cluster_id: int('Id.') }, 'cluster_id: bigint for a documented text'],
    [
      'a missing value',
      { handle_status: text('State.', { values: ['handled'] }) },
      'handle_status: values handled, documented handled, unhandled',
    ],
    ['a wrong length', { cluster_name: text('Name.', { max: 65 }) }, 'cluster_name: length 65, documented 64'],
  ])('finds %s', (_, more, what) => {
    expect(changed({})).toEqual([]);
    expect(changed(more)).toEqual([`hss_cluster_events.${what}`]);
  });

  test('finds a documented field that a stream lacks, also inside an object', () => {
    const { resource_info_kind: _, policy_id: __, ...rest } = fields;
    expect(differences({ ...events, fields: rest })).toEqual([
      'hss_cluster_events.policy_id: documented, and not in the stream',
      'hss_cluster_events.resource_info_kind: documented, and not in the stream',
    ]);
  });

  test('accepts an object as one JSON column', () => {
    const flat = Object.entries(fields).filter(([, { inside }]) => inside === undefined);
    const whole = { ...Object.fromEntries(flat), resource_info: json('The resource.') };
    expect(differences({ ...events, fields: whole })).toEqual([]);
  });

  test('finds a parameter that no document has, a value that is not documented, and a required one that is not sent', () => {
    const vulnerabilities = streams.find(({ name }) => name === 'hss_image_vulnerabilities');
    if (vulnerabilities === undefined) throw new Error('no stream of image vulnerabilities');
    const asked = { ...vulnerabilities, listings: [{ image_type: 'registry', handle_status: 'open', colour: 'red' }] };
    expect(requestProblems(asked)).toEqual([
      'hss_image_vulnerabilities asks for handle_status: undocumented value open',
      'hss_image_vulnerabilities asks for colour: unknown parameter',
      'hss_image_vulnerabilities asks for type: required, and not sent',
    ]);
  });
});

describe('the comparison of an answer with the documents', () => {
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
