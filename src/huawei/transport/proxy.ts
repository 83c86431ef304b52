import { ConfigurationError } from '../../core/errors.ts';

/** Instead of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface ProxySettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxies of the environment, lower case first, as curl has it. `proxy:3128` means `http://proxy:3128`, as curl, git and Go
 * take it. Throws ConfigurationError that names the variable, and not its value: that may hold a password.
 */
export function proxySettings(env: Environment): ProxySettings {
  const http = proxyUrl(env, 'http_proxy', 'HTTP_PROXY');
  const https = proxyUrl(env, 'https_proxy', 'HTTPS_PROXY');
  const no = env.no_proxy ?? env.NO_PROXY;
  return {
    ...(http === undefined ? {} : { httpProxy: http }),
    ...(https === undefined ? {} : { httpsProxy: https }),
    ...(no === undefined ? {} : { noProxy: no.trim() }),
  };
}

function proxyUrl(env: Environment, ...names: readonly string[]): string | undefined {
  const name = names.find((one) => (env[one]?.trim() ?? '') !== '');
  if (name === undefined) return undefined;
  const text = env[name]?.trim() ?? '';
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null) throw new ConfigurationError(`${name} is not the address of a proxy: http://host:port`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigurationError(
      `${name} names a proxy of kind ${url.protocol}//, only http:// and https:// are known`,
    );
  }
  return url.href;
}
