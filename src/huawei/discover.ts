import { z } from 'zod';
import type { Account, Service } from '../core/account.ts';
import { AccountSuspended, CredentialsRefused, MalformedAnswer, PermissionRefused, SyncError } from '../core/errors.ts';
import type { ApiCall, Clock, Logger, Suspensions } from '../core/ports.ts';
import { parseJson } from '../core/stream/json.ts';
import type { Target } from './credentials/authorization.ts';
import { readCall } from './requests/read-call.ts';
import { AccountSession } from './requests/session.ts';
import { regionOfProject } from './transport/endpoints.ts';
import { createHttp, type Http, PAGE_TIMEOUT_MS } from './transport/http.ts';

export interface DiscoverParts {
  readonly account: Account;
  readonly suspensions: Suspensions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The region whose IAM and EPS are asked; without it, the global hosts. */
  readonly region?: string;
  readonly http?: Http;
  readonly random?: () => number;
}

interface DiscoveredProject {
  readonly id: string;
  /** `<region>` or `<region>_<name>`. */
  readonly name: string;
  /** Null if the name is not that of a region (`MOS` belongs to the object storage). */
  readonly region: string | null;
  readonly enabled: boolean;
}

interface DiscoveredEnterpriseProject {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
}

export interface Discovery {
  readonly projects: readonly DiscoveredProject[];
  readonly enterpriseProjects: readonly DiscoveredEnterpriseProject[];
  /** Why the enterprise projects are unknown, else null. Many users may not list them; nothing else depends on them. */
  readonly enterpriseProjectsError: string | null;
}

type Ask = <T>(target: Target, call: ApiCall, parse: (body: unknown) => T) => Promise<T>;

const EPS_PAGE = 1_000;
const MOST_EPS_PAGES = 20;

/**
 * What an account's credentials can reach: projects (`GET {iam}/v3/projects`, api-iam "Querying Project Information")
 * and enterprise projects (`GET {eps}/v1.0/enterprise-projects`, api-em "Querying the Enterprise Project List"). Spends
 * no HSS quota. Throws the same errors as `PageSource.read`, except for enterprise projects.
 */
export async function discover(parts: DiscoverParts, signal: AbortSignal): Promise<Discovery> {
  const http = parts.http ?? createHttp();
  try {
    const session = new AccountSession({ ...parts, http });
    const { clock, logger, random = Math.random } = parts;
    const reader = { clock, logger, quota: null, random, pageTimeoutMs: PAGE_TIMEOUT_MS };
    const ask: Ask = async (target, call, parse) => {
      const read = { target, call, parse: (text: string) => parse(parseJson(text)), signal };
      return (await readCall(session, reader, read)).value;
    };
    const domain: Target = { region: parts.region ?? null, projectId: null };
    const projects = await projectsOf(ask, domain);
    try {
      const enterpriseProjects = await enterpriseProjectsOf(ask, domain, parts.account);
      return { projects, enterpriseProjects, enterpriseProjectsError: null };
    } catch (error) {
      const isFatal = error instanceof CredentialsRefused || error instanceof AccountSuspended;
      if (!(error instanceof SyncError) || isFatal) throw error;
      return { projects, enterpriseProjects: [], enterpriseProjectsError: error.message };
    }
  } finally {
    if (parts.http === undefined) await http.close();
  }
}

async function projectsOf(ask: Ask, domain: Target): Promise<DiscoveredProject[]> {
  const from = (path: string) => ask(domain, get('iam', path), (body) => projectsIn(body, domain.region));
  try {
    return await from('/v3/projects');
  } catch (error) {
    // A user who may not list all projects of the account may still list those the user has access to.
    if (error instanceof PermissionRefused) return await from('/v3/auth/projects');
    throw error;
  }
}

async function enterpriseProjectsOf(
  ask: Ask,
  domain: Target,
  account: Account,
): Promise<DiscoveredEnterpriseProject[]> {
  const isSigned = account.auth.kind !== 'password' && account.auth.kind !== 'token';
  // EPS is a global service: a token identifies its domain, a signature does not.
  const target = isSigned ? { ...domain, domainId: await domainIdOf(ask, domain) } : domain;
  const found: DiscoveredEnterpriseProject[] = [];
  for (let page = 0; page < MOST_EPS_PAGES; page += 1) {
    const query = { limit: EPS_PAGE, offset: page * EPS_PAGE };
    const call = { ...get('eps', '/v1.0/enterprise-projects'), query };
    const rows = await ask(target, call, enterpriseProjectsIn);
    found.push(...rows);
    if (rows.length < EPS_PAGE) break;
  }
  return found;
}

function get(service: Service, path: string): ApiCall {
  return { service, method: 'GET', operation: `GET ${path}`, path };
}

const project = z.object({ id: z.string(), name: z.string(), enabled: z.unknown().optional() });
const projectList = z.object({ projects: z.array(project) });

function projectsIn(body: unknown, configured: string | null): DiscoveredProject[] {
  return shaped(projectList, body).projects.map(({ id, name, enabled }) => {
    return { id, name, region: regionOfProject(name, configured), enabled: enabled !== false };
  });
}

const enterpriseProject = z.object({ id: z.string(), name: z.string(), status: z.unknown().optional() });
const enterpriseProjectList = z.object({ enterprise_projects: z.array(enterpriseProject) });

/** `status` is 1 for enabled, 2 for disabled. */
function enterpriseProjectsIn(body: unknown): DiscoveredEnterpriseProject[] {
  const rows = shaped(enterpriseProjectList, body).enterprise_projects;
  return rows.map(({ id, name, status }) => ({ id, name, enabled: status !== 2 }));
}

const domainList = z.object({ domains: z.array(z.object({ id: z.string() })) });
const callerIdentity = z.object({ account_id: z.string().min(1) });

/**
 * The account's own id. IAM may show an empty list to a user with an identity policy; STS identifies every caller (the
 * SDKs use it too).
 */
async function domainIdOf(ask: Ask, domain: Target): Promise<string> {
  const call = get('iam', '/v3/auth/domains');
  const [first] = await ask(domain, call, (body) => shaped(domainList, body).domains);
  if (first !== undefined) return first.id;
  return await ask(domain, get('sts', '/v5/caller-identity'), (body) => shaped(callerIdentity, body).account_id);
}

function shaped<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw new MalformedAnswer(`${issue?.path.join('.')}: ${issue?.message}`);
}
