/** A secret is read when it is used, so a rotated file is picked up without a restart and nothing prints it by accident. */
export type Secret = () => Promise<string>;

export type Auth =
  | { readonly kind: 'aksk'; readonly accessKey: Secret; readonly secretKey: Secret; readonly securityToken?: Secret }
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret; readonly domain: string }
  | { readonly kind: 'token'; readonly token: Secret }
  | { readonly kind: 'ecs-agency' };

export type Service = 'hss' | 'dbss' | 'iam' | 'eps';

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
