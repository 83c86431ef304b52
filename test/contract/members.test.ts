import { expect, test } from 'vitest';
import { factAt } from '../../src/facts/facts.ts';
import { streams } from '../../src/streams/index.ts';
import { facts } from '../support/facts.ts';

const TYPES: Readonly<Record<string, string>> = { text: 'text', bigint: 'integer', 'double precision': 'number' };

test.each(
  streams.flatMap((stream) => stream.memberLists.map((members) => ({ stream, members, column: members.column }))),
)(
  'the table of $column of $stream.name has the members that the documents name, but for secrets',
  ({ stream, members }) => {
    const operation = facts.get(`${stream.endpoint.method} ${stream.endpoint.paths[0]}`) ?? expect.unreachable();
    const documented = factAt(operation, `response.${operation.list}.${members.column}`)?.items?.fields ?? {};
    const stored = Object.entries(documented).filter(([name]) => !(name in stream.secrets));
    expect(Object.keys(members.fields).sort()).toEqual(stored.map(([name]) => name).sort());
    for (const [name, { type, values, maxLength, max }] of stored) {
      const field = members.fields[name] ?? expect.unreachable();
      expect({ [name]: TYPES[field.type] }).toEqual({ [name]: type });
      expect(field.documented.values, name).toEqual(values);
      expect(field.documented.max, name).toBe(maxLength ?? max);
    }
  },
);
