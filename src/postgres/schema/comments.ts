import type { PgTable } from 'drizzle-orm/pg-core';
import type { Stream } from '../../core/stream/stream.ts';
import { getTableConfig, SYSTEM_COLUMN_ABOUT } from '../../core/stream/table.ts';
import { qualified, quote } from '../rows/statements.ts';
import { literal } from './bi/view.ts';
import { QUOTA_COMMENTS } from './tables.ts';

const BI_ABOUT = 'What dashboards and people may rely on: views in plain words, without JSON.';

/** `COMMENT ON` statements for every table and column, by table. BI tools show these comments. */
export function commentStatements(streams: readonly Stream[]): ReadonlyMap<string, readonly string[]> {
  const statements = new Map([['bi', [`COMMENT ON SCHEMA "bi" IS ${literal(BI_ABOUT)};`]]]);
  for (const stream of streams) {
    statements.set(plainName(stream.table), tableComments(stream, stream.table, stream.about));
    if (stream.history === null) continue;
    const about = `Earlier versions of the rows of ${getTableConfig(stream.table).name}: ${stream.about}`;
    statements.set(plainName(stream.history), tableComments(stream, stream.history, about));
  }
  for (const [table, { about, columns }] of Object.entries({ ...SYSTEM_COMMENTS, ...QUOTA_COMMENTS })) {
    const name = `"sync".${quote(table)}`;
    const lines = Object.entries(columns).map(([column, text]) => columnComment(name, column, text));
    statements.set(`sync.${table}`, [`COMMENT ON TABLE ${name} IS ${literal(about)};`, ...lines]);
  }
  return statements;
}

function plainName(table: PgTable): string {
  return qualified(table).replaceAll('"', '');
}

