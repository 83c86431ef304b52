import type { Scope } from '../../core/account.ts';
import type { Reason } from '../../core/certificate.ts';
import { SyncError } from '../../core/errors.ts';
import type { Logger } from '../../core/ports.ts';
import type { RunReport } from '../../core/store.ts';
import type { Stream } from '../../core/stream/stream.ts';

/** Why a run is incomplete that did not get to its end. With refused credentials, the next one will not either. */
export function reasonOf(error: Error | null): Reason {
  return error instanceof SyncError && error.recovery === 'stop-account' ? 'refused' : 'interrupted';
}

/** Another process is reading the stream: nothing was done. */
export function busyReport(stream: Stream, scope: Scope): RunReport {
  return {
    stream: stream.name,
    account: scope.account,
    region: scope.region,
    project_id: scope.projectId,
    status: 'busy',
    certificate: null,
    certified_at: null,
    reason: null,
    walk: null,
    requests: 0,
    throttled: 0,
    records: 0,
    inserted: 0,
    updated: 0,
    unchanged: 0,
    deleted: 0,
    rejected: 0,
    duration_ms: 0,
    error: null,
  };
}

/** Rejects never fail a run; above this share of the records they are worth a warning. */
const MANY_REJECTS = 0.05;

/** One line for a run, with the counters of `sync --json`. What stopped the whole account is told once, by its session. */
export function logReport(logger: Logger, report: RunReport, error: Error | null): void {
  const reason = report.reason === null ? '' : ` (${report.reason})`;
  const message = `${report.stream}: ${report.status}${reason}`;
  if (report.reason === 'interrupted' && report.error === null) {
    const { stream, project_id, requests } = report;
    logger.info({ stream, project_id, requests }, `${stream}: interrupted; the next run goes on with what is left`);
  } else if (error instanceof SyncError && error.recovery === 'stop-account') logger.debug(report, message);
  else if (report.status === 'failed') logger.error(report, message);
  else if (report.status === 'incomplete') logger.warn(report, message);
  else logger.info(report, message);
  if (report.rejected > report.records * MANY_REJECTS) {
    logger.warn(
      { stream: report.stream, rejected: report.rejected, records: report.records },
      `${report.stream}: many records are no rows; see sync.rejected_records`,
    );
  }
}
