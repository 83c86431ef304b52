/**
 * Returns a secret. It is read at each use, so a rotated file needs no restart and no object that is printed contains
 * it.
 */
export type Secret = () => Promise<string>;

/** Credentials that depend on no others. Temporary ones are renewed before they expire. */
export type SourceAuth =
  | { readonly kind: 'aksk'; readonly accessKey: Secret; readonly secretKey: Secret; readonly securityToken?: Secret }
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret; readonly domain: string }
  | { readonly kind: 'token'; readonly token: Secret }
  | { readonly kind: 'ecs-agency' }
  | { readonly kind: 'pod-identity'; readonly uri: string; readonly token: Secret }
  | {
      readonly kind: 'oidc';
      readonly providerUrn: string;
      readonly agencyUrn: string;
      readonly sessionName: string;
      readonly idToken: Secret;
      /** Requested lifetime of the keys, in ms. */
      readonly durationMs: number;
    };

/** An agency in another account, which has delegated access to the account of `source`. */
export interface AssumedAgency {
  readonly kind: 'assume-agency';
  readonly agency: string;
  /** The account that owns the agency. */
  readonly domain: { readonly name: string } | { readonly id: string };
  /** Requested lifetime of the keys, in ms. */
  readonly durationMs: number;
  readonly source: SourceAuth;
}

/** How an account authenticates. */
export type Auth = SourceAuth | AssumedAgency;

/** Services of Huawei Cloud that are called. */
export type Service = 'hss' | 'dbss' | 'iam' | 'eps' | 'sts';

/** One set of credentials (one IAM user). Quotas apply per account. */
export interface Account {
  readonly name: string;
  readonly auth: Auth;
  /** Base URLs that replace the documented ones; `metadata` is the ECS metadata service. */
  readonly endpoints: Readonly<Partial<Record<Service | 'metadata', string>>>;
  /**
   * For each API operation. HSS documents 5 per user and per IP. From `PLENTY_PER_MINUTE` on, requests are not metered.
   */
  readonly requestsPerMinute: number;
}

/** Account, region and project that a stream is read for, and the setting of enterprise projects. */
export interface Scope {
  readonly account: string;
  readonly region: string;
  readonly projectId: string;
  /** `all_granted_eps` unless configured: with the API's default, `0`, all other enterprise projects are hidden. */
  readonly enterpriseProjectId: string;
}
