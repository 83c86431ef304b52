import type { DriftSample, RejectSample } from '../postgres/queries/overview.ts';
import { type Html, html } from './html.ts';
import type { BudgetView } from './installation.ts';
import { since, until } from './time-text.ts';

interface Column<R> {
  readonly head: string;
  readonly cell: (row: R) => Html | string | number;
  /** Numbers stand to the right. */
  readonly number?: boolean;
}

/** A hundred accounts have a thousand budgets: those with the least left are shown. */
const MOST_BUDGETS = 24;

export function quotaTable(quota: readonly BudgetView[], now: number): Html {
  const scarcest = quota.toSorted((a, b) => a.left - b.left || b.used - a.used).slice(0, MOST_BUDGETS);
  const accounts = new Set(quota.map(({ account }) => account)).size;
  const account: Column<BudgetView> = {
    head: 'Account',
    cell: ({ account: name }) => (name === '*' ? 'all (address)' : name),
  };
  const more = quota.length - scarcest.length;
  return html`${table('No counted request was sent yet.', scarcest, [
    ...(accounts > 1 ? [account] : []),
    {
      head: 'Spent by',
      cell: ({ streams, operation }) => (streams.length === 0 ? html`<code>${operation}</code>` : streams.join(', ')),
    },
    {
      head: 'Left now',
      cell: ({ left, limit, heldUntil }) =>
        `${left} of ${limit} a minute${heldUntil === null ? '' : `, held until ${until(heldUntil, now)}`}`,
      number: true,
    },
    { head: 'Sent so far', cell: ({ used }) => used, number: true },
    { head: 'Throttled so far', cell: ({ throttled }) => throttled, number: true },
    { head: 'Last', cell: ({ lastUsedAt }) => (lastUsedAt === null ? '-' : since(lastUsedAt, now)), number: true },
  ])}
<p class="soft">${more > 0 ? `The ${scarcest.length} budgets with the least left of ${quota.length}. ` : ''}Counted since the database was made, while the account is set to fewer than 6,000 requests a minute: from there on nothing is counted here, only in /metrics.</p>`;
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
    { head: 'Readings', cell: ({ count }) => count, number: true },
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
