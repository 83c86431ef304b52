import { counted } from '../core/text.ts';
import type { RunMark } from '../postgres/queries/overview.ts';
import { type Html, html } from './html.ts';
import type { ScopeView } from './installation.ts';
import { standingOf, toneOf } from './standing.ts';
import { duration, since, until } from './time-text.ts';

/** Where links to the card of a table lead. */
export function anchorOf({ stream, scope }: ScopeView): string {
  return `${stream}-${scope.projectId}`;
}

export interface CardFacts {
  readonly now: number;
  /** Newest first. */
  readonly runs: readonly RunMark[];
  /** The page tells the error of the last run elsewhere. */
  readonly isExplained: boolean;
}

export function cardFor(view: ScopeView, { now, runs, isExplained }: CardFacts): Html {
  const { stream, scope, certifiedAt, ageMs, limitMs, nextRun, rows, rejects, last } = view;
  const { contentAgeMs, lookAgeMs, targetMs, proof, premises } = view;
  return html`<section class="card" id="${anchorOf(view)}" data-stream="${stream}">
<h3>${stream}</h3><p class="soft">${scope.account} · ${scope.region} · ${scope.projectId}</p><span class="badge ${toneOf(view)}">${standingOf(view)}</span>
<dl>
<dt>Age of the data</dt><dd>${contentAgeMs === null ? 'never complete' : duration(contentAgeMs)} <span class="soft">(target ${duration(targetMs)})</span></dd>
<dt>Looked at</dt><dd>${ago(lookAgeMs)}</dd>
<dt>Read to its end</dt><dd>${ago(certifiedAt === null ? null : ageMs)} <span class="soft" title="A reading of every page proves the data complete; between two of them only what can have changed is read.">(due within ${duration(limitMs)})</span></dd>
${proof === null ? null : html`<dt>How</dt><dd>${proof}${premises === null ? null : html` <span class="soft">(${premises})</span>`}</dd>`}
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

/** The last runs, oldest left; height tells them apart where colour does not. */
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
    looks === 1 ? null : `${looks} looks that found nothing changed`,
    durationMs === null ? null : duration(durationMs),
    `${records} read`,
    `${changed} changed`,
  ];
  return `${startedAt.toISOString().slice(0, 19).replace('T', ' ')}: ${facts.filter((fact) => fact !== null).join(', ')}`;
}
