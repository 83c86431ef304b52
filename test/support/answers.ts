import type { RunReport } from '../../src/core/store.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { DEMO_PROJECT, type SandboxOptions } from '../../src/sandbox/server/server.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { scope, startEngine } from './engine.ts';
import type { TestDatabase } from './postgres.ts';

/** Engines on projects of their own, for answers that are not what the documents promise. */

const SMALL: SandboxOptions = { hosts: 6, clusters: 3, events: 30, vulnerabilities: 30, instances: 2, reports: 10 };

/** What people read of a run. */
export const shown = ({ status, certificate, records, inserted, rejected }: RunReport) => ({
  status,
  certificate,
  records,
  inserted,
  rejected,
});

/**
 * What a test file needs of its own database. Projects are numbered from `first` on: what an estate holds is drawn from the id
 * of its project, and some of them hold too little for some tests.
 */
export function ownProjects(database: TestDatabase, first = 1) {
  let projects = first - 1;

  /** An engine on a project of its own, so that tests share nothing but the database. */
  async function start(options: SandboxOptions = {}) {
    projects += 1;
    const id = `project${projects}`;
    const started = await startEngine(database, { ...SMALL, projects: [{ ...DEMO_PROJECT, id }], ...options });
    const mine = { ...scope, projectId: id };
    return {
      ...started,
      id,
      run: (stream: Stream, full = false) =>
        runStream(started.engine, { stream, scope: mine }, { signal: new AbortController().signal, full }),
      rows: async (table: string) => {
        const { rows } = await database.pool.query<{ n: number }>(
          `select count(*)::int as n from ${table} where project_id = $1`,
          [id],
        );
        return rows[0]?.n;
      },
    };
  }

  return { start };
}
