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
import { hssAntivirusOperations } from './hss/antivirus-operations.ts';
import { hssAntivirusResults } from './hss/antivirus-results.ts';
import { hssBaselineChecks } from './hss/baseline-checks.ts';
import { hssBaselineRuleHosts } from './hss/baseline-rule-hosts.ts';
import { hssBaselineRules } from './hss/baseline-rules.ts';
import { hssBlockedIps } from './hss/blocked-ips.ts';
import { hssCicdImages } from './hss/cicd-images.ts';
import { hssClusterEvents } from './hss/cluster-events.ts';
import { hssClusterPolicies } from './hss/cluster-policies.ts';
import { hssClusterRiskResources } from './hss/cluster-risk-resources.ts';
import { hssClusterRisks } from './hss/cluster-risks.ts';
import { hssClusterSecurityReports } from './hss/cluster-security-reports.ts';
import { hssContainerNodes } from './hss/container-nodes.ts';
import { hssContainerWebtamperEvents } from './hss/container-webtamper-events.ts';
import { hssContainers } from './hss/containers.ts';
import { hssFileChanges } from './hss/file-changes.ts';
import { hssHostAppChanges } from './hss/host-app-changes.ts';
import { hssHostAutoLaunchChanges } from './hss/host-auto-launch-changes.ts';
import { hssHostRisks } from './hss/host-risks.ts';
import { hssHostUserChanges } from './hss/host-user-changes.ts';
import { hssHostUsers } from './hss/host-users.ts';
import { hssHostVulnerabilities } from './hss/host-vulnerabilities.ts';
import { hssHostVulnerabilityOperations } from './hss/host-vulnerability-operations.ts';
import { hssHosts } from './hss/hosts.ts';
import { hssHostsOfVulnerabilities } from './hss/hosts-of-vulnerabilities.ts';
import { hssIacFileRisks } from './hss/iac-file-risks.ts';
import { hssIacFiles } from './hss/iac-files.ts';
import { hssImageBuildCommandRisks } from './hss/image-build-command-risks.ts';
import { hssImageMalware } from './hss/image-malware.ts';
import { hssImageRiskConfigs } from './hss/image-risk-configs.ts';
import { hssImageSensitiveFiles } from './hss/image-sensitive-files.ts';
import { hssImageVulnerabilities } from './hss/image-vulnerabilities.ts';
import { hssImageVulnerabilityOperations } from './hss/image-vulnerability-operations.ts';
import { hssIsolatedFiles } from './hss/isolated-files.ts';
import { hssKubernetesClusters } from './hss/kubernetes-clusters.ts';
import { hssLocalImages } from './hss/local-images.ts';
import { hssPasswordPolicies } from './hss/password-policies.ts';
import { hssPolicyGroups } from './hss/policy-groups.ts';
import { hssProcessAlarms } from './hss/process-alarms.ts';
import { hssProtectedClusters } from './hss/protected-clusters.ts';
import { hssQuotas } from './hss/quotas.ts';
import { hssRansomwareHosts } from './hss/ransomware-hosts.ts';
import { hssRaspEvents } from './hss/rasp-events.ts';
import { hssRegistryImages } from './hss/registry-images.ts';
import { hssUrgentVulnerabilities } from './hss/urgent-vulnerabilities.ts';
import { hssVulnerabilities } from './hss/vulnerabilities.ts';
import { hssVulnerabilitiesOfHosts } from './hss/vulnerabilities-of-hosts.ts';
import { hssVulnerabilityWhitelist } from './hss/vulnerability-whitelist.ts';
import { hssVulnerableImages } from './hss/vulnerable-images.ts';
import { hssWeakPasswords } from './hss/weak-passwords.ts';
import { hssWebtamperDynamicEvents } from './hss/webtamper-dynamic-events.ts';
import { hssWebtamperStaticEvents } from './hss/webtamper-static-events.ts';

/**
 * Every list endpoint the service reads. Listed explicitly rather than by scanning the directory; run order follows
 * from the parents.
 */
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
  hssHostVulnerabilityOperations,
  hssAntivirusOperations,
  hssVulnerabilitiesOfHosts,
  hssHostsOfVulnerabilities,
  hssHostRisks,
  hssUrgentVulnerabilities,
  hssBlockedIps,
  hssIsolatedFiles,
  hssFileChanges,
  hssContainerWebtamperEvents,
  hssPasswordPolicies,
  hssBaselineRuleHosts,
  hssCicdImages,
  hssImageSensitiveFiles,
  hssImageMalware,
  hssRaspEvents,
  hssProcessAlarms,
  hssWebtamperStaticEvents,
  hssWebtamperDynamicEvents,
  hssPolicyGroups,
];
