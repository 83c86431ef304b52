import { expect, test } from 'vitest';
import { proxySettings } from '../../../src/huawei/transport/http.ts';

test.each([
  [{ HTTPS_PROXY: 'proxy.example:3128' }, { httpsProxy: 'http://proxy.example:3128/' }],
  [{ https_proxy: 'proxy:3128', HTTPS_PROXY: 'other:1' }, { httpsProxy: 'http://proxy:3128/' }],
  [{ HTTP_PROXY: ' http://u:p%40@proxy:3128\n' }, { httpProxy: 'http://u:p%40@proxy:3128/' }],
  [{ HTTPS_PROXY: 'https://proxy.example' }, { httpsProxy: 'https://proxy.example/' }],
  [{ HTTPS_PROXY: '127.0.0.1:3128' }, { httpsProxy: 'http://127.0.0.1:3128/' }],
  [{ HTTPS_PROXY: '[::1]:3128' }, { httpsProxy: 'http://[::1]:3128/' }],
  [{ HTTPS_PROXY: 'localhost' }, { httpsProxy: 'http://localhost/' }],
  [{ HTTPS_PROXY: '', NO_PROXY: '.internal,10.0.0.1\n' }, { noProxy: '.internal,10.0.0.1' }],
  [{}, {}],
])('the proxy of %j is interpreted as by curl, git and Go', (env, expected) => {
  expect(proxySettings(env)).toEqual(expected);
});

test.each([
  [{ HTTPS_PROXY: 'http://user:hunter2@' }, 'HTTPS_PROXY must be the URL of a proxy, such as http://host:port'],
  [{ https_proxy: 'hunter2 proxy' }, 'https_proxy must be the URL of a proxy, such as http://host:port'],
  [{ HTTP_PROXY: 'socks5://h:1' }, 'HTTP_PROXY has the scheme socks5:; only http: and https: are supported'],
])('an invalid proxy URL is refused with the name of its variable: %j', (env, message) => {
  expect(() => proxySettings(env)).toThrow(message);
});
