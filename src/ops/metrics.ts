import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { PageSource, Quota } from '../core/ports.ts';
import type { RunReport } from '../core/store.ts';
import { type ApiInstruments, instrumentPageSource, instrumentQuota } from './instrument.ts';

/** Counters of this process. Gauges about the whole installation are read from the database at scrape time (`gauges.ts`). */
export interface Metrics {
  readonly registry: Registry;
  readonly onReport: (report: RunReport) => void;
  readonly instrumentQuota: (quota: Quota) => Quota;
  readonly watchSource: (source: PageSource) => PageSource;
}

/** Every name starts with this. */
export const PREFIX = 'security_sync_';

/** Labels take their values from the configuration, the stream definitions and our own words, never from answers. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges with the ending of counters; `nodejs_active_handles` and the like say the same by kind.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  const runs = counter(registry, 'runs_total', 'Runs that ended, by how.', ['stream', 'status']);
  const walks = counter(registry, 'walks_total', 'Walks that ended: probe, head or full.', ['stream', 'walk']);
  const certificates = counter(
    registry,
    'certificates_total',
    'Certificates of runs: complete, or incomplete for a reason.',
    ['stream', 'certificate', 'reason'],
  );
  const rows = counter(registry, 'rows_total', 'Records read, by what became of them.', ['stream', 'outcome']);
  const durations = new Histogram({
    name: `${PREFIX}run_duration_seconds`,
    help: 'How long runs took, waits for quota included.',
    labelNames: ['stream'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600],
    registers: [registry],
  });
  const api = apiInstruments(registry);
  return {
    registry,
    instrumentQuota: (quota) => instrumentQuota(quota, api),
    watchSource: (source) => instrumentPageSource(source, api),
    onReport(report) {
      const { stream } = report;
      runs.inc({ stream, status: report.status });
      durations.observe({ stream }, report.duration_ms / 1000);
      if (report.walk !== null) walks.inc({ stream, walk: report.walk });
      if (report.certificate !== null)
        certificates.inc({ stream, certificate: report.certificate, reason: report.reason ?? '' });
      for (const outcome of ['inserted', 'updated', 'unchanged', 'deleted', 'rejected'] as const) {
        if (report[outcome] > 0) rows.inc({ stream, outcome }, report[outcome]);
      }
    },
  };
}

function apiInstruments(registry: Registry): ApiInstruments {
  return {
    requests: counter(
      registry,
      'api_requests_total',
      'Requests sent, every attempt counted: ok, throttled or failed.',
      ['account', 'operation', 'outcome'],
    ),
    durations: new Histogram({
      name: `${PREFIX}api_request_duration_seconds`,
      help: 'Time to a whole answer, without waits for quota and retries.',
      labelNames: ['operation'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
      registers: [registry],
    }),
    errors: counter(
      registry,
      'api_errors_total',
      'Pages that could not be read after all attempts, by kind of error.',
      ['account', 'operation', 'error'],
    ),
    waits: new Histogram({
      name: `${PREFIX}quota_wait_seconds`,
      help: 'Time spent waiting for a request slot.',
      labelNames: ['account', 'operation'],
      buckets: [0.01, 0.1, 1, 5, 15, 30, 61, 120],
      registers: [registry],
    }),
  };
}

function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  return new Counter({ name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] });
}
