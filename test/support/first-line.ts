import { readFileSync } from 'node:fs';

/** What a script's first line passes to Node. */
export interface FirstLine {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * How the system starts a script that is called by its name: `env -S A=1 node --option`. A test that starts Node itself passes
 * the same; otherwise it measures the memory of a process that users do not have. Nothing if the script has no such line.
 */
export function firstLineOf(script: string): FirstLine {
  const [line = ''] = readFileSync(script, 'utf8').split('\n', 1);
  const [, settings, options] = /^#!\/usr\/bin\/env -S (?:(.*) )?node\b(.*)$/.exec(line) ?? [];
  const words = (text = '') => text.split(' ').filter((word) => word !== '');
  const variables = words(settings).map((word): [string, string] => {
    const at = word.indexOf('=');
    return [word.slice(0, at), word.slice(at + 1)];
  });
  return { args: words(options), env: Object.fromEntries(variables) };
}
