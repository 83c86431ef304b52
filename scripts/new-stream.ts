/**
 * `npm run new-stream -- hss.list_host_status [table]`: writes the stream, its fixture, its entry in the sandbox and
 * its line in the index from `src/facts`. Open points are `say('...')` calls and empty descriptions, which `npm run
 * check` and the contract tests report. `--into FOLDER` writes into another copy of the project.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { readFacts, snakeCase } from '../src/facts/facts.ts';
import { entriesFor, entriesWith, fixtureFile, indexWith, type Published } from './new-stream/beside.ts';
import { secretColumns, streamFile } from './new-stream/stream-file.ts';

const ROOT = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { into: { type: 'string', default: ROOT } },
});
const [wanted = '', named] = positionals;
const said = (service: string, operation: string): string => `${service}.${snakeCase(operation).replace(/^_/, '')}`;
const all = [...readFacts().values()];
const facts = all.find((one) => said(one.service, one.operation) === wanted);
if (facts === undefined) {
  const words = wanted.split(/[._]/).filter((word) => !['hss', 'dbss', 'list', ''].includes(word));
  const near = all
    .map((one) => said(one.service, one.operation))
    .filter((name) => words.some((word) => name.includes(word)));
  refuse(`src/facts has no "${wanted}". Near it: ${near.slice(0, 20).join(', ') || 'none'}`);
}

const { service, operation } = facts;
const table = named ?? snakeCase(operation).replace(/^_(list|show)_/, '');
const at = (...path: readonly string[]): string => join(values.into, ...path);
const written: string[] = [];
/** Formats and writes a file. Biome only formats files of the project, so the text is passed with a path inside it. */
const write = (path: string, text: string): void => {
  const formatted = path.endsWith('.ts')
    ? execFileSync('biome', ['format', `--stdin-file-path=${relative(values.into, path)}`], {
        cwd: ROOT,
        input: text,
        encoding: 'utf8',
      })
    : text;
  writeFileSync(path, formatted);
  written.push(path);
};

const stream = at('src', 'streams', service, `${table.replaceAll('_', '-')}.ts`);
if (existsSync(stream)) refuse(`${stream} is there already`);
write(stream, streamFile({ facts, table }));
const index = at('src', 'streams', 'index.ts');
write(index, indexWith(readFileSync(index, 'utf8'), { service, table }));
const published = at('test', 'fixtures', 'published', 'reference');
const examples = readdirSync(published).map(
  (name): Published => JSON.parse(readFileSync(join(published, name), 'utf8')),
);
write(at('test', 'fixtures', 'streams', `${service}_${table}.json`), fixtureFile(facts, examples));
const folder = at('src', 'sandbox', 'documented', 'entries');
// Read as text, because entries that an earlier scaffold left open cannot be imported.
const isListed = readdirSync(folder).some((name) =>
  readFileSync(join(folder, name), 'utf8').includes(`list('${operation}',`),
);
if (!isListed) {
  const entries = join(folder, `${entriesFor(facts)}.ts`);
  write(entries, entriesWith(readFileSync(entries, 'utf8'), facts));
}
const secrets = secretColumns(facts);
process.stdout.write(
  [
    ...written.map((path) => relative(values.into, path)),
    '',
    ...(secrets.length === 0 ? [] : [`May hold secrets, which must not be stored: ${secrets.join(', ')}.`]),
    "Answer every say('...') and describe every column, then npm run fix: continue with CONTRIBUTING.md, step 2.",
    '',
  ].join('\n'),
);

function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}
