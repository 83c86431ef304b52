import { expect, test } from 'vitest';
import { type Judged, verdictOf } from '../../src/cli/status.ts';

const judged = (stream: string, project: number, note: string | null): Judged => ({
  stream,
  group: 'hosts',
  project_id: `p${project}`,
  account: 'prod',
  region: 'cn-north-4',
  state: null,
  judgement: note === null ? { standing: 'fresh', note } : { standing: 'failed', note },
});

const estate = (note: (stream: number, project: number) => string | null) =>
  Array.from({ length: 50 }, (_, project) => project).flatMap((project) =>
    Array.from({ length: 63 }, (_, stream) => judged(`stream_${stream}`, project, note(stream, project))),
  );

test('the verdict of 63 tables in 50 projects names twelve tables of a cause, and how many more there are', () => {
  const { lines } = verdictOf(estate(() => 'no answer'));
  expect(lines[0]).toBe('3150 of 3150 tables are not fresh and proven:');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^stream_0 \(project p0\), .* and 3138 more: failed: no answer$/);
});

test('the verdict of 63 tables in 50 projects that all fail in their own way stays below 20 lines', () => {
  const { lines } = verdictOf(estate((stream, project) => `no answer ${stream} ${project}`));
  expect(lines.length).toBeLessThan(20);
  expect(lines.at(-1)).toBe('and 3138 other causes');
});
