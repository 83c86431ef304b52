import { expect, onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';

const SMALL: SandboxOptions = { hosts: 6, clusters: 3, events: 60, vulnerabilities: 6, instances: 1, reports: 5 };

/** A sandbox that a command reads in a second; it ends with the test. */
export async function sandboxWith(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...SMALL, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** Waits until the sandbox has seen `count` requests. */
export async function requests(sandbox: Sandbox, operation: string, count: number): Promise<void> {
  await expect.poll(() => sandbox.requests.count(operation), { interval: 10 }).toBeGreaterThanOrEqual(count);
}
