import {
  type Agency,
  DEMO_AGENCY,
  DEMO_KEY,
  DEMO_OIDC,
  DEMO_PASSWORD_USER,
  DEMO_POD_TOKEN,
  DEMO_PROJECT,
  ENTERPRISE_PROJECTS,
  type EnterpriseProject,
  type OidcTrust,
  type PasswordUser,
  type Project,
  type SandboxKey,
} from '../auth/identities.ts';
import type { ListBehaviour } from '../lists/list-page.ts';
import type { Operation } from './operations.ts';

/** How many things an estate holds. */
export interface EstateSize {
  readonly clusters: number;
  /** Clusters that have events but are no longer in the list of protected clusters. */
  readonly retiredClusters: number;
  /** One cluster makes about half of all events; without it they spread evenly. */
  readonly noisyCluster: boolean;
  readonly events: number;
  readonly vulnerabilities: number;
  readonly instances: number;
  /** Audit reports over all instances together. */
  readonly reports: number;
  /** Hosts, to which the lists of hosts and of what is found on them grow in proportion. */
  readonly hosts: number;
}

/** What can happen in an estate while it is being read. */
export type ChangeKind = 'event' | 'handled' | 'report' | 'rescan' | 'operation' | 'scan' | 'removed';

/** The generations of the audit instance list. */
export type InstanceGeneration = 'v2' | 'v1' | 'v1-dbss';

/** Everything that can be set. The documents leave much open; such points are settings here. */
export interface SandboxSettings extends EstateSize {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly seed: number | string;
  /** The clock of the server, in epoch milliseconds. */
  readonly now: () => number;
  /** Answers the four documented lists with the published responses, byte for byte. */
  readonly examples: boolean;
  /** Which published response the event list gives: the Chinese document spells in camelCase. */
  readonly eventsDocument: 'en' | 'zh';
  /** Changes a minute; 0 is a list that stands still. */
  readonly churn: number;
  /** How often each kind of change comes, as weights. */
  readonly churnMix: Readonly<Partial<Record<ChangeKind, number>>>;
  /** New and changed rows carry a time up to so far in the past, as if they had been on their way. */
  readonly lateArrivalMs: number;
  /** Calls per window, user and operation; 0 is no limit (the documents say 5 a minute). */
  readonly quota: number;
  /** The same per IP address; 0 is no limit. */
  readonly quotaPerIp: number;
  readonly quotaWindowMs: number;
  /** Whether refused calls count as well. */
  readonly quotaCountsRefused: boolean;
  /** Whether a 429 says when to come back. No source shows such a header, so it is off. */
  readonly retryAfter: boolean;
  readonly keys: readonly SandboxKey[];
  readonly passwordUsers: readonly PasswordUser[];
  readonly agencies: readonly Agency[];
  readonly oidcTrusts: readonly OidcTrust[];
  /** Tokens that the pod identity agent of the host accepts. */
  readonly podTokens: readonly string[];
  /** Whether `GET /v3/auth/domains` names the account: users of identity policies get an empty list. */
  readonly domainsListed: boolean;
  readonly projects: readonly Project[];
  readonly enterpriseProjects: readonly EnterpriseProject[];
  readonly domain: { readonly id: string; readonly name: string };
  /** Characters of a token; real ones reach 32,768. */
  readonly tokenLength: number;
  readonly tokenLifetimeMs: number;
  readonly temporaryKeyLifetimeMs: number;
  /** The metadata service of a host: with session tokens, older without, absent, or without an agency. */
  readonly metadata: 'v2' | 'v1' | 'off' | 'no-agency';
  readonly lockoutAfter: number;
  readonly lockoutMs: number;
  readonly clockSkewMs: number;
  /** The event list shows no more rows than this. */
  readonly eventCap: number;
  /** What an offset at or after the cap gives; not documented. */
  readonly beyondEventCap: 'empty' | 'error';
  /** What `last_update_time` means; not documented. `silent` never moves, `restless` always does. */
  readonly lastUpdateTime: 'newest' | 'silent' | 'restless' | 'absent';
  /** Which spelling the handling history accepts: the documents disagree. */
  readonly imageTypeSpelling: 'local_image' | 'local' | 'both';
  readonly otherImageType: 'error' | 'empty';
  readonly instanceGenerations: readonly InstanceGeneration[];
  /** The v1 list changed its shape in mid-2026. */
  readonly v1InstanceShape: 'instances' | 'servers';
  /** Zone of all audit instances, such as `UTC+08:00`, in which the times of their reports are; one generation says it. */
  readonly instanceTimeZone: string;
  /** The largest `size` of the report list (not documented), and what a larger one gives. */
  readonly maxReportSize: number;
  readonly reportSizeOver: 'error' | 'clamp';
  readonly lists: Readonly<Partial<Record<Operation, ListBehaviour>>>;
  /** Time that each answer takes. */
  readonly latencyMs: number;
  /** Requests that the log keeps. */
  readonly logSize: number;
}

/** What a caller may set; everything has a default. */
export type SandboxOptions = Partial<SandboxSettings>;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const DEFAULTS: SandboxSettings = {
  host: '127.0.0.1',
  port: 0,
  seed: 1,
  now: Date.now,
  clusters: 12,
  retiredClusters: 0,
  noisyCluster: true,
  events: 4_000,
  vulnerabilities: 400,
  instances: 3,
  reports: 240,
  hosts: 60,
  examples: false,
  eventsDocument: 'en',
  churn: 0,
  churnMix: { event: 60, handled: 20, report: 5, rescan: 5, operation: 8, scan: 2, removed: 0 },
  lateArrivalMs: 0,
  quota: 0,
  quotaPerIp: 0,
  quotaWindowMs: MINUTE_MS,
  quotaCountsRefused: false,
  retryAfter: false,
  keys: [DEMO_KEY],
  passwordUsers: [DEMO_PASSWORD_USER],
  agencies: [DEMO_AGENCY],
  oidcTrusts: [DEMO_OIDC],
  podTokens: [DEMO_POD_TOKEN],
  domainsListed: true,
  projects: [DEMO_PROJECT],
  enterpriseProjects: ENTERPRISE_PROJECTS,
  domain: { id: '0a1b2c3d4e5f60718293a4b5c6d7e8f9', name: 'demo-domain' },
  tokenLength: 1_800,
  tokenLifetimeMs: DAY_MS,
  temporaryKeyLifetimeMs: DAY_MS,
  metadata: 'v2',
  lockoutAfter: 5,
  lockoutMs: 5 * MINUTE_MS,
  clockSkewMs: 15 * MINUTE_MS,
  eventCap: 10_000,
  beyondEventCap: 'empty',
  lastUpdateTime: 'newest',
  imageTypeSpelling: 'local',
  otherImageType: 'error',
  instanceGenerations: ['v2', 'v1', 'v1-dbss'],
  v1InstanceShape: 'instances',
  instanceTimeZone: 'UTC',
  maxReportSize: 100,
  reportSizeOver: 'error',
  lists: {},
  latencyMs: 0,
  logSize: 10_000,
};

/** Fills in what a caller left out. */
export function settle(options: SandboxOptions): SandboxSettings {
  return { ...DEFAULTS, ...options };
}
