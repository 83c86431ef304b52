import { bigint, integer, primaryKey, text, timestamp } from '../../core/stream/drizzle.ts';
import { sync, timestamptz } from '../../core/stream/table.ts';

const total = () => bigint({ mode: 'number' }).notNull().default(0);

/** The request budgets: one row for every account and operation, and one for the address all accounts share. */
export const apiQuota = sync.table(
  'api_quota',
  {
    account: text().notNull(),
    operation: text().notNull(),
    budget: integer().notNull(),
    learnt_limit: integer(),
    learnt_window_ms: integer(),
    learnt_dimension: text(),
    reduced_limit: integer(),
    reduced_at: timestamptz(),
    held_until: timestamptz(),
    recent: timestamp({ withTimezone: true }).array().notNull().default([]),
    used: total(),
    throttled: total(),
    last_used_at: timestamptz(),
    last_throttled_at: timestamptz(),
  },
  (table) => [primaryKey({ name: 'api_quota_pk', columns: [table.account, table.operation] })],
);

/** Credentials that the API refused: they rest, because an access key locks after a few failures. */
export const suspendedCredentials = sync.table(
  'suspended_credentials',
  {
    account: text().notNull(),
    fingerprint: text().notNull(),
    failures: integer().notNull(),
    reason: text().notNull(),
    until: timestamptz().notNull(),
    last_failed_at: timestamptz().notNull(),
    server_time: timestamptz(),
  },
  (table) => [primaryKey({ name: 'suspended_credentials_pk', columns: [table.account, table.fingerprint] })],
);

/** The comments of the tables and columns above, emitted as `COMMENT ON`. */
export const QUOTA_COMMENTS: Readonly<
  Record<string, { readonly about: string; readonly columns: Readonly<Record<string, string>> }>
> = {
  api_quota: {
    about: 'Request budgets, shared by all processes.',
    columns: {
      account: 'Account the budget belongs to; * for the address that all accounts share.',
      operation: 'API operation: method and path template.',
      budget: 'Requests a minute, as configured.',
      learnt_limit: 'Requests per window, as the API said when it throttled.',
      learnt_window_ms: 'Length of that window in milliseconds.',
      learnt_dimension: 'What the API counts by: user, ip or api.',
      reduced_limit: 'Requests a minute after the last throttling; one more with every clean minute since reduced_at.',
      reduced_at: 'When the recovery from the last throttling starts.',
      held_until: 'No request is sent before.',
      recent: 'When recent requests were answered; for one under way, when it will have been given up.',
      used: 'Requests sent so far, failed attempts included.',
      throttled: 'How many of them the API answered with "too many".',
      last_used_at: 'When a request was last sent.',
      last_throttled_at: 'When the API last throttled.',
    },
  },
  suspended_credentials: {
    about: 'Credentials the API refused, which rest until a time or until they change.',
    columns: {
      account: 'Account the credentials belong to.',
      fingerprint: 'Fingerprint of the credentials.',
      failures: 'How many times in a row they were refused.',
      reason: 'What the API said.',
      until: 'They are not used before.',
      last_failed_at: 'When they were last refused.',
      server_time:
        'What the clock of the API said then, where the clock of the refused process was off; null where it was right.',
    },
  },
};
