import { createToken, listDomains, listEnterpriseProjects, listProjects } from '../auth/iam.ts';
import { createMetadataToken, showSecurityKey } from '../auth/metadata.ts';
import { assumeAgency, assumeWithOidc, createPodCredentials, showCallerIdentity } from '../auth/sign-in.ts';
import { answerDocumented } from '../documented/answer.ts';
import { documented } from '../documented/documented-estate.ts';
import { DOCUMENTED_LISTS } from '../documented/lists.ts';
import { listInstancesV1, listInstancesV1Dbss, listInstancesV2, listReports } from '../lists/dbss-lists.ts';
import { EXAMPLE_INSTANCE_ID } from '../lists/examples.ts';
import { listClusterReports, listEvents, listKubernetesClusters, listProtectedClusters } from '../lists/hss-lists.ts';
import { listHandlingHistory, listVulnerabilities } from '../lists/vulnerability-lists.ts';
import type { ProjectHandler, Route } from './call.ts';
import type { Operation } from './operations.ts';

const hss = (path: string, operation: Operation, handle: ProjectHandler): Route => ({
  method: 'GET',
  path: `/v5/{project_id}${path}`,
  operation,
  service: 'hss',
  scope: 'project',
  handle,
});

/** Undocumented: CCE gives it to the pod. */
export const POD_IDENTITY_PATH = '/v1/pod-identity/credentials';

/** Every endpoint of the sandbox. */
const ROUTES: readonly Route[] = [
  hss('/cluster-protect/events', 'ListClusterEvents', listEvents),
  hss('/cluster-protect/clusters', 'ListClusterProtectionInfo', listProtectedClusters),
  hss('/kubernetes/clusters', 'ListKubernetesClusterDetails', listKubernetesClusters),
  hss('/security-check/containers/cluster-reports', 'ListSecurityCheckClusterReports', listClusterReports),
  hss('/image/vulnerability/handle-history', 'ListGeneralImageVulOperations', listHandlingHistory),
  hss('/images/vulnerabilities', 'ListGeneralImageVuls', listVulnerabilities),
  {
    method: 'POST',
    path: '/v1/{project_id}/audit/{instance_id}/reports/list',
    operation: 'ListAuditReports',
    service: 'dbss',
    scope: 'project',
    handle: listReports,
  },
  {
    method: 'GET',
    path: '/v2/{project_id}/audit/instances',
    operation: 'ListAuditInstancesLast',
    service: 'dbss',
    scope: 'project',
    handle: listInstancesV2,
  },
  {
    method: 'GET',
    path: '/v1/{project_id}/audit/instances',
    operation: 'ListAuditInstancesNew',
    service: 'dbss',
    scope: 'project',
    handle: listInstancesV1,
  },
  {
    method: 'GET',
    path: '/v1/{project_id}/dbss/audit/instances',
    operation: 'ListAuditInstances',
    service: 'dbss',
    scope: 'project',
    handle: listInstancesV1Dbss,
  },
  {
    method: 'POST',
    path: '/v3/auth/tokens',
    operation: 'KeystoneCreateUserTokenByPassword',
    service: 'iam',
    scope: 'open',
    handle: createToken,
  },
  {
    method: 'GET',
    path: '/v3/projects',
    operation: 'KeystoneListProjects',
    service: 'iam',
    scope: 'account',
    handle: listProjects,
  },
  {
    method: 'GET',
    path: '/v3/auth/domains',
    operation: 'KeystoneListAuthDomains',
    service: 'iam',
    scope: 'account',
    handle: listDomains,
  },
  {
    method: 'GET',
    path: '/v1.0/enterprise-projects',
    operation: 'ListEnterpriseProject',
    service: 'eps',
    scope: 'account',
    handle: listEnterpriseProjects,
  },
  {
    method: 'PUT',
    path: '/meta-data/latest/api/token',
    operation: 'CreateMetadataToken',
    service: 'metadata',
    scope: 'open',
    handle: createMetadataToken,
  },
  {
    method: 'GET',
    path: '/openstack/latest/securitykey',
    operation: 'ShowSecurityKey',
    service: 'metadata',
    scope: 'open',
    handle: showSecurityKey,
  },
  {
    method: 'POST',
    path: POD_IDENTITY_PATH,
    operation: 'CreatePodIdentityCredentials',
    service: 'metadata',
    scope: 'open',
    handle: createPodCredentials,
  },
  {
    method: 'POST',
    path: '/v5/agencies/assume-with-oidc',
    operation: 'AssumeAgencyWithOIDC',
    service: 'sts',
    scope: 'open',
    handle: assumeWithOidc,
  },
  {
    method: 'GET',
    path: '/v5/caller-identity',
    operation: 'GetCallerIdentity',
    service: 'sts',
    scope: 'account',
    handle: showCallerIdentity,
  },
  {
    method: 'POST',
    path: '/v3.0/OS-CREDENTIAL/securitytokens',
    operation: 'CreateTemporaryAccessKeyByAgency',
    service: 'iam',
    scope: 'account',
    handle: assumeAgency,
  },
];

/** A route with the values of its path parameters. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

let patterns: readonly { readonly route: Route; readonly segments: readonly string[] }[] | undefined;

/** The lists generated from the facts, with the paths of the facts; paths with fewer parameters come first. */
function documentedRoutes(): readonly Route[] {
  const routes = DOCUMENTED_LISTS.map(({ operation }) => {
    const { method, path, service } = documented(operation);
    const handle: ProjectHandler = (call, { documented: lists }) => {
      // With the published examples, their instance also has empty lists of the other kinds.
      const more = call.settings.examples ? [EXAMPLE_INSTANCE_ID] : [];
      return answerDocumented(call, lists.table(operation), [...lists.instanceIds, ...more]);
    };
    return { method, path, operation, service, scope: 'project', handle } satisfies Route;
  });
  return routes.toSorted((a, b) => a.path.split('{').length - b.path.split('{').length);
}

/** Finds the endpoint for a request. */
export function matchRoute(method: string, path: string): Match | undefined {
  patterns ??= [...ROUTES, ...documentedRoutes()].map((route) => ({ route, segments: route.path.split('/') }));
  const segments = path.split('/');
  for (const { route, segments: pattern } of patterns) {
    if (route.method !== method || pattern.length !== segments.length) continue;
    const params: Record<string, string> = {};
    const fits = pattern.every((part, index) => {
      const segment = segments[index] ?? '';
      if (!part.startsWith('{')) return part === segment;
      params[part.slice(1, -1)] = segment;
      return segment !== '';
    });
    if (fits) return { route, params };
  }
  return undefined;
}
