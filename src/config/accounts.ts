import { z } from 'zod';
import type { Account, Auth, Scope, Secret, SourceAuth } from '../core/account.ts';
import { didYouMean } from '../core/text.ts';
import { knownRegions } from '../huawei/transport/endpoints.ts';
import type { Report } from './config.ts';
import { INTERPRETED, type RawConfig } from './schema.ts';

type RawAccount = RawConfig['accounts'][number];

/** The secret at a path of the configuration. */
export type SecretAt = (path: string) => Secret;

export function accountsOf(raw: RawConfig, secretAt: SecretAt): readonly Account[] {
  return raw.accounts.map(({ name, auth, endpoints, requestsPerMinute }, index) => ({
    name,
    auth: authOf(auth, (key) => secretAt(`accounts[${index}].auth.${key}`)),
    endpoints,
    requestsPerMinute,
  }));
}

function authOf(raw: RawAccount['auth'], secret: SecretAt): Auth {
  if (raw.kind !== 'assume-agency') return sourceOf(raw, secret);
  const { kind, agency, domain: name, domainId: id = '', duration: durationMs } = raw;
  const source = sourceOf(raw.source, (key) => secret(`source.${key}`));
  return { kind, agency, domain: name === undefined ? { id } : { name }, durationMs, source };
}

function sourceOf(raw: Exclude<RawAccount['auth'], { kind: 'assume-agency' }>, secret: SecretAt): SourceAuth {
  switch (raw.kind) {
    case 'aksk': {
      const key = { kind: raw.kind, accessKey: secret('accessKey'), secretKey: secret('secretKey') };
      return raw.securityToken === undefined ? key : { ...key, securityToken: secret('securityToken') };
    }
    case 'password':
      return { kind: raw.kind, user: raw.user, password: secret('password'), domain: raw.domain };
    case 'token':
      return { kind: raw.kind, token: secret('token') };
    case 'ecs-agency':
      return { kind: raw.kind };
    case 'pod-identity':
      return { kind: raw.kind, uri: raw.uri, token: secret('token') };
    case 'oidc': {
      const { kind, providerUrn, agencyUrn, sessionName, duration: durationMs } = raw;
      return { kind, providerUrn, agencyUrn, sessionName, durationMs, idToken: secret('idToken') };
    }
  }
}

export function scopesOf(raw: RawConfig): readonly Scope[] {
  return raw.accounts.flatMap(({ name, projects }) =>
    projects.map(({ id, region, enterpriseProjectId }) => ({
      account: name,
      region,
      projectId: id,
      enterpriseProjectId,
    })),
  );
}

/** A value and the path of its entry in the configuration. */
interface PlacedValue {
  readonly value: string;
  readonly path: string;
}

/**
 * Reports conflicts between accounts. Two accounts with the same key would each use the whole quota of its user; a
 * project in two accounts would be written by both.
 */
export function reportConflicts(raw: RawConfig, report: Report): void {
  const names = new Map<string, string>();
  const keys = new Map<string, string>();
  const projects = new Map<string, string>();
  const once = (seen: Map<string, string>, { value, path }: PlacedValue, problem: (first: string) => string) => {
    const first = seen.get(value);
    if (first === undefined) seen.set(value, path);
    else report(path, problem(first));
  };
  for (const [index, { name, auth, projects: listed }] of raw.accounts.entries()) {
    const path = `accounts[${index}]`;
    once(names, { value: name, path: `${path}.name` }, (first) => `the name "${name}" is already used by ${first}`);
    if (auth.kind === 'aksk') {
      once(
        keys,
        { value: auth.accessKey, path: `${path}.auth.accessKey` },
        (first) => `is the key of ${first}: put the projects into that account`,
      );
    }
    for (const [number, { id }] of listed.entries()) {
      once(
        projects,
        { value: id, path: `${path}.projects[${number}].id` },
        (first) => `project ${id} is already in ${first.replace(/\.id$/, '')}`,
      );
    }
  }
}

/** The part of an account that decides which hosts it needs. The full schema reports everything else. */
const places = z.object({
  accounts: z.array(
    z.object({
      auth: z
        .object({ kind: z.string(), source: z.object({ kind: z.string() }).optional() })
        .catch({ kind: '', source: undefined }),
      projects: z.array(z.object({ region: z.string() }).catch({ region: '' })).catch([]),
      endpoints: z.record(z.string(), z.unknown()).catch({}),
    }),
  ),
});

/**
 * A region only decides the hosts. A region that this version does not know (a new or dedicated one, a private cloud)
 * is therefore a problem only if the account does not set the endpoint of a service it needs: HSS and DBSS if one of
 * their streams is enabled (`read`), IAM for a sign-in by password or by an agency of another account, STS for one by
 * OIDC.
 */
export function reportRegions(rendered: unknown, read: readonly string[], report: Report): void {
  const { data } = places.safeParse(rendered, INTERPRETED);
  if (data === undefined) return;
  for (const [index, { auth, projects, endpoints }] of data.accounts.entries()) {
    const kinds = [auth.kind, auth.source?.kind];
    const needed = [
      ...read,
      ...(kinds.includes('password') || kinds.includes('assume-agency') ? ['iam'] : []),
      ...(kinds.includes('oidc') ? ['sts'] : []),
    ];
    const missing = needed.filter((service) => endpoints[service] === undefined).map((name) => `endpoints.${name}`);
    if (missing.length === 0) continue;
    for (const [number, { region }] of projects.entries()) {
      if (region === '' || knownRegions.includes(region)) continue;
      const meant = didYouMean(region, knownRegions);
      report(
        `accounts[${index}].projects[${number}].region`,
        `unknown region "${region}"${meant === '' ? '; to' : `${meant} To`} use a region unknown to this version, set ${missing.join(' and ')} of the account`,
      );
    }
  }
}
