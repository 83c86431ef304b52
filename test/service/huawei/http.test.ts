import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createHttp } from '../../../src/huawei/transport/http.ts';
import { accountAt, events, failureOf, page, serve, sourceFor } from './support.ts';

const get = (origin: string, path = '/') =>
  ({ method: 'GET', origin, path, headers: {}, signal: new AbortController().signal }) as const;

/** A proxy that forwards nothing but says what it was asked, and opens tunnels to one place. */
async function proxy(tunnelTo: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('through the proxy');
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(tunnelTo);
    const there = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      there.pipe(socket).pipe(there);
    });
    there.on('error', () => socket.destroy());
    socket.on('error', () => there.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

describe('connections', () => {
  it('use a proxy, except for hosts in NO_PROXY', async () => {
    const { url, received } = await serve(page);
    const { url: proxyUrl, asked } = await proxy(url);
    const http = createHttp({ httpProxy: proxyUrl, httpsProxy: proxyUrl, noProxy: '127.0.0.1' });
    onTestFinished(() => http.close());
    expect(await http.send(get('http://hss.example.test', '/v5?x=1'))).toMatchObject({ text: 'through the proxy' });
    await http.send(get(url));
    expect(asked).toEqual(['GET http://hss.example.test/v5?x=1']);
    expect(received).toHaveLength(1);
  });

  it('ask the proxy for a tunnel when the service is HTTPS', async () => {
    const { url } = await serve(page);
    const { url: proxyUrl, asked } = await proxy(url);
    const http = createHttp({ httpsProxy: proxyUrl, noProxy: '' });
    onTestFinished(() => http.close());
    const account = { ...accountAt(url), endpoints: { hss: 'https://hss.example.test' } };
    // What is at the end of the tunnel speaks no TLS, which is how far this test goes.
    await failureOf(sourceFor([account], { http }).read());
    expect(new Set(asked)).toEqual(new Set(['CONNECT hss.example.test:443']));
  });

  it('to the metadata service never take the proxy', async () => {
    const { url, received } = await serve(page);
    const { url: proxyUrl, asked } = await proxy(url);
    const http = createHttp({ httpProxy: proxyUrl, noProxy: '' });
    onTestFinished(() => http.close());
    await http.send({ ...get(url), direct: true });
    expect(asked).toEqual([]);
    expect(received).toHaveLength(1);
  });

  it('limit responses through a proxy too', async () => {
    const { url } = await serve((response) => void response.end(Buffer.alloc(33 * 1024 * 1024)));
    const http = createHttp({ httpProxy: url, noProxy: '' });
    onTestFinished(() => http.close());
    await expect(http.send(get('http://hss.example.test'))).rejects.toMatchObject({
      code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE',
    });
  });

  it('end with the reason of the signal, before the request, while it waits for an answer, and inside the body', async () => {
    const reason = new Error('no longer wanted');
    let stop = new AbortController();
    const abort = () => stop.abort(reason);
    const { url, received } = await serve((response, request) => {
      if (request.url === '/body') response.write('{"a":');
      else setImmediate(abort);
    });
    const http = createHttp();
    onTestFinished(() => http.close());
    await expect(http.send({ ...get(url, '/headers'), signal: stop.signal })).rejects.toBe(reason);
    await expect(http.send({ ...get(url, '/never'), signal: stop.signal })).rejects.toBe(reason);
    stop = new AbortController();
    subscribe('undici:request:bodyChunkReceived', abort);
    onTestFinished(() => void unsubscribe('undici:request:bodyChunkReceived', abort));
    await expect(http.send({ ...get(url, '/body'), signal: stop.signal })).rejects.toBe(reason);
    expect(received.map((one) => one.url)).toEqual(['/headers', '/body']);
  });

  it('send the path exactly as it was signed', async () => {
    const { url, received } = await serve(page);
    const http = createHttp();
    onTestFinished(() => http.close());
    await http.send(get(url, '/a/../b%2Fc?q=%7E'));
    expect(received[0]?.url).toBe('/a/../b%2Fc?q=%7E');
  });

  it('honour an endpoint that has a path of its own', async () => {
    const { url, received } = await serve(page);
    await sourceFor([accountAt(`${url}/mirror/`)]).read();
    expect(received[0]?.url).toMatch(new RegExp(`^/mirror${events.path}\\?`));
  });
});
