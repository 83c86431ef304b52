/**
 * `npm run db:generate [-- name]`: the migrations that bring the last committed schema to the definitions. Tables come
 * from drizzle-kit; what it does not know follows in migrations of their own: comments, and the views of the schema bi.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { biMigration, dropViews, hasBiSchema } from '../src/postgres/bi/index.ts';
import { commentStatements, missingComments } from '../src/postgres/comments.ts';
import { streams } from '../src/streams/index.ts';

const folder = join(import.meta.dirname, '..', 'migrations');
const files = () =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort();
const generate = (...args: string[]) =>
  execFileSync('drizzle-kit', ['generate', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });

const read = () => files().map((file) => readFileSync(join(folder, file), 'utf8'));
const own = (suffix: string, sql: string) => {
  generate('--custom', '--name', name === undefined || name === suffix ? suffix : `${name}_${suffix}`);
  writeFileSync(join(folder, files().at(-1) ?? ''), sql);
};

const [, , name] = process.argv;
const before = read();
generate(...(name === undefined ? [] : ['--name', name]));

const tables = read().length > before.length ? files().at(-1) : undefined;
if (tables !== undefined && dropViews(before) !== '') {
  const path = join(folder, tables);
  writeFileSync(path, `${dropViews(before)}--> statement-breakpoint\n${readFileSync(path, 'utf8')}`);
}

const missing = missingComments(commentStatements(streams), read().join('\n'));
if (missing.length > 0) own('comments', `${missing.join('\n')}\n`);

// What a change of tables dropped is made anew, whether or not its definition changed.
if (tables !== undefined || !hasBiSchema(before, streams)) own('bi', biMigration(before, streams));
