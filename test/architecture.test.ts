import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repeatableText } from '../src/postgres/schema/repeatable.ts';
import { streams } from '../src/streams/index.ts';
import { firstLineOf } from './support/first-line.ts';

const SRC = join(import.meta.dirname, '..', 'src');

/** Folders that a folder may import besides its own. `cli`, `ops`, `config` and the files of `src` itself may import all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  streams: ['core'],
  huawei: ['core'],
  postgres: ['core'],
  sync: ['core'],
  facts: [],
  sandbox: ['facts'],
};

/** Each package that reaches the outside world has one home. */
const HOME: Readonly<Record<string, RegExp>> = {
  pg: /^(postgres\/|(app|database)\.ts$|cli\/|ops\/)/,
  'pg-boss': /^postgres\//,
  undici: /^huawei\/transport\/http\.ts$/,
  croner: /^sync\/service\/cron\.ts$/,
  'node-cron': /^sync\/service\/cron\.ts$/,
  pino: /^(logger\.ts$|cli\/|app\.ts$)/,
  'pino-pretty': /^logger\.ts$/,
  fastify: /^ops\//,
  'prom-client': /^ops\//,
  commander: /^cli\/program\.ts$/,
  yaml: /^config\//,
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

describe.each(files)('src/%s', (file) => {
  const source = readFileSync(join(SRC, file), 'utf8');
  const imports = [
    ...source.matchAll(/^(import|export)( type)?[^'"]*?from '([^']+)'/gm),
    ...source.matchAll(/(import)()\('([^']+)'\)/g),
  ].map(([, , type, specifier = '']) => ({ specifier, typeOnly: type === ' type' }));

  it('keeps to its layer (ARCHITECTURE.md, Layers)', () => {
    const layer = file.split('/')[0] ?? '';
    const allowed = MAY_IMPORT[layer];
    for (const { specifier } of imports.filter((one) => one.specifier.startsWith('.'))) {
      const target = relative(SRC, join(SRC, file, '..', specifier)).split('/')[0] ?? '';
      if (allowed !== undefined && target !== layer) {
        expect(
          allowed,
          `src/${file} imports ${specifier}: ${layer}/ may import ${allowed.join(', ') || 'nothing else'}`,
        ).toContain(target);
      }
    }
  });

  it('imports the outside world only where it lives', () => {
    for (const { specifier, typeOnly } of imports) {
      const name = Object.keys(HOME).find((one) => specifier === one || specifier.startsWith(`${one}/`));
      if (name === undefined || (typeOnly && /^(cli|ops)\/|^app\.ts$/.test(file))) continue;
      expect(HOME[name]?.test(file), `src/${file} imports ${specifier}, which lives in ${HOME[name]}`).toBe(true);
    }
  });

  it('is short enough to be read at once', () => {
    expect(source.split('\n').length, `src/${file}: look for the missing room`).toBeLessThanOrEqual(350);
  });
});

it.each(files.filter((file) => /^streams\/\w+\//.test(file)))(
  'src/%s declares its list in at most 80 lines',
  (file) => {
    const source = readFileSync(join(SRC, file), 'utf8');
    if (source.includes('defineStream(')) expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(80);
  },
);

it('has no short file that only one file of its own folder uses: such a file belongs into that one', () => {
  const importers = new Map<string, Set<string>>();
  for (const file of files) {
    for (const [, specifier = ''] of readFileSync(join(SRC, file), 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const target = relative(SRC, join(SRC, file, '..', specifier));
      importers.set(target, (importers.get(target) ?? new Set()).add(file));
    }
  }
  const short = files.filter((file) => {
    const [only, ...others] = importers.get(file) ?? [];
    const isUsedHere = only !== undefined && others.length === 0 && dirname(only) === dirname(file);
    return isUsedHere && readFileSync(join(SRC, file), 'utf8').split('\n').length <= 40;
  });
  expect(short).toEqual([]);
});

describe.each(files.filter((file) => /^(core|sync)\//.test(file)))('src/%s', (file) => {
  const lines = readFileSync(join(SRC, file), 'utf8').split('\n');

  it('has a docstring above every export', () => {
    const undocumented = lines.filter(
      (line, index) => /^export (?!const \{)/.test(line) && lines[index - 1]?.endsWith('*/') !== true,
    );
    expect(undocumented).toEqual([]);
  });

  it('says what null means, above the member of an exported interface or above the interface', () => {
    const silent: string[] = [];
    let ofInterface: string | null = null;
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('export interface ')) ofInterface = docAbove(lines, index);
      if (line.startsWith('}')) ofInterface = null;
      if (ofInterface === null || !/^ {2}readonly \w+\??: .*\| null;$/.test(line)) continue;
      if (!/\bnull\b/i.test(ofInterface + docAbove(lines, index))) silent.push(`${index + 1}: ${line}`);
    }
    expect(silent).toEqual([]);
  });
});

/** The docstring above a line, or above the members that follow it without an empty line or another docstring. */
function docAbove(lines: readonly string[], index: number): string {
  let end = index - 1;
  while (/^ {2}readonly .*;$/.test(lines[end] ?? '')) end -= 1;
  if (lines[end]?.endsWith('*/') !== true) return '';
  const begin = lines.findLastIndex((line, at) => at <= end && line.trimStart().startsWith('/**'));
  return lines.slice(begin, end + 1).join('\n');
}

it('keeps clocks, chance and the environment out of the pure core', () => {
  for (const file of files.filter((one) => one.startsWith('core/') || one.startsWith('streams/'))) {
    const source = readFileSync(join(SRC, file), 'utf8');
    expect(source, `src/${file}`).not.toMatch(/Date\.now\(|Math\.random\(|process\.env|new Date\(\)/);
  }
});

const ROOT = join(SRC, '..');

it('lets no test ask for the time of the machine: test/support/clock.ts has the clock of the tests', () => {
  for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file === 'support/clock.ts' || file === 'architecture.test.ts') continue;
    const source = readFileSync(join(import.meta.dirname, file), 'utf8');
    expect(source, `test/${file}`).not.toMatch(/\bDate\.now\b|new Date\(\)/);
  }
});

const documents = readdirSync(ROOT)
  .filter((file) => file.endsWith('.md'))
  .concat(readdirSync(join(ROOT, 'docs')).flatMap((file) => (file.endsWith('.md') ? [`docs/${file}`] : [])));

it.each(documents)('%s names only files that exist', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const named = [...text.matchAll(/`((?:src|test|bench|scripts|docs|grafana|deploy)\/[\w./-]+\.\w+)`/g)].map(
    ([, path = '']) => path,
  );
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  expect(text, 'a figure that was never filled in').not.toMatch(/@@/);
});

it('migrations/repeatable.sql is what the definitions give; else run npm run db:generate', () => {
  const committed = readFileSync(join(SRC, '..', 'migrations', 'repeatable.sql'), 'utf8');
  expect(committed === repeatableText(streams)).toBe(true);
});

it('a clone and the package start Node with the same options, which docs/operations.md names for other ways to start', () => {
  const start = firstLineOf(join(ROOT, 'src', 'main.ts'));
  expect(start).toEqual({
    args: expect.arrayContaining([expect.stringMatching(/^--min-semi-space-size=\d+$/)]),
    env: {
      MALLOC_ARENA_MAX: '1',
      MALLOC_TRIM_THRESHOLD_: expect.stringMatching(/^\d+$/),
      MALLOC_MMAP_THRESHOLD_: expect.stringMatching(/^\d+$/),
    },
  });
  expect(firstLineOf(join(ROOT, 'bin', 'security-sync.js'))).toEqual(start);
  const settings = Object.entries(start.env).map(([name, value]) => `${name}=${value}`);
  const command = [...settings, 'node', ...start.args, 'src/main.ts run'].join(' ');
  const text = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8').replaceAll(/\s+/g, ' ');
  expect(text.includes(command), command).toBe(true);
});
