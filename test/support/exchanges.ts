import type { ApiCall } from '../../src/core/ports.ts';
import { inOrder, type Stream } from '../../src/core/stream/stream.ts';
import { DEMO_PROJECT, type SandboxOptions } from '../../src/sandbox/server/server.ts';
import { streams } from '../../src/streams/index.ts';
import { runStream } from '../../src/sync/run/run-stream.ts';
import { scope, startEngine } from './engine.ts';
import { contradictions, facts } from './facts.ts';
import type { TestDatabase } from './postgres.ts';
import { callProblems } from './stream-facts.ts';

/** What streams ask of a sandbox and what it answers, held against the documents. */

let projects = 0;

export interface Exchange {
  readonly call: ApiCall;
  readonly body: unknown;
}

/** The names under which the documents have the operations of a stream. */
export function operationsOf({ endpoint: { method, paths } }: Stream): readonly string[] {
  return paths.map((path) => facts.get(`${method} ${path}`)?.operation ?? `${method} ${path}`);
}

function above(stream: Stream): readonly Stream[] {
  return stream.parent === undefined ? [] : [stream.parent.stream, ...above(stream.parent.stream)];
}

/** The streams that read one of the operations, those whose lists depend on their rows, and the parents of all of them. */
export function streamsAround(operations: readonly string[]): readonly Stream[] {
  const reads = (stream: Stream) => operationsOf(stream).some((operation) => operations.includes(operation));
  const around = streams.filter((stream) => [stream, ...above(stream)].some(reads));
  return inOrder([...new Set(around.flatMap((stream) => [stream, ...above(stream)]))]);
}

/** Reads lists of a sandbox twice, with changes in between, and keeps what was asked and answered. */
export async function exchanges(
  database: TestDatabase,
  options: SandboxOptions,
  read: readonly Stream[],
): Promise<readonly Exchange[]> {
  // What is learnt of a server belongs to its project.
  projects += 1;
  const projectId = `project${projects}`;
  const { engine, sandbox } = await startEngine(database, {
    hosts: 3,
    clusters: 4,
    events: 80,
    vulnerabilities: 10,
    instances: 2,
    reports: 30,
    projects: [{ ...DEMO_PROJECT, id: projectId }],
    ...options,
  });
  const kept: Exchange[] = [];
  const source: typeof engine.source = {
    ...engine.source,
    read: (from, call, { parse, signal }) =>
      engine.source.read(from, call, {
        parse: (text) => {
          kept.push({ call, body: JSON.parse(text) });
          return parse(text);
        },
        signal,
      }),
  };
  for (let round = 0; round < 2; round += 1) {
    for (const stream of read) {
      const report = await runStream(
        { ...engine, source },
        { stream, scope: { ...scope, projectId } },
        {
          signal: new AbortController().signal,
          full: true,
        },
      );
      if (report.error !== null) throw new Error(`${stream.name}: ${report.error}`);
    }
    if (options.examples !== true) sandbox.estate.step(200);
  }
  return kept;
}

/** Where a request or its answer contradicts the documents. */
export function problemsOf({ call, body }: Exchange): readonly string[] {
  const known = facts.get(call.operation);
  if (known === undefined) return [`${call.operation}: an operation without facts`];
  const asked = callProblems(known, call);
  return [...asked.map((what) => `asked for ${what}`), ...contradictions(known.response, body)].map(
    (what) => `${known.operation}: ${what}`,
  );
}
