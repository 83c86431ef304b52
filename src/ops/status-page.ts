import { type Html, html } from './html.ts';
import type { PageReading, ScopeView } from './installation.ts';
import { SCRIPT, STYLE } from './status-assets.ts';
import { cardFor, toneOf } from './status-card.ts';
import { driftTable, quotaTable, rejectTable } from './status-tables.ts';
import { until } from './time-text.ts';

/** The whole page: no file beside it, nothing from elsewhere. */
export function statusPage(content: Html): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>security-sync</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><header><h1>security-sync</h1><span id="fresh">updates itself every 10 s</span></header>
<main>${content.text}</main><script>${SCRIPT}</script></body></html>`;
}

/** What changes: replaced in place by the page's script. */
export function statusContent(reading: PageReading): Html {
  const { scopes, quota, queue, suspended, rejects, drift } = reading;
  const now = reading.at.getTime();
  const working = queue.find(({ state }) => state === 'active')?.jobs ?? 0;
  const waiting = queue.filter(({ state }) => state !== 'active').reduce((sum, { jobs }) => sum + jobs, 0);
  const projects = Map.groupBy(scopes, ({ scope }) => `${scope.account} · ${scope.region} · ${scope.projectId}`);
  return html`
${verdict(scopes)}
${suspended.map(({ account, until: end, failures }) => html`<p class="verdict bad"><b>Account ${account}</b> is suspended; it may try again ${until(end, now)}. Its credentials were refused ${failures === 1 ? 'once' : `${failures} times`}.</p>`)}
<p class="soft">${working} ${working === 1 ? 'lane' : 'lanes'} at work, ${waiting} queued · ${reading.at.toISOString().slice(0, 19).replace('T', ' ')} UTC</p>
${[...projects].map(([name, views]) => html`<h2>${name}</h2><div class="cards">${views.map((view) => cardFor(view, now))}</div>`)}
<h2>Request budget</h2>${quotaTable(quota, now)}
<h2>Rejected records</h2>${rejectTable(rejects, now)}
<h2>Differences from the API's documents</h2>${driftTable(drift, now)}`;
}

/** Shown instead of the content while there is none. */
export function unavailable(reason: string): Html {
  return html`<p class="verdict bad"><b>Nothing can be shown now.</b> ${reason}</p>`;
}

function verdict(scopes: readonly ScopeView[]): Html {
  const tones = scopes.map(toneOf);
  const bad = tones.filter((tone) => tone === 'bad').length;
  const warn = tones.filter((tone) => tone === 'warn').length;
  const of = `${scopes.length} ${scopes.length === 1 ? 'table' : 'tables'}`;
  if (bad + warn === 0) return html`<p class="verdict good"><b>All ${of} are proven complete and in time.</b></p>`;
  const problems = [
    bad > 0 ? `${bad} failed or late` : null,
    warn > 0 ? `${warn} not proven complete by the last run, or older than the target` : null,
  ].filter((text) => text !== null);
  return html`<p class="verdict ${bad > 0 ? 'bad' : 'warn'}"><b>Of ${of}: ${problems.join(', ')}.</b></p>`;
}
