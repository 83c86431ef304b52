import { chmod, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startCli, temporaryDirectory } from '../support/cli.ts';

/** What a start leaves behind in the user's home. */

async function cacheAfterStart(mode: number): Promise<readonly string[] | null> {
  const home = await temporaryDirectory();
  await chmod(home, mode);
  const env = { HOME: home, NODE_COMPILE_CACHE: '' };
  const { code } = await startCli(['--version'], { cwd: home, env }).result;
  expect(code).toBe(0);
  const cache = join(home, '.cache', 'security-sync');
  const made = await stat(cache).catch(() => null);
  if (made === null) return null;
  expect(made.mode & 0o777).toBe(0o700);
  return await readdir(cache);
}

test('compiled files are kept where only their user can write', async () => {
  expect(await cacheAfterStart(0o755)).toHaveLength(1);
});

test.each([0o777, 0o775])('compiled files are not kept where others could write (%o)', async (mode) => {
  expect(await cacheAfterStart(mode)).toBeNull();
});
