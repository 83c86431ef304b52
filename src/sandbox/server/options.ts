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

/** Number of objects in an estate. */
export interface EstateSize {
  readonly clusters: number;
  /** Clusters with events that are no longer in the list of protected clusters. */
  readonly retiredClusters: number;
  /** Whether one cluster has about half of all events; otherwise events are spread evenly. */
  readonly noisyCluster: boolean;
  readonly events: number;
  readonly vulnerabilities: number;
  readonly instances: number;
  /** Audit reports of all instances together. */
  readonly reports: number;
  /** Number of hosts; the lists of hosts and their findings grow with it. */
  readonly hosts: number;
}

/** Kinds of changes to an estate while it is read. */
export type ChangeKind = 'event' | 'handled' | 'report' | 'rescan' | 'operation' | 'scan' | 'removed';

/** The generations of the audit instance list. */
export type InstanceGeneration = 'v2' | 'v1' | 'v1-dbss';

/** All settings. The documents leave much open; each such point is a setting here. */
export interface SandboxSettings extends EstateSize {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
  readonly seed: number | string;
  /** The clock of the server, in ms since the epoch. */
  readonly now: () => number;
  /** Serve the published responses of the four documented lists, byte for byte. */
  readonly examples: boolean;
  /** The published response of the event list: the Chinese document uses camelCase. */
  readonly eventsDocument: 'en' | 'zh';
  /** Changes per minute; 0 means none. */
  readonly churn: number;
  /** Relative frequency of each kind of change. */
  readonly churnMix: Readonly<Partial<Record<ChangeKind, number>>>;
  /** New and changed rows have a time up to this far in the past, as if they had arrived late. */
  readonly lateArrivalMs: number;
  /** Calls per window, user and operation; 0 is no limit (the documents say 5 a minute). */
  readonly quota: number;
  /** The same per IP address; 0 is no limit. */
  readonly quotaPerIp: number;
  readonly quotaWindowMs: number;
  /** Whether refused calls count too. */
  readonly quotaCountsRefused: boolean;
  /** Whether a 429 has a Retry-After header. Off, because no source documents one. */
  readonly retryAfter: boolean;
  readonly keys: readonly SandboxKey[];
  readonly passwordUsers: readonly PasswordUser[];
  readonly agencies: readonly Agency[];
  readonly oidcTrusts: readonly OidcTrust[];
  /** Tokens that the pod identity agent accepts. */
  readonly podTokens: readonly string[];
  /** Whether `GET /v3/auth/domains` lists the account: users with identity policies get an empty list. */
  readonly domainsListed: boolean;
  readonly projects: readonly Project[];
  readonly enterpriseProjects: readonly EnterpriseProject[];
  readonly domain: { readonly id: string; readonly name: string };
  /** Length of a token in characters; real ones have up to 32,768. */
  readonly tokenLength: number;
  readonly tokenLifetimeMs: number;
  readonly temporaryKeyLifetimeMs: number;
  /** The metadata service of a host: with session tokens, the older one without, absent, or without an agency. */
  readonly metadata: 'v2' | 'v1' | 'off' | 'no-agency';
  readonly lockoutAfter: number;
  readonly lockoutMs: number;
  readonly clockSkewMs: number;
  /** Most rows that the event list shows. */
  readonly eventCap: number;
  /** The response for an offset at or after the cap; undocumented. */
  readonly beyondEventCap: 'empty' | 'error';
  /** The meaning of `last_update_time`; undocumented. `silent` never moves, `restless` always does. */
  readonly lastUpdateTime: 'newest' | 'silent' | 'restless' | 'absent';
  /** The spelling that the handling history accepts; the documents disagree. */
  readonly imageTypeSpelling: 'local_image' | 'local' | 'both';
  readonly otherImageType: 'error' | 'empty';
  readonly instanceGenerations: readonly InstanceGeneration[];
  /** The v1 list changed its shape in mid-2026. */
  readonly v1InstanceShape: 'instances' | 'servers';
  /**
   * Time zone of all audit instances and of the times in their reports, such as `UTC+08:00`; one generation shows it.
   */
  readonly instanceTimeZone: string;
  /** The largest `size` of the report list (undocumented), and the response for a larger one. */
  readonly maxReportSize: number;
  readonly reportSizeOver: 'error' | 'clamp';
  readonly lists: Readonly<Partial<Record<Operation, ListBehaviour>>>;
  /** Duration of each response. */
  readonly latencyMs: number;
  /** Number of requests that the log keeps. */
  readonly logSize: number;
}

/** The optional settings; each has a default. */
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

/** Adds the defaults. */
export function settle(options: SandboxOptions): SandboxSettings {
  return { ...DEFAULTS, ...options };
}
