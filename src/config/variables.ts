import { readFile } from 'node:fs/promises';
import type { Secret } from '../core/account.ts';
import { coerceError } from '../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Whether a variable has a value: itself, or as the path of a file in `NAME_FILE`. An empty one has none. */
export function isSet(env: Environment, name: string): boolean {
  return Boolean(env[name]) || Boolean(env[`${name}_FILE`]);
}

/** The value of a variable, or of the file that `NAME_FILE` names; throws with a sentence that holds no value. */
export async function readVariable(env: Environment, name: string): Promise<string> {
  const value = env[name];
  const file = env[`${name}_FILE`];
  if (value && file) throw new Error(`both ${name} and ${name}_FILE are set`);
  if (value) return value;
  if (!file) throw new Error(`${name} is not set`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new Error(`${name}_FILE cannot be read: ${whyUnreadable(error)} (${file})`, { cause: error });
  }
  const content = withoutEdges(text);
  if (content === '') throw new Error(`the file that ${name}_FILE names is empty`);
  return content;
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** Why a file cannot be read, without its path. */
export function whyUnreadable(error: unknown): string {
  const { message, code = '' }: Error & { code?: string } = coerceError(error);
  return UNREADABLE[code] ?? message;
}

/** Puts the values of `${NAME}` into a text. */
export async function render(env: Environment, template: string): Promise<string> {
  const names = new Set([...template.matchAll(REFERENCE)].map(([, name = '']) => name));
  const values = new Map<string, string>();
  for (const name of names) values.set(name, await readVariable(env, name));
  return withoutEdges(template.replace(REFERENCE, (_, name: string) => values.get(name) ?? ''));
}

/**
 * Without what cannot be seen at the ends of a value: newlines that editors and `echo` add, a CR of Windows, a byte order mark, a
 * zero-width space of a web page. Blanks stay: a password may have them.
 */
function withoutEdges(text: string): string {
  return text.replace(/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/gu, '');
}

/** A secret that is read again at every use, so that a rotated file counts at once. */
export function secretOf(env: Environment, template: string): Secret {
  return () => render(env, template);
}

/** Fills in every text of a decoded file; what cannot be filled in is reported with its path and left as it is. */
export async function renderAll(
  env: Environment,
  value: unknown,
  report: (path: string, problem: string) => void,
  path = '',
): Promise<unknown> {
  if (typeof value === 'string') {
    try {
      return await render(env, value);
    } catch (error) {
      report(path, coerceError(error).message);
      return value;
    }
  }
  if (Array.isArray(value)) {
    return Promise.all(value.map((item, index) => renderAll(env, item, report, `${path}[${index}]`)));
  }
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(
    async ([key, item]): Promise<[string, unknown]> => [
      key,
      await renderAll(env, item, report, path === '' ? key : `${path}.${key}`),
    ],
  );
  return Object.fromEntries(await Promise.all(entries));
}
