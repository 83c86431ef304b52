import type { Stream } from '../../core/stream.ts';
import { AUDIT_VIEWS } from './audit.ts';
import { EVENT_INDEXES, EVENT_VIEWS } from './events.ts';
import { healthViews } from './health.ts';
import { RISK_VIEWS } from './risk.ts';
import { literal, type View, viewStatements } from './view.ts';
import { VULNERABILITY_INDEXES, VULNERABILITY_VIEWS } from './vulnerabilities.ts';

/** All views of the schema `bi`. None is made from another, so their order does not matter. */
export function biViews(streams: readonly Stream[]): readonly View[] {
  return [...EVENT_VIEWS, ...RISK_VIEWS, ...VULNERABILITY_VIEWS, ...AUDIT_VIEWS, ...healthViews(streams)];
}

const INDEXES = { ...EVENT_INDEXES, ...VULNERABILITY_INDEXES };
const BEGIN = '-- The schema bi: generated from src/postgres/bi, complete in every migration that touches it.';
const ABOUT = 'What dashboards and people may rely on: views in plain words, without JSON.';

/** The whole schema: views are cheap to make anew, and a migration that holds all of them can be read. */
function biSchema(streams: readonly Stream[]): string {
  const statements = [
    'CREATE SCHEMA IF NOT EXISTS "bi";',
    `COMMENT ON SCHEMA "bi" IS ${literal(ABOUT)};`,
    ...Object.entries(INDEXES).map(([name, on]) => `CREATE INDEX IF NOT EXISTS "${name}" ON ${on};`),
    ...biViews(streams).flatMap(viewStatements),
  ];
  return `${BEGIN}\n${statements.join('\n')}\n`;
}

/** Whether the migrations so far (oldest first) make the schema just as the definitions want it. */
export function hasBiSchema(migrations: readonly string[], streams: readonly Stream[]): boolean {
  return latestSchema(migrations) === biSchema(streams);
}

/** The migration that brings the schema `bi` from where the migrations so far leave it to the definitions. */
export function biMigration(migrations: readonly string[], streams: readonly Stream[]): string {
  const wanted = biSchema(streams);
  return `${dropViews(migrations)}${dropIndexes(latestSchema(migrations), wanted)}${wanted}`;
}

/**
 * Drops the views that the migrations so far made last. A migration that changes tables starts with it:
 * Postgres changes no column that a view reads.
 */
export function dropViews(migrations: readonly string[]): string {
  const views = latestSchema(migrations).matchAll(/^CREATE VIEW ("bi"\."\w+") AS$/gm);
  return [...views].map(([, name]) => `DROP VIEW IF EXISTS ${name};\n`).join('');
}

/** Indexes that are wanted no longer, or in another form under the same name. */
function dropIndexes(latest: string, wanted: string): string {
  const indexes = latest.matchAll(/^CREATE INDEX IF NOT EXISTS "(\w+)" ON (\w+)\..*$/gm);
  return [...indexes]
    .filter(([statement]) => !wanted.includes(statement))
    .map(([, name, schema]) => `DROP INDEX IF EXISTS "${schema}"."${name}";\n`)
    .join('');
}

/** The schema as the newest migration that touches it leaves it; empty when there is none. */
function latestSchema(migrations: readonly string[]): string {
  const latest = migrations.findLast((sql) => sql.includes(BEGIN));
  return latest?.slice(latest.indexOf(BEGIN)) ?? '';
}
