import type { Account } from '../../core/account.ts';
import { ConfigurationError } from '../../core/errors.ts';
import {
  type Clock,
  type Logger,
  type PageSource,
  PLENTY_PER_MINUTE,
  type Quota,
  type Suspensions,
} from '../../core/ports.ts';
import { createHttp, type Http, PAGE_TIMEOUT_MS } from '../transport/http.ts';
import { readCall } from './read-call.ts';
import { AccountSession } from './session.ts';

export interface PageSourceParts {
  readonly accounts: readonly Account[];
  readonly quota: Quota;
  readonly suspensions: Suspensions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared connections; without them the source opens its own and closes them with itself. */
  readonly http?: Http;
  /** 0 to 1; `Math.random` unless a test wants to know the waits. */
  readonly random?: () => number;
  /** For one page, without the waits for quota; 60 s unless it is set. */
  readonly pageBudgetMs?: number;
}

/**
 * The page source over the real API. One per process: an account's token, its first call and its suspension are
 * shared by everything that reads through it.
 */
export function createPageSource(parts: PageSourceParts): PageSource & { close(): Promise<void> } {
  const { accounts, quota, suspensions, clock, logger, random = Math.random, pageBudgetMs = PAGE_TIMEOUT_MS } = parts;
  const http = parts.http ?? createHttp({ timeoutMs: pageBudgetMs });
  const sessions = new Map<string, AccountSession>();
  for (const account of accounts) {
    sessions.set(account.name, new AccountSession({ account, suspensions, clock, logger, http }));
  }
  const reader = { clock, logger, quota, random, budgetMs: pageBudgetMs };
  return {
    async read(scope, call, parse, signal) {
      const session = sessions.get(scope.account);
      if (session === undefined) throw new ConfigurationError(`There is no account ${scope.account}.`);
      signal.throwIfAborted();
      const target = { region: scope.region, projectId: scope.projectId };
      return await readCall(session, reader, { target, call, parse, signal });
    },
    isPlentiful: ({ account }) => (sessions.get(account)?.account.requestsPerMinute ?? 0) >= PLENTY_PER_MINUTE,
    async close() {
      if (parts.http === undefined) await http.close();
    },
  };
}
