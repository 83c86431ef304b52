import { startSandbox } from '../../src/sandbox/server/server.ts';

/**
 * Runs a sandbox in its own process, so that its CPU time does not count as the service's. Takes its options as JSON
 * argument; on the IPC message `{ handled: n }` it marks `n` events as handled.
 */
const sandbox = await startSandbox({ ...JSON.parse(process.argv[2] ?? '{}'), port: 0, logSize: 10 });
process.on('message', (message: { readonly handled: number }) => {
  sandbox.estate.step(message.handled, 'handled');
  process.send?.({ changed: message.handled });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ url: sandbox.url });
