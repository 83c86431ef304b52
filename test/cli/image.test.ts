import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import packageFile from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const dockerfile = read('Dockerfile');

test('the image runs as a number, without which Kubernetes refuses runAsNonRoot, and the chart uses the same one', () => {
  const [, user] = /^USER (\d+):\1$/m.exec(dockerfile) ?? [];
  expect(user).toBe(String(parse(read('deploy/helm/security-sync/values.yaml')).user));
});

test('the image, its labels, the chart and the package name one version', () => {
  const [, version] = /^ARG VERSION=(.+)$/m.exec(dockerfile) ?? [];
  const chart = parse(read('deploy/helm/security-sync/Chart.yaml'));
  expect([version, chart.appVersion]).toEqual([packageFile.version, packageFile.version]);
  for (const label of ['title', 'description', 'version', 'revision']) {
    expect(dockerfile).toContain(`org.opencontainers.image.${label}=`);
  }
});

test('security-sync is on the PATH of the image: a link to the command works from any directory', () => {
  expect(dockerfile).toContain('RUN ln -s /app/bin/security-sync.js /usr/local/bin/security-sync');
  expect(dockerfile).toContain('ENTRYPOINT ["security-sync"]');
  const folder = mkdtempSync(join(tmpdir(), 'image-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const command = join(folder, 'security-sync');
  symlinkSync(join(ROOT, 'bin', 'security-sync.js'), command);
  const { stdout, stderr } = spawnSync(command, ['--version'], { cwd: folder, encoding: 'utf8' });
  expect(stdout, stderr).toBe(`${packageFile.version}\n`);
});
