import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Words that hide who does what: name the process, the user or the rule, and give the number. */
const BANNED =
  /\b(anew|for ever|as ever|told from|the books|for want of|so many|so long before|nobody|somebody|whoever|as a rule|be it|comes? to nothing|come up behind|in vain|just so|lent out|on the word of|to be (had|got)|as good as ours)\b/gi;

/** The Unix user of that name. */
const USER_NAME = /(['"`=]|user: |-u', ')nobody|nobody@/g;

const files = execFileSync(
  'git',
  ['ls-files', '*.ts', '*.md', '*.sh', '*.sql', '*.yml', '*.yaml', 'Dockerfile', '.ci/run'],
  {
    cwd: ROOT,
    encoding: 'utf8',
  },
)
  .trim()
  .split('\n')
  // Migrations that were released stay as they are.
  .filter((file) => !/^(migrations\/\d+.*|test\/words\.test\.ts)$/.test(file));

it('texts say who does what (CONTRIBUTING.md, Words)', () => {
  const found = files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        const words = line.replaceAll(USER_NAME, '').match(BANNED) ?? [];
        return words.map((word) => `${file}:${index + 1}: ${word}`);
      }),
  );
  expect(found).toEqual([]);
});
