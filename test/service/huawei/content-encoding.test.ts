import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Unreachable } from '../../../src/core/errors.ts';
import { accountAt, failureOf, inTurn, page, type Reply, serve, sourceFor } from './support.ts';

const body = Buffer.from(JSON.stringify({ total_num: 1, data_list: [{ name: 'grün' }] }));
const encoded =
  (encoding: string, bytes: Buffer): Reply =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding });
    response.end(bytes);
  };

describe('a compressed answer', () => {
  it('is asked for', async () => {
    const { url, received } = await serve(page);
    await sourceFor([accountAt(url)]).read();
    expect(received[0]?.headers['accept-encoding']).toBe('gzip, br');
  });

  it.each<[string, Buffer]>([
    ['gzip', gzipSync(body)],
    ['br', brotliCompressSync(body)],
    ['x-gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['deflate', deflateRawSync(body)],
    ['zstd', zstdCompressSync(body)],
    ['gzip, BR', brotliCompressSync(gzipSync(body))],
    ['identity', body],
  ])('is read: %s, %#', async (encoding, bytes) => {
    const { url } = await serve(encoded(encoding, bytes));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ value: [{ name: 'grün' }], attempts: 1 });
  });

  it('without a body is accepted', async () => {
    const { url } = await serve(inTurn(encoded('gzip', Buffer.alloc(0)), page));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ attempts: 2 });
  });

  it('that is truncated is requested again', async () => {
    const { url } = await serve(inTurn(encoded('gzip', gzipSync(body).subarray(0, 40)), page));
    expect(await sourceFor([accountAt(url)]).read()).toMatchObject({ attempts: 2 });
  });

  it('in an unsupported encoding is reported without any of its bytes', async () => {
    const { url, received } = await serve(encoded('compress', gzipSync(body)));
    const error = await failureOf(sourceFor([accountAt(url)]).read());
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('encoded as compress');
    expect(received).toHaveLength(1);
  });

  it('that decodes to more than 32 MB is refused, and not requested again', async () => {
    const { url, received } = await serve(encoded('gzip', gzipSync(Buffer.alloc(33 * 1024 * 1024))));
    const error = await failureOf(sourceFor([accountAt(url)]).read());
    expect(error.message).toContain('larger than 32 MB when it is decoded');
    expect(received).toHaveLength(1);
  });

  it('without a Content-Encoding header puts none of its bytes into a message', async () => {
    const { url } = await serve((response) => void response.end(gzipSync(body)));
    const { message } = await failureOf(sourceFor([accountAt(url)]).read());
    expect(message).toMatch(/200 with \d+ characters of no content type: it is not valid JSON/);
    expect(message).toMatch(/^[ -~…]*$/);
  });
});
