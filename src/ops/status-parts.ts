import { PLENTY_PER_MINUTE } from '../core/ports.ts';
import { GROUPS, type Group } from '../core/stream/stream.ts';
import { counted } from '../core/text.ts';
import type { DriftSample, RejectSample, RunMark, SuspendedAccount } from '../postgres/queries/overview.ts';
import { duration, type Html, html, since, until } from './html.ts';
import type { BudgetView, Card, ScopeView, Selection } from './readings.ts';
import { type SharedCause, standingOf, type Tone, toneOf, type Unavailable } from './standing.ts';

/** The anchor of a table's card. */
export function anchorOf({ stream, scope }: ScopeView): string {
  return `${stream}-${scope.projectId}`;
}

export interface CardFacts extends Pick<Card, 'proof'> {
  readonly now: number;
  /** Newest first. */
  readonly runs: readonly RunMark[];
  /** The page shows the error of the last run elsewhere. */
  readonly isExplained: boolean;
}

export function cardFor(view: ScopeView, { now, runs, proof, isExplained }: CardFacts): Html {
  const { stream, scope, certifiedAt, ageMs, limitMs, nextRun, rows, rejects, last } = view;
  const { contentAgeMs, lookAgeMs, targetMs } = view;
  return html`<section class="card" id="${anchorOf(view)}" data-stream="${stream}">
<h3>${stream}</h3><p class="soft">${scope.account} · ${scope.region} · ${scope.projectId}</p><span class="badge ${toneOf(view)}">${standingOf(view)}</span>
<dl>
<dt>Age of the data</dt><dd>${contentAgeMs === null ? 'never complete' : duration(contentAgeMs)} <span class="soft">(target ${duration(targetMs)})</span></dd>
<dt>Last poll</dt><dd>${ago(lookAgeMs)}</dd>
<dt>Last full walk</dt><dd>${ago(certifiedAt === null ? null : ageMs)} <span class="soft" title="A full walk reads every page and proves that the data is complete. Between full walks only changes are read.">(due within ${duration(limitMs)})</span></dd>
${proof === null || proof.proof_text === null ? null : html`<dt>How</dt><dd>${proof.proof_text}${proof.premises === null ? null : html` <span class="soft">(${proof.premises})</span>`}</dd>`}
<dt>Rows</dt><dd>${rows.toLocaleString('en-US')}</dd>
<dt>Rejected</dt><dd>${rejects.toLocaleString('en-US')}</dd>
<dt>Last run</dt><dd>${last === null ? 'none' : since(last.startedAt, now)}</dd>
<dt>Next run</dt><dd>${nextRun === null ? '-' : until(nextRun, now)}</dd>
</dl>
${strip(runs)}
${errorOf(view, isExplained)}
</section>`;
}

function errorOf({ last }: ScopeView, isExplained: boolean): Html | null {
  if (last === null || last.error === null) return null;
  return html`<p class="error">${isExplained ? 'The cause is named above.' : last.error}</p>`;
}

function ago(ms: number | null): string {
  return ms === null ? 'never' : `${duration(ms)} ago`;
}

const LENGTH = 50;
const LOOK: Readonly<Record<string, { readonly css: string; readonly height: number }>> = {
  succeeded: { css: 'ok', height: 20 },
  incomplete: { css: 'part', height: 14 },
  failed: { css: 'fail', height: 24 },
};

/** The last runs, oldest at the left. Heights distinguish outcomes without colour. */
function strip(runs: readonly RunMark[]): Html {
  const marks = runs.slice(0, LENGTH).reverse();
  const offset = LENGTH - marks.length;
  return html`<svg class="strip" viewBox="0 0 ${LENGTH * 6} 26" preserveAspectRatio="none" role="img" aria-label="the last ${counted(marks.length, 'run')}">${marks.map(
    (run, index) => {
      const { css, height } = LOOK[run.status] ?? { css: 'other', height: 8 };
      return html`<rect class="${css}" x="${(offset + index) * 6}" y="${26 - height}" width="4" height="${height}"><title>${describe(run)}</title></rect>`;
    },
  )}</svg>`;
}

function describe({ startedAt, status, walk, reason, durationMs, records, changed, looks }: RunMark): string {
  const facts = [
    status,
    reason,
    walk === null ? null : `${walk} walk`,
    looks === 1 ? null : `${looks} polls without changes`,
    durationMs === null ? null : duration(durationMs),
    `${records} read`,
    `${changed} changed`,
  ];
  return `${startedAt.toISOString().slice(0, 19).replace('T', ' ')}: ${facts.filter((fact) => fact !== null).join(', ')}`;
}

