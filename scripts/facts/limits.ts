/** The limits of values in an attribute's description. */
export interface Limits {
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
}

type Kind = 'text' | 'integer' | 'number' | 'boolean' | 'list' | 'object';

/**
 * Extracts limits from a description, because the SDK has no typed ones. They are in a section "range of values" or in
 * the running text. Recognized are lists of `- value: meaning`, and about a dozen phrases for ranges and lengths.
 */
export function limitsOf(kind: Kind, description: string, isParameter: boolean): Limits {
  const { about, range } = sections(description);
  if (kind === 'list') return listLimits(range);
  if (kind === 'boolean' || kind === 'object') return {};
  const values = valuesIn(range) ?? valuesIn(about);
  if (kind === 'text') return values === undefined ? textLimits(about, range, isParameter) : { values };
  if (values !== undefined) return values.every((value) => /^-?\d+$/.test(value)) ? { values } : {};
  const [min, max] = pairIn(range) ?? (/最小值|取值/.test(about) ? pairIn(about) : undefined) ?? [];
  if (min === undefined || max === undefined || max < min) return {};
  // The maximum of a 64-bit number is the limit of the type, not of the value, and JavaScript cannot represent it.
  return max > Number.MAX_SAFE_INTEGER ? { min } : { min, max };
}

/** The documented values of the elements of a list of texts or integers. */
export function elementValues(kind: Kind, description: string): readonly string[] | undefined {
  const { about, range } = sections(description);
  const values = valuesIn(range) ?? valuesIn(about);
  return kind === 'integer' && values?.some((value) => !/^-?\d+$/.test(value)) ? undefined : values;
}

interface Sections {
  readonly about: string;
  readonly range: string;
}

function sections(description: string): Sections {
  const plain = description
    .replaceAll('&amp;', '&')
    .replaceAll('&quot;', '"')
    .replaceAll('&#x3D;', '=')
    .replaceAll('\\"', '"')
    .replaceAll(/\s+/g, ' ')
    .replaceAll('2^63-1', String(2n ** 63n - 1n))
    .replaceAll(/"([A-Za-z_/ ]*)"/g, '$1')
    .replaceAll(/(- [A-Za-z_/ ]+?) ?#/g, '$1：');
  const parts = plain.split(/\*\*([^*]+)\*\*\s*[:：]?\s*/);
  let about = parts[0] ?? '';
  let range = '';
  for (let index = 1; index < parts.length; index += 2) {
    const text = (parts[index + 1] ?? '').trim();
    if (parts[index]?.includes('取值范围')) range += ` ${text}`;
    else if (!parts[index]?.includes('默认')) about += ` ${text}`;
  }
  return { about: about.trim(), range: range.trim() };
}

const ITEM = /(?:(?<=\s)|^)[-–]\s*([A-Za-z0-9_./+&()* -]{1,60}?)\s*:?\s*[：:](?=\s|[^/])/g;
const ITEM_WITHOUT_COLON = /(?:(?<=\s)|^)-\s*([A-Za-z0-9_]{1,40})\s+(?=[^\s-])/g;

/** Other formats of enumerations, each with a pattern for one of its values. */
const OTHER_LISTS: readonly { readonly when: RegExp; readonly value: RegExp }[] = [
  { when: /[A-Za-z0-9_]+（[^（）]+）、/, value: /([A-Za-z0-9_]+)（[^（）]+）(?=、|$|，|；)/g },
  { when: /- \S+：(post|pre)_paid/, value: /：((?:post|pre)_paid)/g },
  { when: /[a-z_]+：\S+ [a-z_]+：/, value: /([a-z_]{4,})：/g },
  { when: /(^|\s)- [A-Za-z]\w*( - [A-Za-z]\w*)+\s*$/, value: /- ([A-Za-z]\w*)/g },
  { when: /“[a-z_]+”.*“[a-z_]+”/, value: /“([a-z_]+)”/g },
  { when: /^(TCP、UDP|目前包括TCP，UDP两种)$/, value: /(TCP|UDP)/g },
];

/** The enumerated values of a text; undefined if it has none, or if its list ends with "and so on". */
function valuesIn(text: string): readonly string[] | undefined {
  if (/等。?$/.test(text) || /UTC\+|8 - 26/.test(text)) return undefined;
  const found = matches(text, ITEM);
  if (found.length > 0) return found;
  for (const { when, value } of OTHER_LISTS) if (when.test(text)) return matches(text, value);
  const bare = matches(text, ITEM_WITHOUT_COLON);
  return bare.length > 1 ? bare : undefined;
}

function matches(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, value = '']) => value.trim()))].filter(
    (value) => value !== '',
  );
}

const PAIRS = [
  /最小值\s*[:：]?\s*(-?\d+)\s*[，,、\s]\s*最大值\s*[:：]?\s*(-?\d+)/,
  /最少\s*(-?\d+)\s*[条个][^\d]*最多\s*(-?\d+)/,
  /(-?\d+)\s*[-~～－—至到]+\s*(-?\d+)/,
];

function pairIn(text: string): readonly [number, number] | undefined {
  for (const pattern of PAIRS) {
    const [, low, high] = pattern.exec(text) ?? [];
    if (low !== undefined) return [Number(low), Number(high)];
  }
  return undefined;
}

function listLimits(range: string): Limits {
  const [, max = 0] = range.includes('字符') ? [] : (pairIn(range) ?? []);
  return max > 0 ? { maxItems: max } : {};
}

function textLimits(about: string, range: string, isParameter: boolean): Limits {
  const text = range === '' ? about : range;
  const atMost = /大于0小于等于\s*(\d+)/.exec(`${about} ${range}`)?.[1];
  if (isParameter && atMost !== undefined) return { min: 1, max: Number(atMost) };
  const atLeast = /大于等于\s*(\d+)\s/.exec(`${about} ${range} `)?.[1];
  if (isParameter && /偏移量/.test(about) && atLeast !== undefined) return { min: Number(atLeast) };
  const [, low, high] =
    /(?:字符(?:串)?(?:长度|范围|个数|大小)?|长度)(?:范围)?\s*[为:：是]?\s*(\d+)\s*[-~～到至]\s*(\d+)/.exec(text) ??
    (/字符/.test(text)
      ? /最小(?:长度|值)\s*[:：]?\s*(\d+)[，,\s]+最大(?:长度|值)\s*[:：]?\s*(\d+)/.exec(text)
      : null) ??
    [];
  if (Number(high) > 0) return { minLength: Number(low), maxLength: Number(high) };
  const exact = /(?:字符长度|长度为?|字符串长度)\s*(\d+)\s*位?(?![-~\d])/.exec(text)?.[1];
  return exact === undefined ? {} : { maxLength: Number(exact) };
}
