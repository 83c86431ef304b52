import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface SandboxProcess {
  readonly url: string;
  /** Handles this number of events, which moves them to the newest end of their lists. */
  handle(events: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a sandbox without quota in its own process. */
export async function openSandbox(options: Readonly<Record<string, number | boolean>>): Promise<SandboxProcess> {
  const child = fork(join(import.meta.dirname, 'sandbox-process.ts'), [JSON.stringify(options)]);
  const url = await urlOf(child);
  return {
    url,
    async handle(events) {
      const answered = once(child, 'message');
      child.send({ handled: events });
      await answered;
    },
    async close() {
      // A process that has ended has no IPC channel.
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

async function urlOf(child: ChildProcess): Promise<string> {
  const [message]: { readonly url: string }[] = await once(child, 'message');
  if (message === undefined) throw new Error('the sandbox did not say where it listens');
  return message.url;
}
