import { describe, expect, it } from 'vitest';
import { biMigration, biViews, dropViews, hasBiSchema } from '../../src/postgres/bi/index.ts';
import { inWords, minutesBetween, viewStatements } from '../../src/postgres/bi/view.ts';
import { streams } from '../../src/streams/index.ts';

describe('the migration of the schema bi', () => {
  const first = biMigration([], streams);

  it('is complete: what it made needs no other', () => {
    expect(hasBiSchema(['CREATE TABLE a ();', first], streams)).toBe(true);
    expect(hasBiSchema([], streams)).toBe(false);
  });

  it('is due when a definition changed', () => {
    expect(hasBiSchema([first], streams.slice(1))).toBe(false);
  });

  it('drops the views that the last one made, also those that are gone since', () => {
    const older = first.replace('CREATE VIEW "bi"."clusters" AS', 'CREATE VIEW "bi"."old_clusters" AS');
    const next = biMigration([older], streams);
    expect(next).toContain('DROP VIEW IF EXISTS "bi"."old_clusters";');
    expect(next.match(/^DROP VIEW/gm)).toHaveLength(biViews(streams).length);
    expect(hasBiSchema([older, next], streams)).toBe(true);
  });

  it('keeps indexes that are as they were, and makes changed ones anew', () => {
    const other = first.replace('ON hss.cluster_events (project_id) WHERE', 'ON hss.cluster_events (region) WHERE');
    expect(biMigration([first], streams)).not.toContain('DROP INDEX');
    expect(biMigration([other], streams).match(/^DROP INDEX.*$/gm)).toEqual([
      'DROP INDEX IF EXISTS "hss"."cluster_events_listed_idx";',
    ]);
  });

  it('leaves nothing to drop where no views were made', () => {
    expect(dropViews(['CREATE TABLE a ();'])).toBe('');
  });
});

it('comments every view and every column', () => {
  for (const view of biViews(streams)) {
    expect(viewStatements(view)).toHaveLength(Object.keys(view.columns).length + 2);
    for (const [name, [, about]] of Object.entries(view.columns)) expect(about, `${view.name}.${name}`).toMatch(/\.$/);
  }
});

it('keeps a value nobody foresaw as it is', () => {
  expect(inWords('e.action', { warn: "Somebody's warning" })).toBe(
    "CASE e.action WHEN 'warn' THEN 'Somebody''s warning' ELSE e.action END",
  );
});

it('lets nothing end before it begins', () => {
  expect(minutesBetween('a', 'b')).toMatch(/^CASE WHEN b < a THEN 0 ELSE/);
});
