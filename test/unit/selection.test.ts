import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import type { Selectable } from '../../src/config/streams.ts';

const stream = (name: string, more: Omit<Selectable, 'name'>): Selectable => ({ name, ...more });
const clusters = stream('hss_clusters', { group: 'containers' });
const events = stream('hss_events', { group: 'containers', split: { stream: clusters } });
const hosts = stream('hss_hosts', { group: 'hosts' });
const users = stream('hss_users', { group: 'hosts', onByDefault: false });
const findings = stream('hss_findings', { group: 'malware', onByDefault: false, parent: { stream: hosts } });
const details = stream('hss_details', { group: 'malware', onByDefault: false, parent: { stream: findings } });
const instances = stream('dbss_instances', { group: 'dbss' });
const STREAMS = [clusters, events, hosts, users, findings, details, instances];

const ACCOUNT = `accounts:
  - name: prod
    auth: { kind: token, token: t }
    projects: [{ id: 84b5266c14ae489fa6549827f032dc62, region: cn-north-4 }]
`;

const folder = await mkdtemp(join(tmpdir(), 'selection-'));
afterAll(() => rm(folder, { recursive: true }));

async function load(streams: string, env: Readonly<Record<string, string>> = {}) {
  const file = join(folder, 'security-sync.yaml');
  await writeFile(file, `${ACCOUNT}${streams}`);
  return (await loadConfig({ streams: STREAMS, file, env })).streams;
}

/** Names of the streams that are read. */
async function read(streams: string, env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const loaded = await load(streams, env);
  return STREAMS.flatMap(({ name }) => (loaded[name]?.enabled ? [name] : []));
}

describe('the streams that are read', () => {
  test('are those enabled by default if the configuration has no groups', async () => {
    const byDefault = ['hss_clusters', 'hss_events', 'hss_hosts', 'dbss_instances'];
    expect(await read('')).toEqual(byDefault);
    expect(await read('streams: { groups: [default] }')).toEqual(byDefault);
    expect(await read('streams: { hss_events: { schedule: "*/5 * * * *" } }')).toEqual(byDefault);
  });

  test('are all streams of the groups that are named, and of no other group', async () => {
    expect(await read('streams: { groups: [hosts] }')).toEqual(['hss_hosts', 'hss_users']);
    expect(await read('streams: { groups: [default, hosts] }')).toEqual([
      'hss_clusters',
      'hss_events',
      'hss_hosts',
      'hss_users',
      'dbss_instances',
    ]);
    expect(await read('streams: { groups: [all] }')).toEqual(STREAMS.map(({ name }) => name));
    expect(await read('streams: { groups: [] }')).toEqual([]);
  });

  test('can be enabled and disabled one by one, against the setting of their group', async () => {
    expect(await read('streams: { groups: [dbss], hss_users: { enabled: true } }')).toEqual([
      'hss_users',
      'dbss_instances',
    ]);
    expect(await read('streams: { groups: [hosts], hss_users: { enabled: false } }')).toEqual(['hss_hosts']);
  });

  test('can be set by the environment, over which the file takes precedence', async () => {
    expect(await read('', { SECURITY_SYNC_GROUPS: 'dbss, hosts' })).toEqual([
      'hss_hosts',
      'hss_users',
      'dbss_instances',
    ]);
    expect(await read('streams: { groups: [dbss] }', { SECURITY_SYNC_GROUPS: 'hosts' })).toEqual(['dbss_instances']);
    expect(await read('streams: { groups: [dbss] }', { SECURITY_SYNC_HSS_USERS_ENABLED: 'true' })).toEqual([
      'hss_users',
      'dbss_instances',
    ]);
  });

  test('include the parents of enabled streams, over several generations, and state for which streams', async () => {
    const loaded = await load('streams: { groups: [], hss_details: { enabled: true }, hss_hosts: { enabled: false } }');
    expect(loaded.hss_details).toEqual({ enabled: true });
    expect(loaded.hss_findings).toEqual({ enabled: true, neededBy: ['hss_details'] });
    expect(loaded.hss_hosts).toEqual({ enabled: true, neededBy: ['hss_findings'] });
    expect(loaded.hss_clusters).toEqual({ enabled: false });
  });

  test('include the stream by which the list of an enabled stream is split', async () => {
    const loaded = await load('streams: { hss_clusters: { enabled: false } }');
    expect(loaded.hss_clusters).toEqual({ enabled: true, neededBy: ['hss_events'] });
  });
});

describe('a mistake in the groups', () => {
  const problem = (streams: string) => expect(load(streams)).rejects;

  test('is reported with the group that was meant', async () => {
    await problem('streams: { groups: [host] }').toThrow(
      'streams.groups[0]: unknown group "host", did you mean hosts?; there are containers, hosts,',
    );
  });

  test('in the environment is reported with the name of its variable', async () => {
    await expect(load('', { SECURITY_SYNC_GROUPS: 'dbss,host' })).rejects.toThrow(
      'unknown group "host", did you mean hosts?',
    );
  });

  test('is a group in place of a stream', async () => {
    await problem('streams: { hosts: { enabled: true } }').toThrow(
      'streams: unknown key "hosts": a group is named in streams.groups',
    );
  });

  test('is a map in place of a list', async () => {
    await problem('streams: { groups: { hosts: true } }').toThrow('streams.groups: must be a list of groups');
  });
});

test('a region without DBSS needs no endpoint of DBSS if no stream of DBSS is enabled', async () => {
  const elsewhere = (streams: string) => {
    const text = ACCOUNT.replace('cn-north-4 }]', 'eu-de }]\n    endpoints: { hss: "https://hss.example.com" }');
    const file = join(folder, 'elsewhere.yaml');
    return writeFile(file, `${text}${streams}`).then(() => loadConfig({ streams: STREAMS, file, env: {} }));
  };
  await expect(elsewhere('')).rejects.toThrow('set endpoints.dbss of the account');
  expect((await elsewhere('streams: { groups: [hosts] }')).streams.hss_users).toEqual({ enabled: true });
});
