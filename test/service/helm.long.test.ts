import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { tool } from '../support/tool.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CHART = join(ROOT, 'deploy', 'helm', 'security-sync');
const helm = tool('helm', 'helm.sh/docs/intro/install, or go install helm.sh/helm/v3/cmd/helm@v3.22.0');
const go = tool('go', 'go.dev/doc/install; it builds the decoder of test/support/kubernetes');

const folder = await mkdtemp(join(tmpdir(), 'helm-'));
afterAll(() => rm(folder, { recursive: true }));
const decoder = join(folder, 'manifests');

function succeeded(command: string, args: readonly string[], { input = '', cwd = CHART } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, input, encoding: 'utf8' });
  expect(status, `${command} ${args.join(' ')}: ${error?.message ?? ''}${stderr}`).toBe(0);
  return stdout;
}

async function rendered(values: string): Promise<string> {
  const file = join(folder, 'values.yaml');
  await writeFile(file, values);
  return succeeded(helm(), ['template', 'security-sync', '.', '--kube-version', '1.34.0', '--values', file]);
}

const manifests = (text: string) =>
  parseAllDocuments(text).flatMap((document) => (document.toJS() === null ? [] : [document.toJS()]));

const DEFAULTS = `
env: [{ name: HUAWEICLOUD_SDK_PROJECT_ID, value: 84b5266c14ae489fa6549827f032dc62 }, { name: HW_REGION_NAME, value: cn-north-4 }]
`;
const EVERYTHING = `
image: { repository: r.example/x, tag: "2", pullPolicy: Always }
imagePullSecrets: [{ name: pull }]
config: |
  accounts:
    - name: prod
      auth: { kind: aksk, accessKey: "\${HUAWEICLOUD_SDK_AK}", secretKey: "\${HUAWEICLOUD_SDK_SK}" }
      projects: [{ id: 84b5266c14ae489fa6549827f032dc62, region: cn-north-4 }]
env: [{ name: LOG_LEVEL, value: debug }]
serviceAccountName: security-reader
podAnnotations: { a: b }
podLabels: { c: d }
nodeSelector: { kubernetes.io/arch: arm64 }
tolerations: [{ key: k, operator: Exists }]
affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: k, operator: Exists }] }] } } }
podMonitor: { enabled: true, labels: { release: prometheus } }
serviceMonitor: { enabled: true, labels: { release: prometheus } }
prometheusRule: { enabled: true, labels: { release: prometheus } }
networkPolicy:
  enabled: true
  from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } } }]
  database: { to: [{ ipBlock: { cidr: 10.0.0.5/32 } }] }
  apiPorts: [443, 3128]
`;
const LEAST = `${DEFAULTS}
replicas: 1
migrate: { enabled: false }
podDisruptionBudget: { enabled: false }
`;

beforeAll(() => {
  succeeded(go(), ['build', '-o', decoder, '.'], { cwd: join(ROOT, 'test', 'support', 'kubernetes') });
}, 1_800_000);

describe('the Helm chart', () => {
  test('passes helm lint', () => {
    succeeded(helm(), ['lint', '--strict', '.', '--kube-version', '1.34.0']);
  });

  test.each([
    ['default values', DEFAULTS, ['Deployment', 'Job', 'PodDisruptionBudget', 'Service']],
    [
      'everything switched on',
      EVERYTHING,
      [
        'ConfigMap',
        'Deployment',
        'Job',
        'NetworkPolicy',
        'PodDisruptionBudget',
        'PodMonitor',
        'PrometheusRule',
        'Service',
        'ServiceMonitor',
      ],
    ],
    ['everything switched off that can be', LEAST, ['Deployment', 'Service']],
  ])('with %s gives manifests that decode strictly into the types of Kubernetes', async (_, values, kinds) => {
    const stdout = succeeded(decoder, [], { input: await rendered(values) });
    expect(stdout.trim().split('\n').sort()).toEqual(kinds);
  });

  test.each([
    ['replica=3', 'replica'],
    ['config.accounts=1', 'config'],
    ['user=0', 'user'],
    ['networkPolicy.enable=true', 'enable'],
  ])('refuses the value %s, which would have no effect or a harmful one', (value, says) => {
    const args = ['template', 'security-sync', '.', '--kube-version', '1.34.0', '--set', value];
    const { status, stderr } = spawnSync(helm(), args, { cwd: CHART, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain(says);
  });

  test('accepts the values in docs/kubernetes.md', async () => {
    const page = await readFile(join(ROOT, 'docs', 'kubernetes.md'), 'utf8');
    const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, values = '']) => values);
    expect(examples).toHaveLength(3);
    for (const values of examples) succeeded(decoder, [], { input: await rendered(values) });
  });

  test('gives the pods of the workers the service account whose agency they use to sign in', async () => {
    const deployment = async (values: string) =>
      manifests(await rendered(values)).find(({ kind }) => kind === 'Deployment');
    expect((await deployment(EVERYTHING)).spec.template.spec.serviceAccountName).toBe('security-reader');
    expect((await deployment(DEFAULTS)).spec.template.spec.serviceAccountName).toBeUndefined();
  });

  test('contains all alert rules of deploy/prometheus', async () => {
    const rule = manifests(await rendered(EVERYTHING)).find(({ kind }) => kind === 'PrometheusRule');
    expect(rule.spec).toEqual(parse(await readFile(join(ROOT, 'deploy', 'prometheus', 'rules.yml'), 'utf8')));
  });

  test('selects the pods of the workers, and no pod of a migration, by Service, monitors and disruption budget', async () => {
    const all = manifests(await rendered(EVERYTHING));
    const labelsOf = (kind: string): Record<string, string> =>
      all.find((each) => each.kind === kind).spec.template.metadata.labels;
    const selects = (selector: Record<string, string>, labels: Record<string, string>) =>
      Object.entries(selector).every(([key, value]) => labels[key] === value);
    for (const kind of ['Deployment', 'PodMonitor', 'PodDisruptionBudget', 'Service']) {
      const { selector } = all.find((each) => each.kind === kind).spec;
      expect(selects(selector.matchLabels ?? selector, labelsOf('Deployment')), kind).toBe(true);
      expect(selects(selector.matchLabels ?? selector, labelsOf('Job')), kind).toBe(false);
    }
    const { podSelector } = all.find((each) => each.kind === 'NetworkPolicy').spec;
    for (const kind of ['Deployment', 'Job']) expect(selects(podSelector.matchLabels, labelsOf(kind)), kind).toBe(true);
  });

  test('runs no container as root, lets none write outside of /tmp, and sets no variable by a Service', async () => {
    const pods = manifests(await rendered(EVERYTHING)).flatMap(({ spec }) => spec?.template?.spec ?? []);
    expect(pods).toHaveLength(2);
    for (const { securityContext, containers, automountServiceAccountToken, enableServiceLinks } of pods) {
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      expect({ automountServiceAccountToken, enableServiceLinks }).toEqual({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
      });
      for (const container of containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });
});