/** The link to the cards of a project, of a group, or of a group in a project. */
export function linkTo({ project, group }: Selection): string {
  const query = new URLSearchParams({ ...(project === null ? {} : { project }), ...(group === null ? {} : { group }) });
  return `?${query}`;
}

/** One line for each project, linked to its cards. */
export function projectLines(scopes: readonly ScopeView[], { project, group }: Selection): Html | null {
  const others = scopes.filter((view) => view.scope.projectId !== project && (group === null || view.group === group));
  const projects = [...Map.groupBy(others, ({ scope }) => scope.projectId)];
  if (projects.length === 0) return null;
  const heading = `${project === null ? 'Projects' : 'Other projects'}${group === null ? '' : `: ${group}`}`;
  return html`<h2>${heading}</h2><ul class="groups">${projects.map(([id, views]) => {
    const [{ scope } = { scope: { account: '', region: '' } }] = views;
    return line(views, { link: linkTo({ project: id, group }), name: `${scope.account} · ${scope.region} · ${id}` });
  })}</ul>`;
}

/** One line for each group, linked to its cards. */
export function groupLines(scopes: readonly ScopeView[], { project, group }: Selection): Html | null {
  const own = scopes.filter((view) => view.group !== group && (project === null || view.scope.projectId === project));
  const groups = [...Map.groupBy(own, (view) => view.group)];
  if (groups.length === 0) return null;
  return html`<h2>${group === null ? 'Groups' : 'Other groups'}</h2><ul class="groups">${groups.map(
    ([name, views]: readonly [Group, readonly ScopeView[]]) =>
      html`${line(views, { link: linkTo({ project, group: name }), name, about: GROUPS[name] })}`,
  )}</ul>`;
}

/** What a line is about. */
interface Heading {
  readonly name: string;
  readonly link: string;
  /** Shown beside the pointer. */
  readonly about?: string;
}

/** Number of tables in each state, oldest proof and oldest data. */
function line(views: readonly ScopeView[], { name, link, about = '' }: Heading): Html {
  const tones = views.map(toneOf);
  const count = (tone: Tone) => tones.filter((one) => one === tone).length;
  const [bad, warn, off] = [count('bad'), count('warn'), count('off')];
  const tone: Tone = bad > 0 ? 'bad' : warn > 0 ? 'warn' : off === views.length ? 'off' : 'good';
  const oldest = (ages: readonly (number | null)[]) => {
    const known = ages.filter((age) => age !== null);
    return known.length === 0 ? null : duration(Math.max(...known));
  };
  const proof = oldest(views.map(({ ageMs }) => ageMs));
  const data = oldest(views.map(({ contentAgeMs }) => contentAgeMs));
  const rows = views.reduce((sum, view) => sum + view.rows, 0);
  const good = count('good');
  const [first = '', ...facts] = [
    bad > 0 ? `${bad} failed or late` : null,
    warn > 0 ? `${warn} not proven complete, or older than the target` : null,
    good > 0 ? `${counted(good, 'table')} complete and fresh` : null,
    off > 0 ? `${off} not published here` : null,
    proof === null ? null : `oldest proof ${proof}`,
    data === null ? null : `oldest data ${data}`,
    `${rows.toLocaleString('en-US')} rows`,
  ].filter((fact) => fact !== null);
  return html`<li class="${tone}"><a href="${link}"${about === '' ? '' : html` title="${about}"`}>${name}</a> <span><b>${first}</b>${facts.map((fact) => `, ${fact}`)}</span></li>`;
}

/** Names listed before "and so on"; the lines of the groups have the rest. */
export const MOST_NAMES = 12;

/** Problems of whole accounts, each shown once: an error shared by tables, or suspended credentials. */
export function banners(
  causes: readonly SharedCause[],
  suspended: readonly SuspendedAccount[],
  now: number,
): readonly Html[] {
  const rest = new Map(suspended.map((one) => [one.account, one]));
  const shared = causes.map(({ account, error, scopes }) => {
    return html`<p class="verdict bad"><b>Account ${account}</b>, ${tablesAndProjects(scopes)}: ${error} ${resting(rest.get(account), now)}</p>`;
  });
  const named = new Set(causes.map(({ account }) => account));
  const others = suspended.filter(({ account }) => !named.has(account));
  return [
    ...shared,
    ...others.map((one) => html`<p class="verdict bad"><b>Account ${one.account}</b>: ${resting(one, now)}</p>`),
  ];
}

