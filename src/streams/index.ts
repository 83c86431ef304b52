import type { Stream } from '../core/stream/stream.ts';
import { dbssAlarms } from './dbss/alarms.ts';
import { dbssAuditAgents } from './dbss/audit-agents.ts';
import { dbssAuditDatabases } from './dbss/audit-databases.ts';
import { dbssAuditInstances } from './dbss/audit-instances.ts';
import { dbssAuditOperationLogs } from './dbss/audit-operation-logs.ts';
import { dbssAuditReports } from './dbss/audit-reports.ts';
import { dbssAuditRiskRules } from './dbss/audit-risk-rules.ts';
import { dbssAuditSummaries } from './dbss/audit-summaries.ts';
import { hssAlarmOperations } from './hss/alarm-operations.ts';
import { hssAlarmWhitelist } from './hss/alarm-whitelist.ts';
import { hssAlarms } from './hss/alarms.ts';
import { hssAntivirusResults } from './hss/antivirus-results.ts';
import { hssBaselineChecks } from './hss/baseline-checks.ts';
import { hssBaselineRules } from './hss/baseline-rules.ts';
import { hssClusterEvents } from './hss/cluster-events.ts';
import { hssClusterPolicies } from './hss/cluster-policies.ts';
import { hssClusterRiskResources } from './hss/cluster-risk-resources.ts';
import { hssClusterRisks } from './hss/cluster-risks.ts';
import { hssClusterSecurityReports } from './hss/cluster-security-reports.ts';
import { hssContainerNodes } from './hss/container-nodes.ts';
import { hssContainers } from './hss/containers.ts';
import { hssHostAppChanges } from './hss/host-app-changes.ts';
import { hssHostAutoLaunchChanges } from './hss/host-auto-launch-changes.ts';
import { hssHostUserChanges } from './hss/host-user-changes.ts';
import { hssHostUsers } from './hss/host-users.ts';
import { hssHostVulnerabilities } from './hss/host-vulnerabilities.ts';
import { hssHosts } from './hss/hosts.ts';
import { hssIacFileRisks } from './hss/iac-file-risks.ts';
import { hssIacFiles } from './hss/iac-files.ts';
import { hssImageBuildCommandRisks } from './hss/image-build-command-risks.ts';
import { hssImageRiskConfigs } from './hss/image-risk-configs.ts';
import { hssImageVulnerabilities } from './hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from './hss/image-vulnerability-operations.ts';
import { hssKubernetesClusters } from './hss/kubernetes-clusters.ts';
import { hssLocalImages } from './hss/local-images.ts';
import { hssProtectedClusters } from './hss/protected-clusters.ts';
import { hssQuotas } from './hss/quotas.ts';
import { hssRansomwareHosts } from './hss/ransomware-hosts.ts';
import { hssRegistryImages } from './hss/registry-images.ts';
import { hssVulnerabilities } from './hss/vulnerabilities.ts';
import { hssVulnerabilityWhitelist } from './hss/vulnerability-whitelist.ts';
import { hssVulnerableImages } from './hss/vulnerable-images.ts';
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
  hssBaselineChecks,
  hssBaselineRules,
  hssClusterRisks,
  hssRegistryImages,
  hssLocalImages,
  hssAntivirusResults,
  hssAlarms,
  hssAlarmOperations,
  hssVulnerableImages,
  hssImageRiskConfigs,
  hssImageBuildCommandRisks,
  hssIacFiles,
  hssIacFileRisks,
  hssClusterPolicies,
  hssContainers,
  hssHostUsers,
  hssRansomwareHosts,
  hssQuotas,
  hssVulnerabilityWhitelist,
  hssClusterRiskResources,
  hssHostUserChanges,
  hssHostAppChanges,
  hssHostAutoLaunchChanges,
  hssAlarmWhitelist,
  dbssAuditInstances,
  dbssAuditReports,
  dbssAlarms,
  dbssAuditDatabases,
  dbssAuditRiskRules,
  dbssAuditSummaries,
  dbssAuditAgents,
  dbssAuditOperationLogs,
];
