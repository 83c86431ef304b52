import { isObject } from './json.ts';

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
