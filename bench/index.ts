/**
 * `npm run bench [-- section...]`: end-to-end, writer, members, wal, economy, million, peers; by default all of them. Prints one
 * table and writes bench/results.json. Uses an embedded server with Postgres' default settings, or BENCH_DATABASE_URL.
 */
import { economy, economyTable } from './economy.ts';
import { type EndToEnd, endToEnd } from './end-to-end.ts';
import { members } from './members.ts';
import { peers } from './peers/index.ts';
import { type BenchServer, openServer } from './support/database.ts';
import { type Line, print, save } from './support/report.ts';
import { wal } from './wal.ts';
import { writer } from './writer.ts';

const SECTIONS: Readonly<Record<string, (server: BenchServer) => Promise<readonly Line[]>>> = {
  'end-to-end': async (server) => (await endToEnd(server, 100_000, { repeats: 3 })).map(lineOf),
  async writer(server) {
    const results = await writer(server);
    return results.map(({ method, rowsPerSecond, ofCopy, ofDrizzle }) => ({
      benchmark: method,
      figures: { 'rows/s': rowsPerSecond, 'x raw COPY': ofCopy, 'x Drizzle': ofDrizzle },
    }));
  },
  async members(server) {
    const results = await members(server);
    return results.map(({ what, rowsPerSecond, times }) => ({
      benchmark: `host vulnerabilities with their CVEs: ${what}`,
      figures: { 'rows/s': rowsPerSecond, 'x the time without the table of CVEs': times },
    }));
  },
  async wal(server) {
    const results = await wal(server);
    return results.map(({ relation, bytes, bytesPerRow }) => ({
      benchmark: `WAL of unchanged rows: ${relation}`,
      figures: { bytes, 'bytes/row': bytesPerRow },
    }));
  },
  economy: async () =>
    economyTable(await economy()).map(({ stream, ...figures }) => ({
      benchmark: `a day of ${stream}, 5 requests a minute`,
      figures,
    })),
  million: async (server) => (await endToEnd(server, 1_000_000, { withChanges: false })).map(lineOf),
  peers,
};

function lineOf({ rows, walk, rowsPerSecond, requests, cpuMicros, peakMb }: EndToEnd): Line {
  return {
    benchmark: `sync, ${rows.toLocaleString('en')} rows, ${walk}`,
    figures: { 'rows/s': rowsPerSecond, requests, 'us CPU/row': cpuMicros, 'MB peak': peakMb },
  };
}

const named = process.argv.slice(2);
const server = await openServer();
const lines: Line[] = [];
try {
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (named.length > 0 && !named.includes(name)) continue;
    console.error(`${name} ...`);
    const done = await section(server);
    print(done);
    lines.push(...done);
  }
} finally {
  await server.close();
}
save(lines);
