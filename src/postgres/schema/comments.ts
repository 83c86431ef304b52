import type { Stream } from '../../core/stream/stream.ts';
import { MEMBER_TIME_ABOUT, SYSTEM_COLUMN_ABOUT, type Table } from '../../core/stream/table.ts';
import { qualified, quote } from '../rows/statements.ts';
import { literal } from './bi/view.ts';

const BI_ABOUT = 'Stable views for dashboards and people: in plain words, without JSON.';

/** `COMMENT ON` statements for every table and column, by table. BI tools show these comments. */
export function commentStatements(streams: readonly Stream[]): ReadonlyMap<string, readonly string[]> {
  const statements = new Map([['bi', [`COMMENT ON SCHEMA "bi" IS ${literal(BI_ABOUT)};`]]]);
  for (const stream of streams) {
    statements.set(plainName(stream.table), tableComments(stream, stream.table, stream.about));
    for (const { table, about, fields, column } of stream.memberLists) {
      const { name } = stream.table;
      const text = `${about} From ${column} of ${name}, at the times of its rows; account and region are there.`;
      const named = { name: stream.name, fields: { ...stream.fields, ...fields }, times: MEMBER_TIME_ABOUT };
      statements.set(plainName(table), tableComments(named, table, text));
    }
    if (stream.history === null) continue;
    const about = `Earlier versions of the rows of ${stream.table.name}: ${stream.about}`;
    statements.set(plainName(stream.history), tableComments(stream, stream.history, about));
  }
  for (const [table, { about, columns }] of Object.entries(SYSTEM_COMMENTS)) {
    const name = `"sync".${quote(table)}`;
    const lines = Object.entries(columns).map(([column, text]) => columnComment(name, column, text));
    statements.set(`sync.${table}`, [`COMMENT ON TABLE ${name} IS ${literal(about)};`, ...lines]);
  }
  return statements;
}

function plainName(table: Table): string {
  return qualified(table).replaceAll('"', '');
}

interface DescribedStream extends Pick<Stream, 'name' | 'fields'> {
  /** Descriptions of columns that are not fields of the stream. */
  readonly times?: Readonly<Record<string, string>>;
}

function tableComments(stream: DescribedStream, table: Table, about: string): string[] {
  const columns = table.columns.map(({ name }) => {
    const text = stream.fields[name]?.about ?? stream.times?.[name] ?? SYSTEM_COLUMN_ABOUT[name];
    if (text === undefined) throw new Error(`${stream.name}.${name} has no description`);
    return columnComment(qualified(table), name, text);
  });
  return [`COMMENT ON TABLE ${qualified(table)} IS ${literal(about)};`, ...columns];
}

function columnComment(table: string, column: string, text: string): string {
  return `COMMENT ON COLUMN ${table}.${quote(column)} IS ${literal(text)};`;
}

