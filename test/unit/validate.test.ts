import { expect, test } from 'vitest';
import { computed, parsedFrom, text } from '../../src/core/stream/fields.ts';
import { isObject, hashOf as rowHash } from '../../src/core/stream/json.ts';
import type { Origin } from '../../src/core/stream/record.ts';
import { defineStream, type Stream } from '../../src/core/stream/stream.ts';
import { hss } from '../../src/core/stream/table.ts';
import { isFormerFingerprint, validate } from '../../src/core/stream/validate.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssImageVulnerabilities } from '../../src/streams/hss/image-vulnerabilities.ts';

const ORIGIN: Origin = {
  projectId: 'p',
  region: 'r',
  params: { image_type: 'local_image', type: 'linux_vul', handle_status: 'unhandled' },
  timeZone: 'UTC',
};

function hashOf(record: Readonly<Record<string, unknown>>): string | undefined {
  const vulnerability = { vul_id: 'v', vul_name: 'x', severity_level: 'High', scan_time: 1_788_220_800_000 };
  return validate(hssImageVulnerabilities, [{ ...vulnerability, ...record }], { origin: ORIGIN, listingKey: '' })
    .rows[0]?.hash;
}

const [a, b, c] = [{ cve_id: 'CVE-1' }, { cve_id: 'CVE-2' }, { cve_id: 'CVE-3', tags: ['x', 'y'] }];

test('another order of a list inside a row is not a change of the row', () => {
  expect(hashOf({ cve_list: [a, b, c] })).toBe(hashOf({ cve_list: [c, a, b] }));
  expect(hashOf({ cve_list: [c] })).toBe(hashOf({ cve_list: [{ cve_id: 'CVE-3', tags: ['y', 'x'] }] }));
  expect(hashOf({ unknown: { list: [2, 1] } })).toBe(hashOf({ unknown: { list: [1, 2] } }));
});

test('another order of the members of objects inside a row is not a change of the row', () => {
  const one = { cve_id: 'CVE-1', cvss: { score: 7, vector: 'x' }, tags: ['x', { a: 1, b: [{ c: 1, d: 2 }] }] };
  const other = { tags: [{ b: [{ d: 2, c: 1 }], a: 1 }, 'x'], cvss: { vector: 'x', score: 7 }, cve_id: 'CVE-1' };
  expect(hashOf({ cve_list: [a, one] })).toBe(hashOf({ cve_list: [other, a] }));
  expect(hashOf({ new_name: 1, newer: { y: 1, x: 2 } })).toBe(hashOf({ newer: { x: 2, y: 1 }, new_name: 1 }));
  expect(hashOf({ cve_list: [one] })).not.toBe(hashOf({ cve_list: [{ ...one, cvss: { score: 'x', vector: 7 } }] }));
});

test('fingerprints that earlier versions computed for a row are recognized', () => {
  const isFormer = (stream: Stream, record: object, hash: string) => {
    const [row] = validate(stream, [record], { origin: ORIGIN, listingKey: '' }).rows;
    return row !== undefined && row.hash !== hash && isFormerFingerprint(stream, hash, row);
  };
  // As those versions computed them.
  const inOrder = '9cf28e3bd219075a1938c15bcbc91df0';
  const vulnerability = { vul_id: 'v', vul_name: 'x' };
  expect(isFormer(hssImageVulnerabilities, { ...vulnerability, cve_list: [{ b: 1, a: 2 }] }, inOrder)).toBe(true);
  expect(isFormer(hssImageVulnerabilities, { ...vulnerability, cve_list: [{ a: 2, b: 1 }] }, inOrder)).toBe(false);

  const event = { event_id: 'e', event_name: 'x', event_content: '{"b":[2,1],"a":1}', update_time: 1_788_220_800_000 };
  const withJson = '6d75fc536031a9ab473f71cc2c3774a2';
  expect(isFormer(hssClusterEvents, event, withJson)).toBe(true);
  expect(isFormer(hssClusterEvents, event, '26e3e6c380db7ecc1383c1dd4777c2b6'), 'members in order').toBe(true);
  expect(isFormer(hssClusterEvents, { ...event, event_content: '{"a":1}' }, withJson)).toBe(false);
  expect(isFormer(hssClusterEvents, { ...event, event_content: 'text' }, 'f9429ac89defda0f00335592b335cc1c')).toBe(
    true,
  );
});

test('another element, one more and one less are changes', () => {
  const hashes = [[a, b], [a, c], [a, b, c], [a], [a, a, b], []].map((cve_list) => hashOf({ cve_list }));
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('a column can be computed from one that only the table has, and rows of earlier versions are recognized', () => {
  const pods = defineStream({
    ...hssClusterEvents,
    order: [],
    listings: [],
    history: false,
    table: {
      schema: hss,
      name: 'pods',
      key: ['id'],
      fields: {
        id: text('Id.'),
        body: text('Body.'),
        body_json: parsedFrom('body', 'Body as JSON.'),
        kind: computed('Kind.', ({ body_json: body }) => (isObject(body) ? String(body.kind) : null)),
        at: text('Place.'),
      },
    },
  });
  const record = { id: 'a', body: '{"kind":"Pod"}', at: 'x' };
  const general = pods.parse(record, ORIGIN);
  const [generated] = validate(pods, [record], { origin: ORIGIN, listingKey: '' }).rows;
  const row = { id: 'a', body: '{"kind":"Pod"}', at: 'x', kind: 'Pod' };
  expect(general).toMatchObject({ ok: true, row });
  expect(generated?.row).toEqual(row);
  const before = rowHash({ id: 'a', body: '{"kind":"Pod"}', at: 'x', body_json: { kind: 'Pod' }, kind: 'Pod' }, null);
  expect(generated !== undefined && isFormerFingerprint(pods, before, generated)).toBe(true);
});
