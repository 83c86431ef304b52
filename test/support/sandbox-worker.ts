import { parentPort, workerData } from 'node:worker_threads';
import { type SandboxOptions, startSandbox } from '../../src/sandbox/server/server.ts';
import { testNow } from './clock.ts';

/** What a sandbox in a thread of its own is given: its clock is the real one plus what the other thread writes here. */
export interface SandboxTask {
  readonly options: SandboxOptions;
  readonly aheadMs: Float64Array;
}

/** A sandbox with a heap of its own, so that what grows in it is not taken for the service's. A number asks for that many changes. */
const { options, aheadMs }: SandboxTask = workerData;
const sandbox = await startSandbox({ ...options, now: () => Math.floor(testNow() + (aheadMs[0] ?? 0)) });
parentPort?.on('message', (changes: number) => {
  sandbox.estate.step(changes);
  parentPort?.postMessage('done');
});
parentPort?.postMessage(sandbox.url);
