import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';
import { ask, hold } from '../support/embedded-holder.ts';

/** The embedded server under locales and users of other machines; each test makes a data directory of its own. */

const root = await mkdtemp(join(tmpdir(), 'embedded-'));
await chmod(root, 0o755); // the user that Postgres runs as must be able to pass
afterAll(() => rm(root, { recursive: true, force: true }));

async function start(where: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(where, { fsync: 'off' });
  onTestFinished(async () => void (await server.release()));
  return server;
}

test.for(['C', 'de_DE.UTF-8'])('the encoding is UTF8 and the order that of code points under LANG=%s', async (lang) => {
  const where = join(root, `lang-${lang || 'none'}`);
  const holder = await hold(where, { env: { PATH: process.env.PATH, LANG: lang, LC_ALL: lang } });
  const { url } = JSON.parse(holder.line);
  const facts =
    "current_setting('server_encoding') || (select string_agg(x, '' order by x) from unnest(array['b', 'ä', 'B', 'a']) x)";
  expect(await ask(url, facts)).toBe('UTF8Babä');
  expect(await holder.leave()).toBe('stopped');
});

test('five starts at once in an empty directory share one server', async () => {
  const empty = join(root, 'five');
  const five = await Promise.all(Array.from({ length: 5 }, () => start(empty)));
  expect(new Set(five.map(({ url }) => url)).size).toBe(1);
  const outcomes = await Promise.all(five.map((server) => server.release()));
  expect(outcomes.filter((outcome) => outcome === 'stopped')).toHaveLength(1);
});

test('a path with shell metacharacters is used literally', async () => {
  const where = join(root, 'a $HOME "b" `id` \\c \'d\' ä', 'postgres');
  const first = await start(where);
  expect([first.joined, await ask(first.url, "current_setting('data_directory')")]).toEqual([false, where]);
  const second = await start(where);
  expect(second.joined).toBe(true);
  expect(await second.release()).toBe('left running');
  expect(await first.release()).toBe('stopped');
});

describe.runIf(process.getuid?.() === 0)('as root', () => {
  const ordinary = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];

  test('a directory that other users may not enter works in a user namespace, or is named', async () => {
    const closed = join(root, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const holder = await hold(join(closed, 'postgres'));
    if (holder.line.startsWith('{')) expect(await holder.leave()).toBe('stopped');
    else expect(holder.line).toMatch(`may not enter ${closed}: allow it (chmod o+x ${closed})`);
  });

  test('an ordinary user starts a server of his own, and root joins it', async () => {
    const home = join(root, 'home');
    await mkdir(home);
    await chown(home, 1000, 1000);
    const holder = await hold(join(home, 'postgres'), { wrapper: ordinary });
    if (holder.line.includes('/etc/passwd')) return; // uid 1000 has no name on this machine: that is the message for it
    const joined = await start(join(home, 'postgres'));
    expect(holder.line).toBe(JSON.stringify({ url: joined.url, joined: false }));
    expect(await holder.leave()).toBe('left running');
    expect(await joined.release()).toBe('stopped');
  });
});
