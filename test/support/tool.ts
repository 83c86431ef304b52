import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The path of a program that a long test needs and npm does not bring: from the variable of its name in capitals
 * (`PROMTOOL`, `HELM`), else from PATH. Throws how to install it, when it is asked for: so the tests that need it fail.
 */
export function tool(name: string, install: string): () => string {
  return () => {
    const named = process.env[name.toUpperCase()];
    if (named) return named;
    const found = (process.env.PATH ?? '')
      .split(delimiter)
      .map((folder) => join(folder, name))
      .find(existsSync);
    if (found === undefined) throw new Error(`this test needs ${name}, which is not on PATH: ${install}`);
    return found;
  };
}
