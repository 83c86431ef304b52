/** A secret is read when it is used, so a rotated file is picked up without a restart and nothing prints it by accident. */
export type Secret = () => Promise<string>;

/** Credentials that need no others. Everything that lives for a while only is fetched again ahead of its end. */
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
      readonly durationMs: number;
    };

/** An agency of another account, which trusts the account of `source`. */
export interface AssumedAgency {
  readonly kind: 'assume-agency';
  readonly agency: string;
  /** The account whose agency it is. */
  readonly domain: { readonly name: string } | { readonly id: string };
  readonly durationMs: number;
  readonly source: SourceAuth;
}

export type Auth = SourceAuth | AssumedAgency;

export type Service = 'hss' | 'dbss' | 'iam' | 'eps' | 'sts';

/** One set of credentials: one IAM user. Quotas belong to it. */
export interface Account {
  readonly name: string;
  readonly auth: Auth;
  /** Base URLs instead of the documented ones; `metadata` is the ECS metadata service. */
  readonly endpoints: Readonly<Partial<Record<Service | 'metadata', string>>>;
  /** Per API operation. HSS documents 5 per user and per IP. From 6,000 on nothing is counted. */
  readonly requestsPerMinute: number;
}

/** Account + region + project: what a stream is read for. */
export interface Scope {
  readonly account: string;
  readonly region: string;
  readonly projectId: string;
  /** `all_granted_eps` unless configured: the API's own default `0` hides every other enterprise project. */
  readonly enterpriseProjectId: string;
}
