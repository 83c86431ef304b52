import type { DriftSample, QuotaState, RejectSample } from '../postgres/overview.ts';
import { type Html, html } from './html.ts';
import { since, until } from './time-text.ts';

interface Column<R> {
  readonly head: string;
  readonly cell: (row: R) => Html | string | number;
  /** Numbers stand to the right. */
  readonly number?: boolean;
}

export function quotaTable(quota: readonly QuotaState[], now: number): Html {
  return table('No request was counted yet.', quota, [
    { head: 'Account', cell: ({ account }) => (account === '*' ? 'all (address)' : account) },
    { head: 'Operation', cell: ({ operation }) => html`<code>${operation}</code>` },
    {
      head: 'Left',
      cell: ({ left, limit, heldUntil }) =>
        `${left} of ${limit}${heldUntil === null ? '' : `, held until ${until(heldUntil, now)}`}`,
      number: true,
    },
    { head: 'Sent', cell: ({ used }) => used, number: true },
    { head: 'Throttled', cell: ({ throttled }) => throttled, number: true },
  ]);
}

/** What was wrong and how often; what was rejected stays in the database. */
export function rejectTable(rejects: readonly RejectSample[], now: number): Html {
  return table('None.', rejects, [
    { head: 'Stream', cell: ({ stream }) => stream },
    { head: 'Field', cell: ({ field }) => html`<code>${field}</code>` },
    { head: 'Problem', cell: ({ message }) => message },
    { head: 'Records', cell: ({ records }) => records, number: true },
    { head: 'Last', cell: ({ lastSeenAt }) => since(lastSeenAt, now), number: true },
  ]);
}

export function driftTable(drift: readonly DriftSample[], now: number): Html {
  return table('None.', drift, [
    { head: 'Stream', cell: ({ stream }) => stream },
    { head: 'Field', cell: ({ field }) => html`<code>${field}</code>` },
    {
      head: 'Difference',
      cell: ({ kind, sample }) => html`${kind}${sample === null ? null : html`: <code>${sample}</code>`}`,
    },
    { head: 'Rows', cell: ({ count }) => count, number: true },
    { head: 'Last', cell: ({ lastSeenAt }) => since(lastSeenAt, now), number: true },
  ]);
}

/** Each cell carries its heading: on a phone the columns become lines. */
function table<R>(empty: string, rows: readonly R[], columns: readonly Column<R>[]): Html {
  if (rows.length === 0) return html`<p class="soft">${empty}</p>`;
  const kind = ({ number = false }: Column<R>) => (number ? 'n' : 't');
  return html`<div class="scroll"><table><thead><tr>${columns.map((column) => html`<th class="${kind(column)}">${column.head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => html`<td class="${kind(column)}" data-label="${column.head}"><span>${column.cell(row)}</span></td>`)}</tr>`)}</tbody></table></div>`;
}
