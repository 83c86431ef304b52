import type { DocumentedOperation } from '../documented/lists.ts';

/** The calls that the sandbox serves, with the names of the official SDKs. */
export type Operation =
  | DocumentedOperation
  | 'ListClusterEvents'
  | 'ListSecurityCheckClusterReports'
  | 'ListGeneralImageVulOperations'
  | 'ListGeneralImageVuls'
  | 'ListClusterProtectionInfo'
  | 'ListKubernetesClusterDetails'
  | 'ListAuditReports'
  | 'ListAuditInstancesLast'
  | 'ListAuditInstancesNew'
  | 'ListAuditInstances'
  | 'KeystoneCreateUserTokenByPassword'
  | 'KeystoneListProjects'
  | 'KeystoneListAuthDomains'
  | 'ListEnterpriseProject'
  | 'CreateMetadataToken'
  | 'ShowSecurityKey'
  | 'CreatePodIdentityCredentials'
  | 'AssumeAgencyWithOIDC'
  | 'CreateTemporaryAccessKeyByAgency'
  | 'GetCallerIdentity';

/** The service that answers; each has its own error format. */
export type Service = 'hss' | 'dbss' | 'iam' | 'eps' | 'sts' | 'metadata';
