import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { type Environment, whyUnreadable } from './environment.ts';

export interface Source {
  /** The file that was read, or null when there is none. */
  readonly file: string | null;
  /** What it holds, `${NAME}` not filled in yet; every scalar a text. */
  readonly content: Readonly<Record<string, unknown>>;
}

export type Report = (path: string, problem: string) => void;

const DEFAULT_FILE = 'security-sync.yaml';

/** The configuration file: the one named on the command line, else in the environment, else the default if it exists. */
export async function readSource(named: string | undefined, env: Environment, report: Report): Promise<Source> {
  const given = named ?? (env.SECURITY_SYNC_CONFIG || undefined);
  const file = resolve(given ?? DEFAULT_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (given === undefined && isMissing(error)) return { file: null, content: {} };
    report(file, `cannot be read: ${whyUnreadable(error)}`);
    return { file, content: {} };
  }
  return { file, content: parse(text, file, report) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Texts only: a project id such as 1234e5678 must not become a number. The parser's own messages quote the file. */
function parse(text: string, file: string, report: Report): Readonly<Record<string, unknown>> {
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    // Only the first: the parser trips over the rest of the file again and again.
    const at = broken.linePos?.[0];
    const hint = text.startsWith('${', broken.pos[0] - 1) ? `: put "$\{NAME}" in quotes inside { } and [ ]` : '';
    report(at ? `${file}:${at.line}:${at.col}` : file, `is not valid YAML (${broken.code})${hint}`);
    return {};
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch {
    report(file, 'uses an alias (*name) without its anchor; put values that start with * in quotes');
    return {};
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content };
  if (content !== '') report(file, 'must be a map of keys and values');
  return {};
}
