/**
 * `npm run db:generate [-- name]`: writes the migration from the last committed schema to the current definitions (by
 * drizzle-kit), and the repeatable script that migrate() applies whenever it changes: views, their indexes, comments.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repeatableText } from '../src/postgres/schema/repeatable.ts';
import { streams } from '../src/streams/index.ts';

const [, , name] = process.argv;
const args = name === undefined ? [] : ['--name', name];
execFileSync('drizzle-kit', ['generate', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
writeFileSync(join(import.meta.dirname, '..', 'migrations', 'repeatable.sql'), repeatableText(streams));
