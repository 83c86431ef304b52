import { expect, it } from 'vitest';
import { inWords, minutesBetween, viewStatements } from '../../src/postgres/schema/bi/view.ts';
import { biViews } from '../../src/postgres/schema/repeatable.ts';
import { streams } from '../../src/streams/index.ts';

it('every view and every column has a comment', () => {
  for (const view of biViews(streams)) {
    expect(viewStatements(view)).toHaveLength(Object.keys(view.columns).length + 2);
    for (const [name, [, about]] of Object.entries(view.columns)) expect(about, `${view.name}.${name}`).toMatch(/\.$/);
  }
});

it('a view keeps a value that it has no text for', () => {
  expect(inWords('e.action', { warn: "Someone's warning" })).toBe(
    "CASE e.action WHEN 'warn' THEN 'Someone''s warning' ELSE e.action END",
  );
});

it('a view never shows an end before its beginning', () => {
  expect(minutesBetween('a', 'b')).toMatch(/^CASE WHEN b < a THEN 0 ELSE/);
});
