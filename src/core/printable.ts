/**
 * Text from elsewhere must not steer a terminal: C0 and C1 controls (U+009B begins a sequence like ESC [), DEL, and the
 * characters that turn the direction of a line around. Line ends and tabs are text.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text for a terminal: each control character as `\u009b`. Encoded JSON decodes to the same values: they only stand inside strings. */
export function printable(text: string): string {
  return text.replace(CONTROLS, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The first character of a text that cannot be seen, as `U+FEFF`; null where there is none. */
export function invisibleIn(text: string): string | null {
  const [found] = INVISIBLE.exec(text) ?? [];
  return found === undefined ? null : `U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
