import { counted } from '../core/text.ts';
import type { SuspendedAccount } from '../postgres/queries/overview.ts';
import { type Html, html } from './html.ts';
import type { ScopeView } from './installation.ts';
import { type SharedCause, type Tone, toneOf, worstFirst } from './standing.ts';
import { anchorOf } from './status-card.ts';
import { until } from './time-text.ts';

/** Names in the verdict; the groups below have the rest. */
const MOST_NAMES = 12;

function count(scopes: readonly ScopeView[], tone: Tone): number {
  return scopes.filter((scope) => toneOf(scope) === tone).length;
}

/** What the tab of the browser says. */
export function titleOf(scopes: readonly ScopeView[]): string {
  const [bad, warn] = [count(scopes, 'bad'), count(scopes, 'warn')];
  if (bad > 0) return `✗ ${bad} failed or late · security-sync`;
  return warn > 0 ? `! ${warn} not proven · security-sync` : '✓ security-sync';
}

/** One sentence about everything, with the names of what is wrong; `shown` are those with a card on this page. */
export function verdict(scopes: readonly ScopeView[], shown: ReadonlySet<ScopeView>): Html {
  const streams = new Set(scopes.map(({ stream }) => stream)).size;
  const projects = new Set(scopes.map(({ scope }) => scope.projectId)).size;
  const of = `${counted(streams, 'table')} in ${counted(projects, 'project')}`;
  const troubled = worstFirst(scopes.filter((scope) => toneOf(scope) !== 'good'));
  if (troubled.length === 0) return html`<p class="verdict good"><b>${of}: all proven complete and in time.</b></p>`;
  const [bad, warn] = [count(scopes, 'bad'), count(scopes, 'warn')];
  const problems = [
    bad > 0 ? `${bad} failed or late` : null,
    warn > 0 ? `${warn} not proven complete by the last run, or older than the target` : null,
  ].filter((text) => text !== null);
  const more = troubled.length - MOST_NAMES;
  const named = troubled.slice(0, MOST_NAMES).map((view, index) => {
    const page = shown.has(view) ? '' : `?project=${view.scope.projectId}`;
    const name =
      projects === 1 ? view.stream : `${view.stream} in ${view.scope.account} ${view.scope.projectId.slice(0, 8)}`;
    return html`${index === 0 ? '' : ', '}<a href="${page}#${anchorOf(view)}">${name}</a>`;
  });
  return html`<p class="verdict ${bad > 0 ? 'bad' : 'warn'}"><b>${of}: ${problems.join(', ')}.</b> ${named}${more > 0 ? ` and ${more} more` : ''}.</p>`;
}

/** What is wrong with a whole account, once: an error that its tables share, and whether its credentials rest. */
export function banners(
  causes: readonly SharedCause[],
  suspended: readonly SuspendedAccount[],
  now: number,
): readonly Html[] {
  const rest = new Map(suspended.map((one) => [one.account, one]));
  const told = causes.map(({ account, error, scopes }) => {
    const where = `${counted(scopes.length, 'table')} in ${counted(new Set(scopes.map(({ scope }) => scope.projectId)).size, 'project')}`;
    return html`<p class="verdict bad"><b>Account ${account}</b>, ${where}: ${error} ${resting(rest.get(account), now)}</p>`;
  });
  const named = new Set(causes.map(({ account }) => account));
  const others = suspended.filter(({ account }) => !named.has(account));
  return [
    ...told,
    ...others.map((one) => html`<p class="verdict bad"><b>Account ${one.account}</b>: ${resting(one, now)}</p>`),
  ];
}

function resting(account: SuspendedAccount | undefined, now: number): string {
  if (account === undefined) return '';
  const times = account.failures === 1 ? 'once' : `${account.failures} times`;
  return `Its credentials were refused ${times}: it is suspended, and may try again ${until(account.until, now)}.`;
}
