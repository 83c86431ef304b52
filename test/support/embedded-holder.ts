import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { onTestFinished } from 'vitest';

/** The value of an SQL expression. */
export async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ value: unknown }>(`select ${sql} as value`);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}

export interface Holder {
  readonly child: ChildProcessWithoutNullStreams;
  readonly line: string;
  leave(): Promise<string>;
}

/** Another process that holds the server; `wrapper` is put before its command line. */
export async function hold(
  where: string,
  options: { wrapper?: readonly string[]; env?: NodeJS.ProcessEnv; script?: string } = {},
): Promise<Holder> {
  const script = options.script ?? fileURLToPath(new URL('hold-embedded.ts', import.meta.url));
  const [command = process.execPath, ...args] = [...(options.wrapper ?? []), process.execPath, script, where];
  const child = spawn(command, args, { env: options.env ?? process.env });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  const line = await next();
  return {
    child,
    line,
    leave() {
      child.stdin.end();
      return next();
    },
  };
}
