import { counted } from '../core/text.ts';
import { type Html, html } from './html.ts';
import type { PageReading, ScopeView } from './installation.ts';
import { sharedCauses, toneOf } from './standing.ts';
import { SCRIPT, STYLE } from './status-assets.ts';
import { cardFor } from './status-card.ts';
import { groupLines } from './status-groups.ts';
import { driftTable, quotaTable, rejectTable } from './status-tables.ts';
import { banners, titleOf, verdict } from './status-verdict.ts';

/** What is shown, and what the tab of the browser says. */
export interface Content {
  readonly title: string;
  readonly body: Html;
}

/** The whole page: no file beside it, nothing from elsewhere. */
export function statusPage({ title, body }: Content): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${html`${title}`.text}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><header><h1>security-sync</h1><span id="fresh">updates itself every 10 s</span></header>
<main>${body.text}</main><script>${SCRIPT}</script></body></html>`;
}

/** What changes: replaced in place by the page's script. */
export function statusContent(reading: PageReading): Content {
  const { scopes, cards, project, quota, queue, suspended, rejects, drift } = reading;
  const now = reading.at.getTime();
  const causes = sharedCauses(scopes);
  const explained = new Set(causes.flatMap((cause) => cause.scopes));
  const shown = new Set(cards.map(({ view }) => view));
  const part = (heading: string, wanted: (view: ScopeView) => boolean) => {
    const chosen = cards.filter(({ view }) => wanted(view));
    if (chosen.length === 0) return null;
    return html`<h2>${heading}</h2><div class="cards">${chosen.map(({ view, runs }) => cardFor(view, { now, runs, isExplained: explained.has(view) }))}</div>`;
  };
  const title = titleOf(scopes);
  const body = html`<div data-title="${title}">
${verdict(scopes, shown)}
${banners(causes, suspended, now)}
<p class="soft">${atWork(queue)} · ${reading.at.toISOString().slice(0, 19).replace('T', ' ')} UTC</p>
${project === null ? null : html`<p><a href="?">All projects</a></p>`}
${part('Needs attention', (view) => toneOf(view) !== 'good')}
${part('Well', (view) => toneOf(view) === 'good')}
${cards.length === scopes.length ? null : groupLines(scopes, project)}
<h2>Request budget</h2>${quotaTable(quota, now)}
<h2>Rejected records</h2>${rejectTable(rejects, now)}
<h2>Differences from the API's documents</h2>${driftTable(drift, now)}
</div>`;
  return { title, body };
}

/** Shown instead of the content while there is none. */
export function unavailable(reason: string): Content {
  const title = '✗ no answer · security-sync';
  return {
    title,
    body: html`<div data-title="${title}"><p class="verdict bad"><b>Nothing can be shown now.</b> ${reason}</p></div>`,
  };
}

function atWork(queue: PageReading['queue']): string {
  const working = queue.find(({ state }) => state === 'active')?.jobs ?? 0;
  const waiting = queue.filter(({ state }) => state !== 'active').reduce((sum, { jobs }) => sum + jobs, 0);
  const reading = working === 0 ? 'Nothing is being read now' : `${counted(working, 'list')} being read now`;
  return waiting === 0 ? reading : `${reading}, ${waiting} waiting`;
}
