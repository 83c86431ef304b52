import { expect, test } from 'vitest';
import type { Origin } from '../../src/core/stream/record.ts';
import { validate } from '../../src/core/stream/validate.ts';
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

test('another element, one more and one less are changes', () => {
  const hashes = [[a, b], [a, c], [a, b, c], [a], [a, a, b], []].map((cve_list) => hashOf({ cve_list }));
  expect(new Set(hashes).size).toBe(hashes.length);
});