function tableComments(stream: Stream, table: PgTable, about: string): string[] {
  const columns = getTableConfig(table).columns.map(({ name }) => {
    const text = stream.fields[name]?.about ?? SYSTEM_COLUMN_ABOUT[name];
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
      content_at: 'As of when the rows of all its lists are known; lists that were not asked for aside.',
      proof: 'How it was proven: atomic, order, quiet or split; several where its lists differ.',
      reason: 'Why the certificate is incomplete.',
      evidence: 'What the certificate rests on.',
      requests: 'Requests sent, failed attempts included.',
      throttled: 'Requests the API answered with "too many".',
      records: 'Records received.',
      inserted: 'Rows that were new.',
      updated: 'Rows that were written again because they differed.',
      unchanged: 'Rows that were as they are stored; they cost no write.',
      deleted: 'Rows found to be listed no longer.',
      rejected: 'Records that are no rows; see sync.rejected_records.',
      stale: 'Rows refused because newer content was stored already.',
      started_at: 'When the run started.',
      beat_at: 'Last sign of life of the process that runs it.',
      finished_at: 'When the run ended.',
      owner: 'Host and process that ran it.',
      backend_pid: 'Database backend that holds the lock of the run.',
      error: 'What went wrong, in one line.',
      error_code: 'Error code of the API, if it sent one.',
      request_id: 'Request id of the API, if it sent one.',
      looks:
        'Number of runs this row stands for: earlier ones of the hour (of the day, when it is three days old) that found nothing changed were folded into it. Counters are their sum; everything else is of the last one.',
      first_looked_at: 'When the first of them started; null for a run that stands for itself.',
    },
  },
  listings: {
    about: 'Every list that is read to its end, and what the last walks of it proved.',
    columns: {
      project_id: 'Project the list belongs to.',
      stream: 'Stream the list belongs to.',
      listing: 'The parameters of the list as text; empty for the only list of a scope.',
      account: 'Account it is read with.',
      region: 'Region of the project.',
      params: 'The parameters of the list.',
      enterprise_project_id: 'Enterprise projects the last certificate covers.',
      certificate: 'complete, or incomplete after the last walk.',
      reason: 'Why it is incomplete.',
      certified_at: 'When a walk last proved the list complete.',
      certified_since: 'When the run of that walk began; null if that was before this was stored.',
      content_at: 'As of when all of its rows are known: when the last look began that showed every change.',
      proof:
        'How that was proven: atomic (one page), order (its sort key is covered), quiet (it stood still) or split (in parts).',
      evidence: 'What the last walk saw.',
      certified: 'Checkpoint of the last certified walk: newest key, total, order, first page.',
      progress: 'How far the walk in progress is; only for display.',
      walked_at: 'When the list was last walked.',
      changed_at: 'When a walk last found a changed row.',
      missing:
        'Keys of live rows that certified walks did not contain, with how many walks that count missed them and when the last one did; they are marked as gone when enough of them agree.',
      hint: 'Whether the hints of the list (its update time, its total) proved true.',
    },
  },
  rejected_records: {
    about: 'Records of the API that are no rows, with the reasons; replayed by security-sync replay.',
    columns: {
      project_id: 'Project the record was listed in.',
      stream: 'Stream it belongs to.',
      fingerprint: 'SHA-256 of listing and payload.',
      account: 'Account that read it.',
      region: 'Region of the project.',
      listing: 'List it was in.',
      params: 'Parameters of that list.',
      key: 'Key of the row it would be, where it can be read.',
      issues: 'Which fields were refused, and why.',
      payload: 'The record as received, as JSON text.',
      count: 'How often it was received.',
      first_seen_at: 'When it was first received.',
      last_seen_at: 'When it was last received.',
      replayed_at: 'When a later definition accepted it.',
    },
  },
  api_drift: {
    about: 'Where answers of the API differ from its documents.',
    columns: {
      stream: 'Stream that met the difference.',
      field: 'Field that differs.',
      kind: 'unknown field, missing field, undocumented value, beyond length, beyond range, and others.',
      sample: 'First value seen.',
      count: 'How many new or changed rows had it.',
      first_seen_at: 'When it was first seen.',
      last_seen_at: 'When it was last seen.',
    },
  },
  dialects: {
    about: 'Which generation of an endpoint and which spelling of a parameter a server turned out to accept.',
    columns: {
      project_id: 'Project it was learnt in.',
      stream: 'Stream it was learnt for.',
      generation: 'Index of the path that answered.',
      spellings: 'The spelling that was answered with rows, for each parameter and value.',
      learnt_at: 'When it was learnt.',
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
      'Rows that others than the service changed or deleted; the next complete run reads the lists anew and forgets them.',
    columns: {
      id: 'Number of the edit.',
      stream: 'Stream whose rows were edited.',
      project_id: 'Project of the rows.',
      noted_at: 'When its transaction began.',
    },
  },
  projects: {
    about:
      'What the configuration says of each project, as security-sync run and sync last found it: views show these names.',
    columns: {
      project_id: 'Id of the project.',
      account: 'Account that reads it.',
      region: 'Its region.',
      targets:
        'How old the data of each stream may get, in seconds: the configured target, else that of the definition, but at least two ticks of the schedule.',
      configuration:
        'Fingerprint of the configuration of the service that reads it; null where none has since this is stored.',
      seen_at: 'When a service or a command with this configuration last said so.',
    },
  },
  stream_targets: {
    about:
      'Targets of versions before the table projects, which replicas of such versions read while they are replaced.',
    columns: {
      stream: 'Name of the stream.',
      target_seconds:
        'The target in seconds: the configured one, else that of the definition, but at least two ticks of the schedule.',
      written_at: 'When it was last changed.',
    },
  },
  schema_scripts: {
    about: 'Scripts of views, indexes and comments that were applied, the one in force last.',
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
      applied: 'Time at which the migration was written, in milliseconds since 1970; tells migrations apart.',
      hash: 'SHA-256 of its SQL.',
      applied_at: 'When it was applied; null for those of versions that used the journal of drizzle.',
    },
  },
};
