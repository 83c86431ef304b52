/** `1 list`, `2 lists`. */
export function counted(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

/**
 * Characters in text from outside that could control a terminal: C0 and C1 controls (U+009B starts a sequence like ESC
 * [), DEL, and those that change the text direction. Line feeds and tabs are allowed.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text for a terminal, with control characters as `\u009b`. In JSON they occur only inside strings, so its values stay
 * equal.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The first invisible character of a text, as `U+FEFF`; null without one. */
export function invisibleIn(text: string): string | null {
  const [found] = INVISIBLE.exec(text) ?? [];
  return found === undefined ? null : codePoint(found);
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * What is wrong with a secret: its first character that `odd` matches, which is not allowed in `what` (`a key or
 * token`). Shows nothing else of the text. Null without such a character.
 */
export function forbiddenIn(text: string, odd: RegExp, what: string): string | null {
  const [found] = odd.exec(text) ?? [];
  if (found === undefined) return null;
  const names: Readonly<Record<string, string>> = { '\n': 'a line break', '\r': 'a line break', ' ': 'a space' };
  return `contains ${names[found] ?? codePoint(found)}, which is not allowed in ${what}`;
}

/** `, did you mean x?` for the candidate closest to a misspelled word; empty if none is close. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  const near = best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 4));
  return near ? `, did you mean ${best.candidate}?` : '';
}

/** Number of characters to add, remove, replace or swap with their neighbour. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const steps = [at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + same];
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) steps.push(at(beforeLast, j - 2) + 1);
      row.push(Math.min(...steps));
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** A rounded duration: `3 s`, `12 min`, `5 h`, `9 d`. */
export function age(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}
