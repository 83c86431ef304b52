import { startEmbeddedPostgres } from '../../src/postgres/embedded/server.ts';

/** Holds the embedded server of a directory until its standard input ends; says on its output what it got. */
const [, , dir = ''] = process.argv;
try {
  const server = await startEmbeddedPostgres(dir, { fsync: 'off' });
  console.log(JSON.stringify({ url: server.url, joined: server.joined }));
  for await (const _ of process.stdin);
  console.log(await server.release());
} catch (error) {
  console.log(String(error));
  process.exitCode = 3;
}
