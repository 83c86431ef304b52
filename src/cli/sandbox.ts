import { ConfigurationError, coerceError } from '../core/errors.ts';
import { PLENTY_PER_MINUTE } from '../core/ports.ts';
import { DEMO_KEY, DEMO_PROJECT, type Sandbox, startSandbox } from '../sandbox/server/server.ts';
import { type Context, EXIT, type ExitCode } from './context.ts';

const SIZES = ['clusters', 'events', 'vulnerabilities', 'instances', 'reports', 'hosts'] as const;

/** How large the made-up estate is, from the options of the command. Throws a `ConfigurationError` for what is no number. */
export function sizesOf(options: Readonly<Record<string, string>>): Readonly<Record<string, number>> {
  return Object.fromEntries(SIZES.map((name) => [name, wholeNumber(name, options[name])]));
}

/** `security-sync sandbox`: runs the local API server until stopped. */
export async function sandbox(context: Context, options: Readonly<Record<string, string>>): Promise<ExitCode> {
  const numbers = { churn: wholeNumber('churn', options.churn), quota: wholeNumber('quota', options.quota) };
  const port = portOf(options.port);
  const host = options.host ?? '127.0.0.1';
  const server = await startSandbox({
    ...sizesOf(options),
    ...numbers,
    port,
    host,
    seed: options.seed ?? '1',
    examples: 'examples' in options,
  }).catch((error: unknown) => Promise.reject(notListening(error, host, port)));
  const environment = environmentOf(server);
  context.answer({ url: server.url, environment }, () =>
    [
      `The sandbox listens on ${server.url}; Ctrl-C stops it. To sync from it, put this into security-sync.yaml:`,
      '',
      yamlFor(server),
    ].join('\n'),
  );
  await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve(), { once: true }));
  await server.close();
  return EXIT.ok;
}

/** A readable error for a failed system call such as `listen`; any other error unchanged. */
export function notListening(cause: unknown, host: string, port: number): Error {
  const error = coerceError(cause);
  if (!('syscall' in error && 'code' in error)) return error;
  const reason = error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${String(error.code)})`;
  const advice = 'choose others with --port (0: any free one) and --host';
  return new ConfigurationError(`port ${port} of ${host} ${reason}: ${advice}`, {}, { cause: error });
}

/** A configuration with the sandbox as the only account. */
export function yamlFor({ url, settings }: Sandbox): string {
  return [
    'accounts:',
    '  - name: sandbox',
    `    auth: { kind: aksk, accessKey: ${DEMO_KEY.accessKey}, secretKey: ${DEMO_KEY.secretKey} }`,
    '    projects:',
    `      - { id: ${DEMO_PROJECT.id}, region: ${DEMO_PROJECT.region} }`,
    `    endpoints: { hss: "${url}", dbss: "${url}", iam: "${url}", eps: "${url}", sts: "${url}", metadata: "${url}" }`,
    `    requestsPerMinute: ${requestsPerMinute(settings.quota)}`,
  ].join('\n');
}

/** The same configuration as environment variables. */
function environmentOf({ url, settings }: Sandbox) {
  return {
    HUAWEICLOUD_SDK_AK: DEMO_KEY.accessKey,
    HUAWEICLOUD_SDK_SK: DEMO_KEY.secretKey,
    HUAWEICLOUD_SDK_PROJECT_ID: DEMO_PROJECT.id,
    HW_REGION_NAME: DEMO_PROJECT.region,
    SECURITY_SYNC_ENDPOINT_HSS: url,
    SECURITY_SYNC_ENDPOINT_DBSS: url,
    SECURITY_SYNC_ENDPOINT_IAM: url,
    SECURITY_SYNC_ENDPOINT_EPS: url,
    SECURITY_SYNC_ENDPOINT_STS: url,
    SECURITY_SYNC_ENDPOINT_METADATA: url,
    SECURITY_SYNC_REQUESTS_PER_MINUTE: requestsPerMinute(settings.quota),
  };
}

function requestsPerMinute(quota: number): string {
  return String(quota === 0 ? PLENTY_PER_MINUTE : quota);
}

/** Port 0 means any free port. */
export function portOf(text: string | undefined, name = 'port'): number {
  const port = wholeNumber(name, text);
  if (port < 65_536) return port;
  throw new ConfigurationError(`--${name} must be at most 65535`);
}

function wholeNumber(name: string, text: string | undefined): number {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new ConfigurationError(`--${name} must be a whole number, not "${text ?? ''}"`);
}
