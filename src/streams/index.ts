import type { Stream } from '../core/stream/stream.ts';
import { dbssAuditInstances } from './dbss/audit-instances.ts';
import { dbssAuditReports } from './dbss/audit-reports.ts';
import { hssClusterEvents } from './hss/cluster-events.ts';
import { hssClusterSecurityReports } from './hss/cluster-security-reports.ts';
import { hssImageVulnerabilities } from './hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from './hss/image-vulnerability-operations.ts';
import { hssKubernetesClusters } from './hss/kubernetes-clusters.ts';
import { hssProtectedClusters } from './hss/protected-clusters.ts';

/** Every list endpoint the service reads. Explicit, not scanned from the directory; order is derived from the parents. */
export const streams: readonly Stream[] = [
  hssProtectedClusters,
  hssKubernetesClusters,
  hssClusterEvents,
  hssClusterSecurityReports,
  hssImageVulnerabilities,
  hssImageVulnerabilityOperations,
  dbssAuditInstances,
  dbssAuditReports,
];
