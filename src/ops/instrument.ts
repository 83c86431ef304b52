import type { Counter, Histogram } from 'prom-client';
import { coerceError, SyncError } from '../core/errors.ts';
import type { PageSource, Quota } from '../core/ports.ts';

export interface ApiInstruments {
  readonly requests: Counter<'account' | 'operation' | 'outcome'>;
  readonly durations: Histogram<'operation'>;
  readonly errors: Counter<'account' | 'operation' | 'error'>;
  readonly waits: Histogram<'account' | 'operation'>;
}

/** The same page source, counted. */
export function instrumentPageSource(source: PageSource, { requests, durations, errors }: ApiInstruments): PageSource {
  const count = (labels: { readonly account: string; readonly operation: string }, outcome: string, times: number) => {
    if (times > 0) requests.inc({ ...labels, outcome }, times);
  };
  return {
    async read(scope, call, reading) {
      const { account } = scope;
      const { operation } = call;
      try {
        const answer = await source.read(scope, call, reading);
        count({ account, operation }, 'ok', 1);
        count({ account, operation }, 'throttled', answer.throttled);
        count({ account, operation }, 'failed', answer.attempts - answer.throttled - 1);
        durations.observe({ operation }, answer.durationMs / 1000);
        return answer;
      } catch (thrown) {
        const error = coerceError(thrown);
        const attempts = numberOf(error, 'attempts');
        const throttled = numberOf(error, 'throttled');
        count({ account, operation }, 'throttled', throttled);
        count({ account, operation }, 'failed', attempts - throttled);
        if (!reading.signal.aborted)
          errors.inc({ account, operation, error: error instanceof SyncError ? error.name : 'Error' });
        throw thrown;
      }
    },
  };
}

/** The same quota, with the waits measured. */
export function instrumentQuota(quota: Quota, { waits }: ApiInstruments): Quota {
  return {
    async acquire(budget, signal) {
      const stop = waits.startTimer({ account: budget.account, operation: budget.operation });
      const slot = await quota.acquire(budget, signal);
      stop();
      return slot;
    },
  };
}

function numberOf(error: Error, name: 'attempts' | 'throttled'): number {
  const value = error instanceof SyncError ? error.context[name] : 0;
  return typeof value === 'number' ? value : 0;
}
