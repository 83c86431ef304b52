import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';

/** What is asked for. Without the header a server may send anything (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, br';

/** Code of the error about an encoding that the request did not accept. */
export const UNKNOWN_ENCODING = 'UNKNOWN_ENCODING';
/** Code of the error of Node about a body that decodes to more than the bound. */
export const TOO_LARGE_DECODED = 'ERR_BUFFER_TOO_LARGE';

type Decoder = (bytes: Uint8Array, bounds: { readonly maxOutputLength: number }) => Promise<Uint8Array>;

const plainInflate = promisify(inflate);
const rawInflate = promisify(inflateRaw);

/** Read as well, though not asked for: proxies compress as they like. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
  // With or without the wrapper of zlib: servers disagree (RFC 9110, 8.4.1.2). The wrapper begins with 8 in four bits.
  deflate: (bytes, bounds) =>
    ((bytes[0] ?? 0) & 0x0f) === 8 ? plainInflate(bytes, bounds) : rawInflate(bytes, bounds),
};

/** A body is encoded once; more than twice only by those who want to find out what happens. */
const MOST_ENCODINGS = 2;

/**
 * The text of a body. `encodings` is its Content-Encoding, in the order in which they were applied; `longest` bounds the
 * bytes of every step. Throws errors with a `code`, as undici does.
 */
export async function decodeBody(bytes: Uint8Array, encodings: string, longest: number): Promise<string> {
  const names = encodings
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  let decoded = bytes;
  if (bytes.length > 0) {
    if (names.length > MOST_ENCODINGS) throw unknown(names.join(', '));
    for (const name of names.reverse()) {
      const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
      if (decode === undefined) throw unknown(name);
      decoded = await decode(decoded, { maxOutputLength: longest });
    }
  }
  return new TextDecoder().decode(decoded);
}

function unknown(name: string): Error {
  return Object.assign(new Error(`the answer is encoded as ${name}`), { code: UNKNOWN_ENCODING });
}
