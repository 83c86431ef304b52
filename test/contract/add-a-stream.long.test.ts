import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../support/cli.ts';

/** The steps of CONTRIBUTING.md, "Add a stream", one after the other, in a copy of the project with a repository of its own. */

const ROOT = join(import.meta.dirname, '..', '..');
let copy = '';

function sh(command: string): string {
  // Without the clock of this process (`test/support/clock.ts`): the tests of the copy set their own.
  const { TEST_DATABASE_URL, PATH, HOME, TMPDIR } = process.env;
  const env = { TEST_DATABASE_URL, TMPDIR, HOME, PATH: `${join(ROOT, 'node_modules', '.bin')}:${PATH}`, NO_COLOR: '1' };
  try {
    return execFileSync('bash', ['-e', '-c', command], { cwd: copy, env, encoding: 'utf8' });
  } catch (error) {
    const { stdout, stderr }: { stdout?: unknown; stderr?: unknown } = Object(error);
    throw new Error(`${command}\n${stdout}\n${stderr}`);
  }
}

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(join(copy, path), 'utf8');
  const after = change(before);
  expect(after, `${path} has nothing to change`).not.toBe(before);
  writeFileSync(join(copy, path), after);
}

const migrations = () => readdirSync(join(copy, 'migrations')).filter((name) => name.endsWith('.sql'));

async function copyProject(): Promise<void> {
  copy = await temporaryDirectory();
  const files = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  for (const file of files.split('\0').filter((name) => name !== '')) {
    cpSync(join(ROOT, file), join(copy, file), { verbatimSymlinks: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  sh(`git init -q && git config user.name author && git config user.email author@example.com
      git add -A && git commit -qm 'before the new stream'`);
}

test('the steps of CONTRIBUTING.md lead from the scaffold to a stream with one migration that every check accepts', async () => {
  await copyProject();
  const before = migrations();

  // Step 1: the scaffold. What it leaves open fails the type check.
  sh('npm run -s new-stream -- hss.list_backup_policy backup_policies');
  expect(() => sh('tsc')).toThrow(/say/);

  // Steps 2 and 3: what no document says, and a description of the table and of each column.
  edit('src/streams/hss/backup-policies.ts', (source) =>
    source
      .replace(
        "about: ''",
        "about: 'Backup policies: how often the files of a host are backed up, and how long they are kept.'",
      )
      .replace(/group: say\([^)]*\)/, "group: 'ransomware'")
      .replace(/order: \[.*\],\n/, "order: [fixed('id')],\n")
      .replace(/version: .*\n/, '')
      .replace(/history: .*\n/, 'history: true,\n')
      .replace(/schedule: .*\n/, "schedule: '*/30 * * * *',\n")
      .replace(/reconcileEveryMs: .*\n/, 'reconcileEveryMs: 24 * 3_600_000,\n')
      .replace(/targetMs: .*\n/, 'targetMs: 3 * 3_600_000,\n')
      .replace(/key: \[say\(.*\)\]/, "key: ['id']")
      .replace(/, moving }/, ' }')
      .replace(/^( +\w+: \w+\()''/gm, "$1'What the policy says about it.'"),
  );

  // Step 5: the entry of the sandbox.
  edit('src/sandbox/documented/entries/hosts.ts', (source) =>
    source.replace(
      /(list\('ListBackupPolicy', {\n)[\s\S]*?\n {2}}\),/,
      "$1    rows: { times: 4 },\n    key: ['id'],\n  }),",
    ),
  );
  sh('npm run -s fix');

  // Step 6: one migration.
  sh('npm run -s db:generate -- backup_policies');
  const added = migrations().filter((name) => !before.includes(name));
  expect(added).toEqual([expect.stringMatching(/_backup_policies\.sql$/)]);
  const sql = readFileSync(join(copy, 'migrations', added[0] ?? ''), 'utf8');
  expect(sql.match(/create table "hss"\."\w+"/gi)?.sort()).toEqual([
    'CREATE TABLE "hss"."backup_policies"',
    'CREATE TABLE "hss"."backup_policies_history"',
  ]);

  // Step 7: documents, checks, and of the tests those that a new stream concerns.
  sh('npx security-sync streams --markdown > tables.md && mv tables.md docs/tables.md');
  edit('CHANGELOG.md', (text) => `${text}- \`hss.backup_policies\`: backup policies.\n`);
  sh('npm run -s check');
  sh(
    'npx vitest run --maxWorkers=1 test/contract test/service/tables.test.ts test/postgres/migrate.test.ts test/types',
  );
  sh('git add -A && git commit -qm "A stream of backup policies"');
  sh('npm run -s db:check');
});
