import { expect, it } from 'vitest';
import { inWords, minutesBetween, viewStatements } from '../../src/postgres/schema/bi/view.ts';
import { biViews } from '../../src/postgres/schema/repeatable.ts';
import { streams } from '../../src/streams/index.ts';

it('comments every view and every column', () => {
  for (const view of biViews(streams)) {
    expect(viewStatements(view)).toHaveLength(Object.keys(view.columns).length + 2);
    for (const [name, [, about]] of Object.entries(view.columns)) expect(about, `${view.name}.${name}`).toMatch(/\.$/);
  }
});

it('keeps an unknown value as it is', () => {
  expect(inWords('e.action', { warn: "Someone's warning" })).toBe(
    "CASE e.action WHEN 'warn' THEN 'Someone''s warning' ELSE e.action END",
  );
});

it('never shows an end before the beginning', () => {
  expect(minutesBetween('a', 'b')).toMatch(/^CASE WHEN b < a THEN 0 ELSE/);
});
