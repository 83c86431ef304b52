import { counted } from '../core/text.ts';
import { type Html, html, SCRIPT, STYLE } from './html.ts';
import type { PageReading, ScopeView } from './readings.ts';
import { MOST_CARDS, sharedCauses, type Tone, toneOf, unavailableOf, worstFirst } from './standing.ts';
import {
  anchorOf,
  banners,
  cardFor,
  driftTable,
  groupLines,
  linkTo,
  MOST_NAMES,
  notices,
  projectLines,
  quotaTable,
  rejectTable,
} from './status-parts.ts';

/** The content of the page, and the title of the browser tab. */
export interface Content {
  readonly title: string;
  readonly body: Html;
}

/** The whole page, without external files. */
export function statusPage({ title, body }: Content): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${html`${title}`.text}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><header><h1>security-sync</h1><span id="fresh">updates itself every 10 s</span></header>
<main>${body.text}</main><script>${SCRIPT}</script></body></html>`;
}

/** The part that the page's script replaces. Problems come first; cards of other tables are behind links. */
export function statusContent(reading: PageReading): Content {
  const { scopes, cards, chosen, quota, queue, suspended, rejects, drift } = reading;
  const now = reading.at.getTime();
  const causes = sharedCauses(scopes);
  const explained = new Set(causes.flatMap((cause) => cause.scopes));
  const shown = new Set(cards.map(({ view }) => view));
  const part = (heading: string, wanted: (tone: Tone) => boolean) => {
    const own = cards.filter(({ view }) => wanted(toneOf(view)));
    if (own.length === 0) return null;
    return html`<h2>${heading}</h2><div class="cards">${own.map(({ view, runs, proof }) => cardFor(view, { now, runs, proof, isExplained: explained.has(view) }))}</div>`;
  };
  const title = titleOf(scopes);
  const isAll = chosen.project === null && chosen.group === null;
  const body = html`<div data-title="${title}">
${verdict(scopes, shown)}
${banners(causes, suspended, now)}
${notices(unavailableOf(scopes))}
<p class="soft">${atWork(queue)} · ${reading.at.toISOString().slice(0, 19).replace('T', ' ')} UTC</p>
${isAll ? null : html`<p><a href="?">All projects and groups</a></p>`}
${part('Needs attention', (tone) => tone === 'bad' || tone === 'warn')}
${part('OK', (tone) => tone === 'good')}
${part('Not published here', (tone) => tone === 'off')}
${cards.length < MOST_CARDS || isAll ? null : html`<p class="soft">Only the ${MOST_CARDS} tables with the most urgent problems are shown.</p>`}
${cards.length === scopes.length ? null : [groupLines(scopes, chosen), projectLines(scopes, chosen)]}
<h2>Request budget</h2>${quotaTable(quota, now)}
<h2>Rejected records</h2>${rejectTable(rejects, now)}
<h2>Differences from the API's documents</h2>${driftTable(drift, now)}
</div>`;
  return { title, body };
}

/** Shown while there is no content. */
export function unavailable(reason: string): Content {
  const title = '✗ no answer · security-sync';
  return {
    title,
    body: html`<div data-title="${title}"><p class="verdict bad"><b>The status cannot be shown.</b> ${reason}</p></div>`,
  };
}

function atWork(queue: PageReading['queue']): string {
  const working = queue.find(({ state }) => state === 'active')?.jobs ?? 0;
  const waiting = queue.filter(({ state }) => state !== 'active').reduce((sum, { jobs }) => sum + jobs, 0);
  const reading = working === 0 ? 'Nothing is being read now' : `${counted(working, 'stream')} being read now`;
  return waiting === 0 ? reading : `${reading}, ${waiting} waiting`;
}

function count(scopes: readonly ScopeView[], tone: Tone): number {
  return scopes.filter((scope) => toneOf(scope) === tone).length;
}

/** The title of the browser tab. */
function titleOf(scopes: readonly ScopeView[]): string {
  const [bad, warn] = [count(scopes, 'bad'), count(scopes, 'warn')];
  if (bad > 0) return `✗ ${bad} failed or late · security-sync`;
  return warn > 0 ? `! ${warn} not proven · security-sync` : '✓ security-sync';
}

/**
 * One sentence about all tables, with the names of those with problems; `shown` are the tables with a card on this
 * page.
 */
function verdict(scopes: readonly ScopeView[], shown: ReadonlySet<ScopeView>): Html {
  const streams = new Set(scopes.map(({ stream }) => stream)).size;
  const projects = new Set(scopes.map(({ scope }) => scope.projectId)).size;
  const of = `${counted(streams, 'table')} in ${counted(projects, 'project')}`;
  const [bad, warn, off] = [count(scopes, 'bad'), count(scopes, 'warn'), count(scopes, 'off')];
  const except = off > 0 ? `, except ${off} that are not published here` : '';
  if (bad + warn === 0) {
    return html`<p class="verdict good"><b>${of}: all proven complete and fresh${except}.</b></p>`;
  }
  const refused = new Set(unavailableOf(scopes).flatMap((one) => one.scopes));
  // Refused tables are listed below, once for all projects.
  const troubled = worstFirst(scopes.filter((view) => ['bad', 'warn'].includes(toneOf(view)) && !refused.has(view)));
  const problems = [
    bad > 0 ? `${bad} failed or late` : null,
    warn > 0 ? `${warn} not proven complete by the last run, or older than the target` : null,
  ].filter((text) => text !== null);
  const more = troubled.length - MOST_NAMES;
  const named = troubled.slice(0, MOST_NAMES).map((view, index) => {
    const { stream, group, scope } = view;
    const page = shown.has(view) ? '' : linkTo({ project: scope.projectId, group });
    const name = projects === 1 ? stream : `${stream} in ${scope.account} ${scope.projectId.slice(0, 8)}`;
    return html`${index === 0 ? '' : ', '}<a href="${page}#${anchorOf(view)}">${name}</a>`;
  });
  const names = named.length === 0 ? null : html` ${named}${more > 0 ? ` and ${more} more` : ''}.`;
  return html`<p class="verdict ${bad > 0 ? 'bad' : 'warn'}"><b>${of}: ${problems.join(', ')}.</b>${names}</p>`;
}
