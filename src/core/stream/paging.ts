import { MalformedAnswer } from '../errors.ts';
import { isObject } from './json.ts';

/** Where a page lies in its list, counted in rows. */
export interface At {
  readonly offset: number;
  readonly limit: number;
}

export interface PageParams {
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** A decoded answer, as far as paging understands it. */
export interface Page {
  readonly records: readonly unknown[];
  /** What the list says its length is; null when it does not say. A claim to compare with, never the end of a list. */
  readonly total: number | null;
  /** The list's own "latest update time" in ms, where the endpoint has one. A hint, never a watermark. */
  readonly lastUpdateTime: number | null;
  /** Error code that came beside the records; null where there is none. */
  readonly error: string | null;
}

/** What an answer without a body (204) is read as. */
export const NO_CONTENT = '{"total_num":0,"total":0}';

/** How a list is cut into pages: a pure function of "what I ask for" and "what came back". */
export interface Paging {
  /**
   * `offset`: any start row. `page`: only multiples of the page size, so pages cannot overlap. `whole`: every answer has
   * all of the list.
   */
  readonly kind: 'offset' | 'page' | 'whole';
  /** Rows asked for at a time. */
  readonly limit: number;
  /** The list never shows rows beyond this one, whatever its true length. */
  readonly cap: number | null;
  /** Key of the list's length in the answer. */
  readonly total: string;
  params(at: At): PageParams;
  /** `offset` is where the page was asked for. Throws MalformedAnswer when the body is not a page of this list. */
  read(body: unknown, offset?: number): Page;
}

interface Shape {
  /** Key of the list; several when generations of the endpoint differ. */
  readonly list: string | readonly string[];
  /** Key of the object that wraps each record, if any. */
  readonly item?: string;
  readonly total?: string;
  readonly limit?: number;
  readonly cap?: number;
}

/** `offset` and `limit` in the query: every HSS list (limit 10-200). */
export function offsetPaging(shape: Shape): Paging {
  return {
    kind: 'offset',
    limit: shape.limit ?? 200,
    cap: shape.cap ?? null,
    total: shape.total ?? 'total_num',
    params: ({ offset, limit }) => ({ query: { offset, limit } }),
    read: reader(shape, 'total_num'),
  };
}

/** `page` (from 1) and `size` in a JSON body, as numbers or as text: the DBSS lists that are asked for with POST. */
export function pagePaging({ asText = false, ...shape }: Shape & { readonly asText?: boolean }): Paging {
  const written = (value: number) => (asText ? String(value) : value);
  return {
    kind: 'page',
    limit: shape.limit ?? 100,
    cap: shape.cap ?? null,
    total: shape.total ?? 'total',
    params: ({ offset, limit }) => ({ body: { page: written(offset / limit + 1), size: written(limit) } }),
    read: reader(shape, 'total'),
  };
}

/** Longer than any list that is sent without pages. */
const LONGEST_WHOLE = 1_000_000;

/** A list without pages, which every answer has all of. Without a count it is as long as its answer. */
export function wholePaging(shape: Omit<Shape, 'limit' | 'cap'>): Paging {
  const read = reader(shape, 'total');
  return {
    kind: 'whole',
    limit: LONGEST_WHOLE,
    cap: null,
    total: shape.total ?? 'total',
    params: () => ({}),
    read(body) {
      const page = read(body);
      return { ...page, total: page.total ?? page.records.length };
    },
  };
}

/** Members that a page may have besides its list: what is left of an empty one where empty members are left out. */
const SIDE = /^(last_?update_?time|error_?code|error_?msg|request_?id|success|total(_?num)?)$/i;

function reader(shape: Shape, defaultTotal: string): (body: unknown, offset?: number) => Page {
  const lists = typeof shape.list === 'string' ? [shape.list] : shape.list;
  return (body, offset = 0) => {
    if (!isObject(body)) throw new MalformedAnswer('the answer is not a JSON object');
    const total = count(body[shape.total ?? defaultTotal]);
    const key = lists.find((name) => name in body);
    const list = (key === undefined ? undefined : body[key]) || null;
    const error = errorCodeIn(body);
    const lastUpdateTime = count(body.last_update_time ?? body.lastUpdateTime);
    // Java servers write `null` for an empty list, others leave it out (`omitempty` in Go, NON_NULL in Java). With rows
    // promised at this place, with an error, without a count or with other members, it is a broken answer.
    const isLeftOut = key !== undefined || (total !== null && Object.keys(body).every((name) => SIDE.test(name)));
    if (list === null && isLeftOut && error === null && (total ?? 0) <= offset) {
      return { records: [], total, lastUpdateTime, error };
    }
    if (!Array.isArray(list)) throw new MalformedAnswer(`the answer has no ${lists.join(' or ')}: ${describe(body)}`);
    const { item } = shape;
    const records =
      item === undefined ? list : list.map((one: unknown) => (isObject(one) && isObject(one[item]) ? one[item] : one));
    return { records, total, lastUpdateTime, error };
  };
}

/** A count that may come as a number or as text; anything else is "not said". */
function count(value: unknown): number | null {
  const number =
    typeof value === 'string' && value !== '' ? Number(value) : typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
}

/** What the answer was instead: its error code where it has one, else its keys. */
function describe(body: Readonly<Record<string, unknown>>): string {
  const code = errorCodeIn(body);
  return code === null ? `its keys are ${Object.keys(body).slice(0, 8).join(', ') || 'none'}` : `error_code ${code}`;
}

/** What services write for "no error": nothing, zeros, the status of success, or a word for it. */
const SUCCESS = /^(?:(?:HSS|DBSS)\.)?(?:0*|200|ok|none|null|succe(?:ss|ssful|ssfully|ed|eded))$/i;

/**
 * The error code that an answer carries whatever its status, in any of the documented places: `error_code` (HSS, DBSS, API
 * gateway), `errorCode` or `code` (accepted by the official SDKs), or either of them below `error` (IAM). Null where there
 * is none, or one that says success.
 */
export function errorCodeIn(body: unknown): string | null {
  if (!isObject(body)) return null;
  for (const holder of [body, ...(isObject(body.error) ? [body.error] : [])]) {
    const code = holder.error_code ?? holder.errorCode ?? holder.code;
    if ((typeof code === 'string' || typeof code === 'number') && !SUCCESS.test(String(code).trim())) {
      return String(code).trim();
    }
  }
  return null;
}