/** Tables that cannot be read here, once for each account: never complete, and the API refuses all of their lists. */
export function notices(unavailable: readonly Unavailable[]): readonly Html[] {
  return unavailable.map(({ account, refusal, scopes }) => {
    const streams = [...new Set(scopes.map(({ stream }) => stream))];
    const more = streams.length - MOST_NAMES;
    const names = `${streams.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    const [what, advice] =
      refusal === 'no permission'
        ? ['No permission', 'Give the IAM user a role that may read them, or switch them off (streams.groups).']
        : [
            'Not published here',
            'Its regions do not have these lists: switch them off (streams.groups) if you do not need them.',
          ];
    return html`<p class="verdict ${refusal === 'no permission' ? 'warn' : 'off'}"><b>${what}</b>, account ${account}, ${tablesAndProjects(scopes)}: ${names}. Asked again once a day, and by security-sync sync at once. ${advice}</p>`;
  });
}

function tablesAndProjects(scopes: readonly ScopeView[]): string {
  const projects = new Set(scopes.map(({ scope }) => scope.projectId)).size;
  return `${counted(scopes.length, 'table')} in ${counted(projects, 'project')}`;
}

function resting(account: SuspendedAccount | undefined, now: number): string {
  if (account === undefined) return '';
  const times = account.failures === 1 ? 'once' : `${account.failures} times`;
  return `Its credentials were refused ${times}: it is suspended, and may try again ${until(account.until, now)}.`;
}

interface Column<R> {
  readonly head: string;
  readonly cell: (row: R) => Html | string | number;
  /** Numbers are right-aligned. */
  readonly number?: boolean;
}

/** A hundred accounts have a thousand budgets, so only those with the least left are shown. */
const MOST_BUDGETS = 24;

export function quotaTable(quota: readonly BudgetView[], now: number): Html {
  const scarcest = quota.toSorted((a, b) => a.left - b.left || b.used - a.used).slice(0, MOST_BUDGETS);
  const accounts = new Set(quota.map(({ account }) => account)).size;
  const account: Column<BudgetView> = {
    head: 'Account',
    cell: ({ account: name, address }) => (address === null ? name : `all (address${address && ` ${address}`})`),
  };
  const more = quota.length - scarcest.length;
  return html`${table('No metered request was sent yet.', scarcest, [
    ...(accounts > 1 ? [account] : []),
    {
      head: 'Spent by',
      cell: ({ streams, operation }) => (streams.length === 0 ? html`<code>${operation}</code>` : streams.join(', ')),
    },
    {
      head: 'Left now',
      cell: ({ left, limit, heldUntil }) =>
        `${left} of ${limit} a minute${heldUntil === null ? '' : `, paused, next request ${until(heldUntil, now)}`}`,
      number: true,
    },
    { head: 'Sent so far', cell: ({ used }) => used, number: true },
    { head: 'Throttled so far', cell: ({ throttled }) => throttled, number: true },
    { head: 'Last', cell: ({ lastUsedAt }) => (lastUsedAt === null ? '-' : since(lastUsedAt, now)), number: true },
  ])}
<p class="soft">${more > 0 ? `The ${scarcest.length} of ${quota.length} budgets with the fewest requests left. ` : ''}Totals since the database was created. Accounts with ${PLENTY_PER_MINUTE.toLocaleString('en-US')} or more requests a minute are not counted here; see /metrics.</p>`;
}

/** Reasons of rejects and their counts; the rejected records are only in the database. */
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

/** Each cell repeats its heading, because on a phone columns become lines. */
function table<R>(empty: string, rows: readonly R[], columns: readonly Column<R>[]): Html {
  if (rows.length === 0) return html`<p class="soft">${empty}</p>`;
  const kind = ({ number = false }: Column<R>) => (number ? 'n' : 't');
  return html`<div class="scroll"><table><thead><tr>${columns.map((column) => html`<th class="${kind(column)}">${column.head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => html`<td class="${kind(column)}" data-label="${column.head}"><span>${column.cell(row)}</span></td>`)}</tr>`)}</tbody></table></div>`;
}
