import { z } from 'zod';
import { didYouMean } from '../core/text.ts';
import { knownRegions } from '../huawei/transport/endpoints.ts';
import type { Report } from './source.ts';

/** What decides which hosts an account needs; whatever else is wrong with the configuration is reported elsewhere. */
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
 * A region decides nothing but the hosts. So one that this version does not know (a new or dedicated one, a private cloud)
 * is a problem only where the account does not say itself where to find a service that it needs: HSS and DBSS as far as
 * one of their streams is on (`read`), IAM for a sign-in by password or by an agency of another account, STS for one by OIDC.
 */
export function reportRegions(rendered: unknown, read: readonly string[], report: Report): void {
  const { data } = places.safeParse(rendered);
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
      const problem = `unknown region "${region}"${didYouMean(region, knownRegions)}`;
      report(
        `accounts[${index}].projects[${number}].region`,
        `${problem}; a region that this version does not know needs ${missing.join(' and ')} of its account`,
      );
    }
  }
}
