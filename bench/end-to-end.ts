import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchServer } from './support/database.ts';
import { median } from './support/median.ts';
import { openSandbox } from './support/sandbox.ts';
import { runSync } from './support/sync.ts';

export interface EndToEnd {
  readonly rows: number;
  readonly walk: 'first load' | 'unchanged' | '10 % changed';
  readonly rowsPerSecond: number;
  readonly requests: number;
  /** CPU time of the process per row, including its start, in microseconds. */
  readonly cpuMicros: number;
  readonly peakMb: number;
}

const CLUSTERS = 200;
const EVENTS = 'hss_cluster_events';

/**
 * Runs the command `sync` over HTTP against a sandbox without quota. Events are spread evenly over 200 clusters, so
 * that the cap of 10,000 makes it read cluster by cluster. Every walk is a separate process and reads everything
 * (`--full`). Reports medians of the repeats, each with its own database and sandbox, and the highest peak of memory.
 */
export async function endToEnd(
  server: BenchServer,
  events: number,
  { withChanges = true, repeats = 1 } = {},
): Promise<readonly EndToEnd[]> {
  const all: EndToEnd[] = [];
  for (let repeat = 0; repeat < repeats; repeat += 1) all.push(...(await once(server, events, withChanges)));
  return [...Map.groupBy(all, ({ walk }) => walk).values()].flatMap((same) => {
    const [first] = same;
    const middle = (pick: (one: EndToEnd) => number) => Math.round(median(same.map(pick)));
    if (first === undefined) return [];
    return {
      ...first,
      rowsPerSecond: middle(({ rowsPerSecond }) => rowsPerSecond),
      cpuMicros: middle(({ cpuMicros }) => cpuMicros),
      peakMb: Math.max(...same.map(({ peakMb }) => peakMb)),
    };
  });
}

async function once(server: BenchServer, events: number, withChanges: boolean): Promise<readonly EndToEnd[]> {
  const directory = await mkdtemp(join(tmpdir(), 'security-sync-bench-'));
  const sandbox = await openSandbox({ events, clusters: CLUSTERS, noisyCluster: false });
  try {
    return await server.withDatabase(async (pool, url) => {
      const place = { directory, databaseUrl: url, sandboxUrl: sandbox.url };
      await runSync(place, 'hss_protected_clusters');
      const done: EndToEnd[] = [];
      const measure = async (walk: EndToEnd['walk']) => {
        const { report, cpuMs, peakMb } = await runSync(place, EVENTS, '--full');
        const seconds = report.duration_ms / 1000;
        done.push({
          rows: events,
          walk,
          rowsPerSecond: Math.round(events / seconds),
          requests: report.requests,
          cpuMicros: Math.round((cpuMs * 1000) / events),
          peakMb: Math.round(peakMb),
        });
      };
      await measure('first load');
      await pool.query('vacuum analyze');
      await measure('unchanged');
      if (!withChanges) return done;
      await sandbox.handle(events / 10);
      await measure('10 % changed');
      return done;
    });
  } finally {
    await sandbox.close();
    await rm(directory, { recursive: true });
  }
}
