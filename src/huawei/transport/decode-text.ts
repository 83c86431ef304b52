import { isAscii } from 'node:buffer';

/** Size in bytes of the parts that are searched for other characters than ASCII; the search itself is native code. */
const PART = 4_096;

/** A text is decoded as usual if more than one byte in this number is not ASCII. */
const SPARSE = 64;

const BACKSLASH = 0x5c;

/**
 * Decodes UTF-8. In JSON with few characters beyond ASCII these become escapes, which changes the text but not its
 * value. V8 stores a text with a single such character in twice the memory, and parses it more slowly; most pages have
 * some Chinese names.
 */
export function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return asciiJson(buffer) ?? new TextDecoder().decode(bytes);
}

/** Null for a text that is not an object or array, has many characters beyond ASCII, or any that takes two escapes. */
function asciiJson(bytes: Buffer): string | null {
  if (bytes[0] !== 0x7b && bytes[0] !== 0x5b) return null;
  let left = Math.floor(bytes.length / SPARSE);
  let copied = 0;
  const pieces: Buffer[] = [];
  for (let at = nextOther(bytes, 0); at < bytes.length; at = nextOther(bytes, copied)) {
    let end = at;
    for (; (bytes[end] ?? 0) >= 0x80; end += 1) if ((bytes[end] ?? 0) >= 0xf0) return null;
    left -= end - at;
    // A backslash before the character is a wrong escape, which must stay one.
    if (left < 0 || bytes[at - 1] === BACKSLASH) return null;
    pieces.push(bytes.subarray(copied, at), Buffer.from(escapes(bytes.toString('utf8', at, end))));
    copied = end;
  }
  if (copied === 0) return bytes.toString('latin1');
  pieces.push(bytes.subarray(copied));
  return Buffer.concat(pieces).toString('latin1');
}

/** Index of the next byte that is not ASCII; the length if there is none. */
function nextOther(bytes: Buffer, from: number): number {
  for (let start = from; start < bytes.length; start += PART) {
    const end = Math.min(start + PART, bytes.length);
    if (isAscii(bytes.subarray(start, end))) continue;
    for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) >= 0x80) return at;
  }
  return bytes.length;
}

function escapes(characters: string): string {
  let text = '';
  for (let at = 0; at < characters.length; at += 1) {
    text += `\\u${characters.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return text;
}
