/** A key pair that the sandbox accepts. */
export interface SandboxKey {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Set for temporary keys: requests must carry it as X-Security-Token. */
  readonly securityToken?: string;
  /** Quotas belong to the user, so keys of one user share them. */
  readonly user: string;
  /** The projects that the user may read; absent means all. */
  readonly projects?: readonly string[];
}

/** A user who may request tokens. */
export interface PasswordUser {
  readonly name: string;
  readonly password: string;
  readonly domain: string;
  readonly projects?: readonly string[];
}

/** An agency that users of other accounts may assume. */
export interface Agency {
  readonly name: string;
  /** The account it belongs to. */
  readonly domain: { readonly id: string; readonly name: string };
  /** Users of other accounts that may assume it. */
  readonly trusts: readonly string[];
  readonly projects?: readonly string[];
}

/** A trust agency for the subjects of an OpenID Connect provider. */
export interface OidcTrust {
  readonly providerUrn: string;
  readonly agencyUrn: string;
  /** Id tokens issued by the provider. */
  readonly idTokens: readonly string[];
  readonly projects?: readonly string[];
}

/** A project with its own estate; omitted sizes are those of the sandbox. */
export interface Project {
  readonly id: string;
  readonly region: string;
  readonly name?: string;
  readonly clusters?: number;
  readonly retiredClusters?: number;
  readonly events?: number;
  readonly vulnerabilities?: number;
  readonly instances?: number;
  readonly reports?: number;
  readonly hosts?: number;
}

/** An enterprise project: a label that groups resources across projects. */
export interface EnterpriseProject {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

/** The key pair that works without configuration. It is only valid for sandboxes. */
export const DEMO_KEY: SandboxKey = {
  accessKey: 'SANDBOXDEMOACCESSKEY',
  secretKey: 'sandbox-demo-secret-key-opens-nothing-else',
  user: 'security-reader',
};

/** The user that works without configuration. */
export const DEMO_PASSWORD_USER: PasswordUser = {
  name: 'demo-user',
  password: 'sandbox-demo-password',
  domain: 'demo-domain',
};

/** The agency that the user of the demo key may assume. */
export const DEMO_AGENCY: Agency = {
  name: 'security-reader',
  domain: { id: '5d0e6b7c8f9a4b1c2d3e4f5061728394', name: 'tenant-domain' },
  trusts: [DEMO_KEY.user],
};

/** The provider that works without configuration; it has one id token. */
export const DEMO_OIDC: OidcTrust = {
  providerUrn: 'iam::0a1b2c3d4e5f60718293a4b5c6d7e8f9:oidc-provider:demo',
  agencyUrn: 'iam::0a1b2c3d4e5f60718293a4b5c6d7e8f9:agency:security-reader',
  idTokens: ['eyJhbGciOiJSUzI1NiJ9.sandbox-demo-id-token.opens-nothing-else'],
};

/** The pod token that the pod identity agent accepts. */
export const DEMO_POD_TOKEN = 'sandbox-demo-pod-token';

/** The project that exists without configuration: that of the published examples. */
export const DEMO_PROJECT: Project = { id: '84b5266c14ae489fa6549827f032dc62', region: 'cn-north-4' };

/** The default enterprise project and three others. Without `all_granted_eps` the API shows only the first. */
export const ENTERPRISE_PROJECTS: readonly EnterpriseProject[] = [
  { id: '0', name: 'default', description: 'Resources that belong to no other enterprise project' },
  { id: '6f0d3a52-7c1e-4b6a-9a55-2f6d1f0c8b11', name: 'payments', description: 'Card and wallet processing' },
  { id: 'b3c9e7d4-18f2-4d0b-8e6c-5a7b9c2d4e22', name: 'retail', description: 'Shops, catalogue and orders' },
  { id: 'd81a5c60-93b7-4f1e-a2d4-7e8f6b5c3a33', name: 'platform', description: 'Shared services and CI' },
];

/** The value that selects every enterprise project the caller may see. */
export const ALL_ENTERPRISE_PROJECTS = 'all_granted_eps';
