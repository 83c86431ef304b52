import { expect } from 'vitest';
import { runCli } from './cli.ts';

interface Difference {
  readonly kind: string;
  readonly key: Readonly<Record<string, string>>;
  readonly fields: readonly {
    readonly field: string;
    readonly stored: string | null;
    readonly listed: string | null;
  }[];
  readonly excused: boolean;
}

/** What `security-sync verify --json` writes. */
export interface Answer {
  readonly ok: boolean;
  readonly streams: readonly {
    readonly stream: string;
    readonly certificate: string;
    readonly reason: string | null;
    readonly error: string | null;
    readonly compared: number;
    readonly missing: number;
    readonly extra: number;
    readonly changed: number;
    readonly excused: number;
    readonly differences: readonly Difference[];
  }[];
}

/** Runs the command in a directory that has a configuration; the test fails where it writes to stderr. */
export async function verify(
  cwd: string,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly answer: Answer }> {
  const { code, stdout, stderr } = await runCli(['verify', ...args, '--json'], { cwd });
  expect(stderr).toBe('');
  return { code, answer: JSON.parse(stdout) };
}
