import { startSandbox } from '../../src/sandbox/server/server.ts';

/**
 * A sandbox in a process of its own, so that its work is not counted as the service's. Started with its options as JSON;
 * takes `{ handled: n }` over IPC: `n` events change, as if they had been handled.
 */
const sandbox = await startSandbox({ ...JSON.parse(process.argv[2] ?? '{}'), port: 0, logSize: 10 });
process.on('message', (message: { readonly handled: number }) => {
  sandbox.estate.step(message.handled, 'handled');
  process.send?.({ changed: message.handled });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ url: sandbox.url });
