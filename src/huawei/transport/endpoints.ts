import type { Account, Service } from '../../core/account.ts';

/**
 * Regions with HSS and with DBSS, as the official SDKs list them (huaweicloud-sdk-python-v3 3.1.211,
 * `hss_region.py` and `dbss_region.py`; the Java SDK has the same).
 */
const HSS_REGIONS = [
  'ae-ad-1',
  'af-north-1',
  'af-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'cn-east-2',
  'cn-east-3',
  'cn-east-4',
  'cn-east-5',
  'cn-north-1',
  'cn-north-2',
  'cn-north-4',
  'cn-north-9',
  'cn-north-11',
  'cn-north-12',
  'cn-south-1',
  'cn-south-2',
  'cn-south-4',
  'cn-southwest-2',
  'cn-southwest-3',
  'eu-west-101',
  'la-north-2',
  'la-south-2',
  'me-east-1',
  'my-kualalumpur-1',
  'na-mexico-1',
  'ru-moscow-1',
  'sa-brazil-1',
  'tr-west-1',
] as const;
const WITHOUT_DBSS: readonly string[] = ['ae-ad-1', 'eu-west-101', 'na-mexico-1'];
const DBSS_ONLY = 'ru-northwest-2';

/** The documented regions of each service. */
export const regionsOf: Readonly<Record<'hss' | 'dbss', readonly string[]>> = {
  hss: HSS_REGIONS,
  dbss: [...HSS_REGIONS.filter((region) => !WITHOUT_DBSS.includes(region)), DBSS_ONLY].sort(),
};

/** Every region that has HSS or DBSS. Others (dedicated and private clouds) need endpoints in the configuration. */
export const knownRegions: readonly string[] = [...new Set([...regionsOf.hss, ...regionsOf.dbss])].sort();

/** Regions without an IAM host (`iam_region.py`); they use the global one. */
const GLOBAL_IAM: readonly string[] = [
  'af-north-1',
  'ap-southeast-5',
  'cn-north-11',
  'cn-south-4',
  'cn-southwest-3',
  DBSS_ONLY,
];

/** EPS is a global service with four hosts (`eps_region.py`): three regions have their own, all others share one. */
const OWN_EPS: readonly string[] = ['eu-west-101', 'ru-moscow-1', 'my-kualalumpur-1'];

/**
 * The base URL of a service, without a trailing slash. The account's own endpoint has precedence. Without a region: the
 * global hosts of IAM and EPS; HSS and DBSS have none.
 */
export function endpointOf(service: Service, region: string | null, overrides: Account['endpoints'] = {}): string {
  const override = overrides[service];
  if (override !== undefined) return override.replace(/\/+$/, '');
  // The European site is a separate cloud.
  const domain = region === 'eu-west-101' ? 'myhuaweicloud.eu' : 'myhuaweicloud.com';
  return region === null || isServedGlobally(service, region)
    ? `https://${service}.${domain}`
    : `https://${service}.${region}.${domain}`;
}

function isServedGlobally(service: Service, region: string): boolean {
  if (service === 'iam') return GLOBAL_IAM.includes(region);
  return service === 'eps' && !OWN_EPS.includes(region);
}

/** The ECS metadata service (ECS user guide, "Obtaining metadata"), without a trailing slash. */
export function metadataEndpoint(overrides: Account['endpoints'] = {}): string {
  return (overrides.metadata ?? 'http://169.254.169.254').replace(/\/+$/, '');
}

/**
 * The region of an IAM project named `<region>` or `<region>_<name>` (IAM, "Projects"); null for other names.
 * `configured` is the region of the account, which need not be a documented one.
 */
export function regionOfProject(name: string, configured: string | null = null): string | null {
  const prefix = name.split('_', 1)[0] ?? '';
  return prefix === configured || knownRegions.includes(prefix) ? prefix : null;
}

/** Why the pod's token may not be sent to a URI; null for https, and for http that stays on the node. */
export function podUriProblem(uri: string): string | null {
  const url = URL.parse(uri);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'must be an http(s) URL';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  return url.protocol === 'https:' || isNearby(uri)
    ? null
    : 'must be https, or the host a loopback or link-local address: the token of the pod would be sent in the clear';
}

/**
 * Whether the host is loopback (127.0.0.0/8, ::1) or link-local (169.254.0.0/16, fe80::/10). URL normalizes addresses
 * to their short form.
 */
export function isNearby(uri: string): boolean {
  const { hostname } = new URL(uri);
  return hostname === 'localhost' || /^(127|169\.254)(\.\d+){2,3}$|^\[(::1|fe[89ab][0-9a-f]:.*)\]$/.test(hostname);
}
