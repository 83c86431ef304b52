// Vocabulary of the estate, modelled on lists of real accounts.

/** Business domains and environments; a cluster's name has one of each. */
export const CLUSTER_DOMAINS = [
  'payments',
  'orders',
  'search',
  'identity',
  'catalog',
  'ledger',
  'ml',
  'gateway',
] as const;
export const ENVIRONMENTS = ['prod', 'staging', 'dev', 'uat'] as const;

/** Versions of the container engine. */
export const CLUSTER_VERSIONS = ['v1.27.16-r4', 'v1.28.15-r2', 'v1.29.10-r0', 'v1.30.6-r0', 'v1.31.4-r0'] as const;

/** What runs in a cluster: namespace, workload, image. */
export const WORKLOADS = [
  ['default', 'nginx-test', 'library/nginx:1.21.6'],
  ['payments', 'card-authorizer', 'payments/card-authorizer:3.14.2'],
  ['payments', 'settlement-batch', 'payments/settlement:2024.11'],
  ['checkout', 'cart-api', 'retail/cart-api:7.2.0'],
  ['checkout', 'promo-engine', 'retail/promo-engine:1.9.8'],
  ['orders', 'order-router', 'retail/order-router:5.0.3'],
  ['catalog', 'search-indexer', 'retail/search-indexer:latest'],
  ['identity', 'keycloak', 'platform/keycloak:22.0.5'],
  ['identity', 'session-store', 'library/redis:6.2.14'],
  ['messaging', 'kafka-connect', 'platform/kafka-connect:3.5.1'],
  ['ledger', 'ledger-writer', 'payments/ledger-writer:4.4.1'],
  ['ml-serving', 'fraud-scoring', 'ml/fraud-scoring:0.8.0-cuda11'],
  ['ml-serving', 'feature-store', 'ml/feature-store:1.3.2'],
  ['ci', 'runner', 'platform/ci-runner:v16'],
  ['ci', 'image-builder', 'platform/kaniko:v1.9.1'],
  ['monitoring', 'node-exporter', 'platform/node-exporter:v1.7.0'],
  ['monitoring', 'grafana', 'library/grafana:9.5.2'],
  ['kube-system', 'coredns', 'cce/coredns:1.10.1'],
  ['ingress', 'nginx-ingress', 'cce/nginx-ingress:v1.9.6'],
  ['legacy', 'tomcat-portal', 'legacy/portal:8-jre8'],
] as const;

/** A policy of cluster protection: its action, the kind of resource and its message. */
export interface PolicyText {
  readonly name: string;
  readonly action: 'warn' | 'deny' | 'dryrun';
  readonly kind: string;
  readonly group: string;
  readonly event: string;
  readonly message: (image: string, workload: string) => string;
}

/** The policies, from the most to the least frequent. */
export const POLICIES: readonly PolicyText[] = [
  {
    name: 'vul-image-warn',
    action: 'warn',
    kind: 'Pod',
    group: '',
    event: 'Vulnerable image startup',
    message: (image) => `hit label a4, vul image ${image} can not startup.`,
  },
  {
    name: 'no-privileged-containers',
    action: 'deny',
    kind: 'Pod',
    group: '',
    event: 'Privileged container',
    message: (_image, workload) => `privileged container is not allowed: container "${workload}" sets privileged=true.`,
  },
  {
    name: 'trusted-registries-only',
    action: 'warn',
    kind: 'Deployment',
    group: 'apps',
    event: 'Untrusted image repository',
    message: (image) => `image ${image} comes from a repository that is not in the trust list.`,
  },
  {
    name: 'require-resource-limits',
    action: 'dryrun',
    kind: 'Deployment',
    group: 'apps',
    event: 'Missing resource limits',
    message: (_image, workload) => `container <${workload}> has no resource limits`,
  },
  {
    name: 'block-latest-tag',
    action: 'warn',
    kind: 'Pod',
    group: '',
    event: 'Mutable image tag',
    message: (image) => `image ${image} uses a mutable tag, pin a version or a digest.`,
  },
  {
    name: '禁止挂载宿主机目录',
    action: 'deny',
    kind: 'Pod',
    group: '',
    event: 'Host path mount',
    message: (_image, workload) => `HostPath volume /var/run/docker.sock is forbidden, pod: ${workload}`,
  },
  {
    name: 'host-namespace-deny',
    action: 'deny',
    kind: 'DaemonSet',
    group: 'apps',
    event: 'Host namespace sharing',
    message: (_image, workload) => `Sharing the host namespace is not allowed: ${workload}`,
  },
  {
    name: 'rbac-wildcard-warn',
    action: 'warn',
    kind: 'ClusterRole',
    group: 'rbac.authorization.k8s.io',
    event: 'Wildcard permissions',
    message: (_image, workload) => `ClusterRole ${workload}-admin grants verbs ["*"] on resources ["*"]`,
  },
  {
    name: 'malicious-image-block',
    action: 'deny',
    kind: 'Pod',
    group: '',
    event: 'Malicious image startup',
    message: (image) => `malicious file found in image ${image}, startup blocked.`,
  },
];

/** Relative frequency of each policy. */
export const POLICY_WEIGHTS: readonly number[] = [46, 18, 13, 9, 6, 4, 2, 1.5, 0.5];

/** Users who handle vulnerabilities. */
export const USERS = [
  'li.wei_secops',
  'scc_hss_chen',
  'm.okafor',
  'a.fischer',
  'zhang.min-dev',
  'svc-autopatch',
  'j.rivera',
] as const;
