import { inOrder } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import { createTableReader } from '../postgres/queries/table-reader.ts';
import type { Difference } from '../sync/verify/compare-page.ts';
import { type Verification, verifyAll } from '../sync/verify/verify-stream.ts';
import { type Context, EXIT, type ExitCode, enabledNames, scopesOf, withApp } from './context.ts';
import { startProgress, table } from './output.ts';

/** Differences that are printed; `--json` has all of them. */
const SHOWN = 20;

/** `security-sync verify`: reads the API again and compares every row with the tables. Changes nothing. */
export async function verify(
  context: Context,
  names: readonly string[],
  { project }: { readonly project?: string },
): Promise<ExitCode> {
  const progress = startProgress({ json: context.json, screen: context.io.stderr });
  const { instrumentQuota, around, visible } = progress;
  return withApp(
    context,
    { names, instrumentQuota, around, quiet: visible || context.json, logsToStderr: true },
    async (app, logger) => {
      const streams = inOrder(app.streams, enabledNames(app, names));
      const scopes = scopesOf(app, project);
      const tables = createTableReader(app.database.pool);
      const results = await verifyAll(
        { engine: app.engine, tables },
        { streams, scopes },
        {
          signal: context.signal,
          keep: context.json ? Number.POSITIVE_INFINITY : SHOWN,
          watch: (stream, scope) => progress.watch({ stream, scope }, app.config, logger),
          onVerified: (verification) => {
            progress.done(verification);
            const { stream, project_id, compared, requests } = verification;
            const cost = `${counted(compared, 'row')} compared with ${counted(requests, 'request')}`;
            if (!visible) logger.info({ stream, project_id, compared, requests }, `${stream}: ${cost}`);
          },
        },
      ).finally(() => progress.stop());
      const ok = results.every((one) => one.ok);
      context.answer({ ok, streams: results }, () => show(results));
      return ok ? EXIT.ok : EXIT.incomplete;
    },
  );
}

function show(results: readonly Verification[]): string {
  const rows = results.map((one) => ({
    stream: one.stream,
    project: one.project_id.slice(0, 8),
    certificate:
      one.state === 'never read' ? one.state : one.reason === null ? 'complete' : `incomplete (${one.reason})`,
    compared: one.compared,
    missing: one.missing,
    extra: one.extra,
    changed: one.changed,
    volatile: one.volatile,
    excused: one.excused,
    rejects: one.rejected,
    requests: one.requests,
  }));
  const differences = results.flatMap((one) => one.differences.map((difference) => describe(one, difference)));
  const total = results.reduce((sum, one) => sum + one.missing + one.extra + one.changed, 0);
  const shown = differences.slice(0, SHOWN);
  const errors = [...new Set(results.flatMap(({ error }) => (error === null ? [] : [error])))];
  return [
    table(rows),
    ...(shown.length === 0 ? [] : ['', ...shown]),
    ...(total > shown.length ? [`... and ${total - shown.length} more: --json has all of them`] : []),
    ...(errors.length === 0 ? [] : ['', ...errors]),
    '',
    verdict(results, total),
  ].join('\n');
}

function describe({ stream }: Verification, { kind, key, fields }: Difference): string {
  const where = `${stream} ${Object.entries(key)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;
  if (kind === 'missing') return `${where}: the API lists it, the table does not have it`;
  if (kind === 'extra') return `${where}: the table has it, the API does not list it`;
  const changes = fields.map(
    ({ field, stored, listed }) => `${field}: ${quoted(stored)} is ${quoted(listed)} in the API`,
  );
  return `${where}: ${changes.join('; ')}`;
}

function quoted(value: string | null): string {
  return value === null ? 'null' : JSON.stringify(value);
}

function verdict(results: readonly Verification[], total: number): string {
  const unread = results.filter(({ state }) => state === 'never read');
  const compared = results.filter(({ state }) => state === 'compared');
  const unproven = compared.filter(({ certificate }) => certificate !== 'complete').length;
  const excused = results.reduce((sum, one) => sum + one.excused, 0);
  const since =
    excused === 0
      ? ''
      : ` (${counted(excused, 'difference')} newer than the last certificate not counted; the next sync settles ${excused === 1 ? 'it' : 'them'})`;
  const lines: string[] = [];
  if (total > 0) lines.push(`${counted(total, 'difference')}${since}.`, ...advice(results));
  else if (unproven > 0)
    lines.push(
      `No difference, but ${unproven} of ${counted(compared.length, 'walk')} could not be proven complete${since}.`,
    );
  else if (compared.length > 0)
    lines.push(`The tables ${unread.length > 0 ? 'that were read ' : ''}equal the API${since}.`);
  if (unread.length > 0) {
    const names = [...new Set(unread.map(({ stream }) => stream))].join(' ');
    lines.push(
      compared.length === 0
        ? `Nothing to compare: no list has been read to its end yet. Run security-sync sync ${names} first.`
        : `Not compared, because no list has been read to its end yet. Run security-sync sync ${names} first.`,
    );
  }
  return lines.join('\n');
}

/** What to do about each kind of difference, with the streams that have it. */
function advice(results: readonly Verification[]): readonly string[] {
  const about = (kind: 'missing' | 'extra' | 'changed', says: string, flags = '--full') => {
    const names = [...new Set(results.filter((one) => one[kind] > 0).map(({ stream }) => stream))].join(' ');
    return names === '' ? [] : [`${says}: security-sync sync ${names} ${flags}, then verify again.`];
  };
  return [
    ...about('missing', 'A full walk adds the missing rows'),
    ...about('changed', 'A full walk corrects the differing values'),
    // One walk may only confirm what the walk before has missed (docs/decisions.md D3).
    ...about(
      'extra',
      'Rows that the API no longer lists are marked when several full walks, some time apart, have missed them. To mark them at once',
      '--full --accept-shrink',
    ),
  ];
}