/** Descriptions of a table and its columns. */
export interface TableComments {
  readonly about: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** Descriptions of the tables in the schema `sync`. */
export const SYSTEM_COMMENTS: Readonly<Record<string, TableComments>> = {
  runs: {
    about: 'One row for every attempt at one stream in one scope.',
    columns: {
      id: 'Number of the run.',
      stream: 'Name of the stream.',
      account: 'Account the run read with.',
      region: 'Region of the project.',
      project_id: 'Project that was read.',
      status: 'running, succeeded, failed, incomplete or abandoned.',
      walk: 'The most thorough kind of walk in the run: probe, head or full.',
      certificate: 'What the run proved: complete or incomplete.',
      certified_at: 'When the oldest listing of the certificate was proven complete.',
      content_at: 'Time for which the rows of all its lists are known, except lists that were not read.',
      proof: 'How it was proven: atomic, order, quiet or split; several where its lists differ.',
      reason: 'Why the certificate is incomplete.',
      evidence: 'Counts and facts that the certificate is based on.',
      requests: 'Requests sent, failed attempts included.',
      throttled: 'Requests the API answered with "too many".',
      records: 'Records received.',
      inserted: 'Rows that were new.',
      updated: 'Rows that were written again because they differed.',
      unchanged: 'Rows equal to the stored ones, which cost no write.',
      deleted: 'Rows marked as gone by this run.',
      rejected: 'Records that are not valid rows; see sync.rejected_records.',
      stale: 'Rows not written because newer content was stored already.',
      started_at: 'When the run started.',
      beat_at: 'Last heartbeat of the process that runs it.',
      finished_at: 'When the run ended.',
      owner: 'Host and process that ran it.',
      backend_pid: 'Database backend that holds the lock of the run.',
      error: 'What went wrong, in one line.',
      error_code: 'Error code of the API, if it sent one.',
      request_id: 'Request id of the API, if it sent one.',
      looks:
        'Number of runs in this row: earlier runs of the hour (after three days: of the day) that found no change were merged into it. Counters are sums; all other values are those of the last run.',
      first_looked_at: 'When the first of them started; null for a single run.',
    },
  },
  listings: {
    about: 'Every list, and what its last walks proved.',
    columns: {
      project_id: 'Project the list belongs to.',
      stream: 'Stream the list belongs to.',
      listing: 'The parameters of the list as text; empty for the only list of a scope.',
      account: 'Account it is read with.',
      region: 'Region of the project.',
      params: 'The parameters of the list.',
      enterprise_project_id: 'The widest setting of enterprise projects that the stored rows may come from.',
      certificate:
        'complete or incomplete, after the last full walk; null before the first one and once its parent is gone.',
      reason: 'Why it is incomplete.',
      certified_at: 'When a walk last proved the list complete.',
      certified_since: 'When the run of that walk began; null if that was before this was stored.',
      content_at: 'Time for which all of its rows are known: the start of the last walk that showed every change.',
      proof:
        'How that was proven: atomic (one page), order (its sort key is covered), quiet (it stood still) or split (in parts).',
      evidence: 'What the last full walk saw.',
      certified: 'Checkpoint for the next walk: newest keys, count, orders, hash of the first page.',
      progress: 'How far the walk in progress is; only for display.',
      walked_at: 'When the list was last walked.',
      failed_at: 'When the API last gave no answer for the list; null if that never happened.',
      changed_at: 'When a walk last found a changed row.',
      missing:
        'Keys of live rows that certified walks did not contain, with the number of walks that count and the time of the last one. They are marked as gone when enough walks agree.',
      hint: 'How often the update time of the list was right or wrong.',
    },
  },
  rejected_records: {
    about: 'Records of the API that are not valid rows, with the reasons; security-sync replay validates them again.',
    columns: {
      project_id: 'Project the record was listed in.',
      stream: 'Stream it belongs to.',
      fingerprint: 'SHA-256 of listing and payload.',
      account: 'Account that read it.',
      region: 'Region of the project.',
      listing: 'List it was in.',
      params: 'Parameters of that list.',
      key: 'Key of the row, if readable.',
      issues: 'Which fields were refused, and why.',
      payload: 'The record as received, as JSON text.',
      count: 'How often it was received.',
      first_seen_at: 'When it was first received.',
      last_seen_at: 'When it was last received.',
      replayed_at:
        'When a later definition accepted it, or a complete walk no longer met the record; null while neither happened.',
    },
  },
  api_drift: {
    about: 'Where answers of the API differ from its documents.',
    columns: {
      stream: 'Stream with the difference.',
      field: 'Field that differs.',
      kind: 'unknown field, missing field, undocumented value, beyond length, beyond range, other list, other order, key is not unique, error beside rows, or wrong total.',
      sample: 'First value seen.',
      count: 'How many new or changed rows had it.',
      first_seen_at: 'When it was first seen.',
      last_seen_at: 'When it was last seen.',
    },
  },
  dialects: {
    about: 'API version and spellings of parameters that a server accepts.',
    columns: {
      project_id: 'Project it applies to.',
      stream: 'Stream it applies to.',
      generation: 'Index of the path (API version) that answered, 0 for the newest; null until one has.',
      spellings: 'Spelling that returned rows, by parameter and value.',
      learnt_at: 'When it was last determined.',
    },
  },
  enterprise_projects: {
    about: 'Names of the enterprise projects an account may see, as security-sync check --discover last read them.',
    columns: {
      account: 'Account that may see it.',
      id: 'Id of the enterprise project; 0 is the default one.',
      name: 'Its name.',
      enabled: 'Whether it is in use.',
      seen_at: 'When it was last read.',
    },
  },
  hand_edits: {
    about:
      'Edits of rows by others than the service; the next complete run reads the lists in full and deletes these entries.',
    columns: {
      id: 'Number of the edit.',
      stream: 'Stream whose rows were edited.',
      project_id: 'Project of the rows.',
      noted_at: 'When its transaction began.',
      seen_at: 'When a run first saw it; null before. A full walk by a run that began later restores the rows.',
    },
  },
  projects: {
    about: 'Each project as configured, last written by security-sync run or sync; the views show these names.',
    columns: {
      project_id: 'Id of the project.',
      account: 'Account that reads it.',
      region: 'Its region.',
      targets:
        'Age in seconds from which the data of each stream counts as stale: the configured target, otherwise that of the definition, but at least two ticks of the schedule.',
      configuration:
        'Fingerprint of the configuration of the service that reads it; null if no service has written it yet.',
      seen_at: 'When a service or a command with this configuration last wrote it.',
    },
  },
  stream_targets: {
    about:
      'Targets, as stored before the table projects existed; read by replicas of earlier versions while they are replaced.',
    columns: {
      stream: 'Name of the stream.',
      target_seconds:
        'The target in seconds: the configured one, otherwise that of the definition, but at least two ticks of the schedule.',
      written_at: 'When it was last changed.',
    },
  },
  schema_scripts: {
    about: 'Applied scripts of views, indexes and comments; the last one is in force.',
    columns: {
      id: 'Number of the application.',
      hash: 'SHA-256 of the script.',
      objects: 'SHA-256 of the statements of every object in it.',
      applied_at: 'When it was applied.',
    },
  },
  migrations: {
    about: 'Migrations that were applied.',
    columns: {
      applied: 'Time at which the migration was written, in milliseconds since 1970; identifies the migration.',
      hash: 'SHA-256 of its SQL.',
      applied_at: 'When it was applied; null for migrations of versions that used the journal of drizzle.',
    },
  },
  api_quota: {
    about: 'Request budgets, shared by all processes.',
    columns: {
      account:
        'Account the budget belongs to; * with the name of the address (key egress), * alone if it has none, for the budget that all accounts behind it share.',
      operation: 'API operation: method and path template.',
      budget: 'Requests a minute, as configured.',
      learnt_limit: 'Requests per window, as the API said when it throttled.',
      learnt_window_ms: 'Length of that window in milliseconds.',
      learnt_dimension: 'What the API counts by: user, ip or api.',
      reduced_limit:
        'Requests a minute after the last throttling; increases by one with every minute since reduced_at without throttling.',
      reduced_at: 'When the recovery from the last throttling starts.',
      held_until: 'No request is sent before this time.',
      recent: 'When recent requests were answered; for a running one, when it will be given up.',
      used: 'Requests sent so far, failed attempts included.',
      throttled: 'How many of them the API answered with "too many".',
      last_used_at: 'When a request was last sent.',
      last_throttled_at: 'When the API last throttled.',
      egress:
        'Address from which the last request was sent, as in account; in the row of an address the same as account.',
    },
  },
  suspended_credentials: {
    about: 'Credentials that the API refused; not used until a time, or until they change.',
    columns: {
      account: 'Account the credentials belong to.',
      fingerprint: 'Fingerprint of the credentials.',
      failures: 'How many times in a row they were refused.',
      reason: 'What the API said.',
      until: 'They are not used before this time.',
      last_failed_at: 'When they were last refused.',
      server_time: "The API's clock at that time, if the clock of the refused process was off; null if it was right.",
    },
  },
};
