import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../src/config/config.ts';
import { withEnvironment } from '../../src/config/environment.ts';
import { configSchema } from '../../src/config/schema.ts';
import { GROUP_NAMES } from '../../src/core/stream/stream.ts';
import { streams } from '../../src/streams/index.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'configuration.md'), 'utf8');

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

/** `accounts[].auth.kind`: every key there is, those that only lead to others included. */
function pathsOf({ properties = {}, items, oneOf = [], anyOf = [] }: Node, path = ''): readonly string[] {
  const here = Object.entries(properties).flatMap(([key, node]) => {
    const inner = path === '' ? key : `${path}.${key}`;
    return [inner, ...pathsOf(node, inner)];
  });
  const below = items === undefined ? [] : pathsOf(items, `${path}[]`);
  return [...here, ...below, ...[...oneOf, ...anyOf].flatMap((node) => pathsOf(node, path))];
}

test('docs/configuration.md names every key of the schema', () => {
  const schema = z.toJSONSchema(configSchema(['STREAM']), { io: 'input', unrepresentable: 'any' });
  const paths = new Set(pathsOf(JSON.parse(JSON.stringify(schema))));
  expect([...paths]).toEqual(
    expect.arrayContaining([
      'accounts[].auth.securityToken',
      'accounts[].projects[].region',
      'streams.STREAM.target',
      'streams.groups',
    ]),
  );
  const groups = ['database', 'fullReads', 'server', 'log', 'retention', 'streams.STREAM'];
  // The credentials of `source` have the keys that they have by themselves.
  const named = [...paths].map((path) => path.replace('.auth.source.', '.auth.'));
  expect(named.filter((path) => !groups.includes(path) && !page.includes(`\`${path}\``))).toEqual([]);
});

test('docs/configuration.md names every variable', () => {
  const settle = (kind: string) =>
    withEnvironment(
      { file: null, content: {} },
      { env: { SECURITY_SYNC_AUTH: kind }, streams: ['STREAM'], needsAccounts: true },
    );
  const variables = ['aksk', 'password', 'token', 'ecs-agency', 'pod-identity', 'oidc', 'assume-agency'].flatMap(
    (kind) => [...settle(kind).origins.values()].flatMap((names) => names.split(' or ')),
  );
  expect(variables).toEqual(
    expect.arrayContaining(['HW_AUTH_TOKEN', 'SECURITY_SYNC_ENDPOINT_HSS', 'SECURITY_SYNC_STREAM_TARGET']),
  );
  expect(variables.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('docs/configuration.md names every group', () => {
  expect(GROUP_NAMES.filter((group) => !page.includes(`\`${group}\``))).toEqual([]);
});

test('the example in docs/configuration.md is a valid configuration', async () => {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const folder = await mkdtemp(join(tmpdir(), 'configuration-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'security-sync.yaml');
  await writeFile(file, yaml);
  const env = {
    DATABASE_URL: 'postgres://u:p@h/d',
    HUAWEICLOUD_SDK_AK: 'AK',
    HUAWEICLOUD_SDK_SK: 'sk',
    BRANCH_PASSWORD: 'p',
  };
  const config = await loadConfig({ streams, file, env });
  expect(config).toMatchObject({ dbssTimeZone: 'Asia/Shanghai', retention: { historyMs: null } });
  expect(config.scopes).toHaveLength(3);
});
