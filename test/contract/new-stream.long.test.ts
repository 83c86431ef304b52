import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Stream } from '../../src/core/stream/stream.ts';
import { contradictions, facts } from '../support/facts.ts';
import { differences, requestProblems } from '../support/stream-facts.ts';

/** The scaffold writes into a folder that looks like the project; what it writes is completed, and held against the documents. */

const ROOT = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'new-stream-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (...path: readonly string[]) => join(folder, ...path);

beforeAll(() => {
  for (const path of ['src/streams/hss', 'src/streams/dbss', 'src/sandbox/documented', 'test/fixtures/streams']) {
    mkdirSync(file(path), { recursive: true });
  }
  for (const path of ['src/streams/index.ts', 'src/sandbox/documented/entries', 'test/fixtures/published']) {
    cpSync(join(ROOT, path), file(path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'src', 'core'), file('src', 'core'));
  symlinkSync(join(ROOT, 'node_modules'), file('node_modules'));
});

function scaffold(...args: readonly string[]): string {
  const script = join(ROOT, 'scripts', 'new-stream.ts');
  const PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}`;
  return execFileSync(process.execPath, [script, ...args, '--into', folder], {
    env: { ...process.env, PATH },
    encoding: 'utf8',
  });
}

/** What an author would say, for the lists of this test. */
function answered(source: string, key: string, time: string | undefined): string {
  return source
    .replace(/group:\s*say\('[^']*'\)/, "group: 'settings'")
    .replace(/parent: say\('[^']*'\),\n/, '')
    .replace(
      /order: \[[\s\S]*?\],\n/,
      time === undefined ? `order: [fixed('${key}')],\n` : `order: [fixed('${time}')],\n`,
    )
    .replace(/column: say\('[^']*'\)/, `column: '${time}'`)
    .replace(/version: say\('[^']*'\),\n/, '')
    .replace(/history: say\('[^']*'\),\n/, 'history: true,\n')
    .replace(/schedule: say\('[^']*'\)/, "schedule: '*/5 * * * *'")
    .replace(/reconcileEveryMs: say\('[^']*'\)/, 'reconcileEveryMs: 3_600_000')
    .replace(/targetMs: say\('[^']*'\)/, 'targetMs: 600_000')
    .replace(/key: \[\s*say\([\s\S]*?\),?\s*\]/, `key: ['${key}']`);
}

interface Case {
  readonly operation: string;
  readonly table: string;
  readonly service: 'hss' | 'dbss';
  readonly key: string;
  readonly time?: string;
}

const CASES: readonly Case[] = [
  { operation: 'hss.list_host_status', table: 'scaffold_hosts', service: 'hss', key: 'host_id' },
  {
    operation: 'hss.list_security_events',
    table: 'scaffold_alarms',
    service: 'hss',
    key: 'event_id',
    time: 'occur_time',
  },
  {
    operation: 'dbss.list_audit_alarm_log_new',
    table: 'scaffold_audit_alarms',
    service: 'dbss',
    key: 'id',
    time: 'alarm_time',
  },
];

describe.each(CASES)('the scaffold of $operation', ({ operation, table, service, key, time }) => {
  const path = () => file('src', 'streams', service, `${table.replaceAll('_', '-')}.ts`);
  let printed = '';
  beforeAll(() => {
    printed = scaffold(operation, table);
  });

  test('writes TypeScript that leaves exactly the undocumented parts to the author', () => {
    const source = readFileSync(path(), 'utf8');
    expect(() => stripTypeScriptTypes(source)).not.toThrow();
    const left = [...source.matchAll(/(\w+): \[?\s*(?:fixed\()?\s*say\(/g)].map(([, word = '']) => word).sort();
    const always = ['group', 'history', 'key', 'order', 'reconcileEveryMs', 'schedule', 'targetMs', 'version'];
    expect(left).toEqual([...always, ...(service === 'dbss' ? ['column', 'parent'] : [])].sort());
    expect(answered(source, key, time)).not.toContain('say(');
    expect(printed).toContain(`src/streams/${service}/`);
  });

  test('agrees with the documents once the author has filled the gaps, and sends allowed requests', async () => {
    const source = answered(readFileSync(path(), 'utf8'), key, time);
    const complete = path().replace('.ts', '-complete.ts');
    writeFileSync(complete, source);
    const module: Record<string, unknown> = await import(pathToFileURL(complete).href);
    const [stream] = Object.values(module).filter(
      (one): one is Stream => typeof one === 'object' && one !== null && 'endpoint' in one,
    );
    if (stream === undefined) throw new Error(`no stream in ${complete}`);
    expect(differences(stream)).toEqual([]);
    expect(requestProblems(stream)).toEqual([]);
    expect(Object.values(stream.fields).every(({ about }) => about === '')).toBe(true);
    const body: unknown = JSON.parse(
      readFileSync(file('test', 'fixtures', 'streams', `${service}_${table}.json`), 'utf8'),
    );
    expect(stream.paging.read(body).records.length).toBeGreaterThan(0);
    const known = facts.get(`${stream.endpoint.method} ${stream.endpoint.paths[0]}`);
    expect(contradictions(known?.response ?? {}, body)).toEqual(['_source: unknown name']);
  });

  test('puts the stream into the index, once', () => {
    const index = readFileSync(file('src', 'streams', 'index.ts'), 'utf8');
    expect(index.match(new RegExp(`/${table.replaceAll('_', '-')}\\.ts'`, 'g'))).toHaveLength(1);
    const before = readFileSync(join(ROOT, 'src', 'streams', 'index.ts'), 'utf8').split('\n');
    const lines = index.split('\n').filter((line) => before.includes(line));
    expect(lines, 'the other lines keep their order').toEqual(before);
  });
});

test('the scaffold takes the fixture from the published answer where there is one', () => {
  const hosts = readFileSync(file('test', 'fixtures', 'streams', 'hss_scaffold_hosts.json'), 'utf8');
  expect(hosts).toContain('Open Telekom Cloud');
  const audit = readFileSync(file('test', 'fixtures', 'streams', 'dbss_scaffold_audit_alarms.json'), 'utf8');
  expect(audit).toContain('Made from the documented model');
});

test('the scaffold warns of columns that may hold secrets, and refuses an existing stream', () => {
  expect(scaffold('hss.list_weak_password_users', 'scaffold_passwords')).toContain('desensitized_weak_passwords');
  expect(() => scaffold('hss.list_host_status', 'scaffold_hosts')).toThrow(/is there already/);
});

test('the scaffold adds an entry to the sandbox for a list that it does not have yet', () => {
  const entries = file('src', 'sandbox', 'documented', 'entries', 'hosts.ts');
  expect(readFileSync(entries, 'utf8')).not.toContain('ListPorts');
  scaffold('hss.list_ports');
  const source = readFileSync(entries, 'utf8');
  expect(() => stripTypeScriptTypes(source)).not.toThrow();
  expect(source).toMatch(/list\('ListPorts', \{\n\s+rows: say\(/);
  scaffold('hss.list_backup_policy');
  expect(readFileSync(entries, 'utf8'), 'also while the entry of another list is open').toContain(
    "list('ListBackupPolicy'",
  );
});

test('the scaffold suggests similar names for an undocumented one', () => {
  expect(() => scaffold('hss.list_hosts_status')).toThrow(/hss\.list_host_status/);
});
