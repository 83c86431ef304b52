import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { CHILD_CLOCK } from './clock.ts';
import { firstLineOf } from './first-line.ts';

/** Our sources are compiled once, not by every process: the tests start many. */
const COMPILED = join(tmpdir(), `security-sync-test-${userInfo().uid}`, 'compiled');

export interface Child {
  readonly process: ChildProcess;
  /** What it has written so far, both outputs. */
  output(): string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** A real process of ours. Killed at the end of the test if it is still there. */
export function startChild(script: string, args: readonly string[]): Child {
  const file = join(import.meta.dirname, '..', '..', script);
  const start = firstLineOf(file);
  const child = spawn(process.execPath, [...start.args, ...CHILD_CLOCK.args, file, ...args], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      NODE_COMPILE_CACHE: COMPILED,
      ...start.env,
      ...CHILD_CLOCK.env(),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code ?? 'gone'));
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await ended;
  });
  return { process: child, output: () => text, ended };
}
