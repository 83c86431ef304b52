import type { Stream } from '../core/stream/stream.ts';
import { dbssAuditInstances } from './dbss/audit-instances.ts';
import { dbssAuditReports } from './dbss/audit-reports.ts';
import { hssClusterEvents } from './hss/cluster-events.ts';
import { hssClusterSecurityReports } from './hss/cluster-security-reports.ts';
import { hssContainerNodes } from './hss/container-nodes.ts';
import { hssHostVulnerabilities } from './hss/host-vulnerabilities.ts';
import { hssHosts } from './hss/hosts.ts';
import { hssImageVulnerabilities } from './hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from './hss/image-vulnerability-operations.ts';
import { hssKubernetesClusters } from './hss/kubernetes-clusters.ts';
import { hssProtectedClusters } from './hss/protected-clusters.ts';
import { hssVulnerabilities } from './hss/vulnerabilities.ts';
import { hssWeakPasswords } from './hss/weak-passwords.ts';

/** Every list endpoint the service reads. Explicit, not scanned from the directory; order is derived from the parents. */
export const streams: readonly Stream[] = [
  hssProtectedClusters,
  hssKubernetesClusters,
  hssClusterEvents,
  hssClusterSecurityReports,
  hssImageVulnerabilities,
  hssImageVulnerabilityOperations,
  hssHosts,
  hssContainerNodes,
  hssVulnerabilities,
  hssHostVulnerabilities,
  hssWeakPasswords,
  dbssAuditInstances,
  dbssAuditReports,
];
