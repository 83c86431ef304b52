import { describeCertificate } from '../core/certificate.ts';
import { counted } from '../core/words.ts';
import type { RunMark } from '../postgres/overview.ts';
import { type Html, html } from './html.ts';
import type { ScopeView } from './installation.ts';
import { duration, since, until } from './time-text.ts';

export type Tone = 'good' | 'warn' | 'bad';

/** How a stream stands in a scope: what was proven, how old that is, and how the last run ended. */
export function toneOf({ runs, certifiedAt, ageMs, limitMs, contentAgeMs, targetMs }: ScopeView): Tone {
  const last = runs.find(({ status }) => status !== 'running');
  if (last?.status === 'failed' || (ageMs !== null && ageMs > limitMs)) return 'bad';
  if (contentAgeMs !== null && contentAgeMs > targetMs) return 'warn';
  return certifiedAt === null || last?.certificate !== 'complete' ? 'warn' : 'good';
}

export function cardFor(view: ScopeView, now: number): Html {
  const { stream, certifiedAt, ageMs, limitMs, nextRun, rows, rejects, runs } = view;
  const { contentAgeMs, lookAgeMs, targetMs, proof, premises } = view;
  const last = runs.find(({ status }) => status !== 'running');
  const tone = toneOf(view);
  return html`<section class="card" data-stream="${stream}">
<h3>${stream}</h3><span class="badge ${tone}">${standing(view, last)}</span>
<dl>
<dt>Content</dt><dd>${ago(contentAgeMs)} <span class="soft">(target ${duration(targetMs)})</span></dd>
<dt>Looked at</dt><dd>${ago(lookAgeMs)}</dd>
<dt>Proven complete</dt><dd>${ago(certifiedAt === null ? null : ageMs)} <span class="soft">(limit ${duration(limitMs)})</span></dd>
${proof === null ? null : html`<dt>How</dt><dd>${proof}${premises === null ? null : html` <span class="soft">(${premises})</span>`}</dd>`}
<dt>Rows</dt><dd>${rows.toLocaleString('en-US')}</dd>
<dt>Rejected</dt><dd>${rejects.toLocaleString('en-US')}</dd>
<dt>Last run</dt><dd>${last === undefined ? 'none' : since(last.startedAt, now)}</dd>
<dt>Next run</dt><dd>${nextRun === null ? '-' : until(nextRun, now)}</dd>
</dl>
${strip(runs)}
${last?.error === null || last === undefined ? null : html`<p class="error">${last.error}</p>`}
</section>`;
}

function ago(ms: number | null): string {
  return ms === null ? 'never' : `${duration(ms)} ago`;
}

function standing(view: ScopeView, last: RunMark | undefined): string {
  const { ageMs, limitMs, contentAgeMs, targetMs } = view;
  if (last === undefined) return 'not read yet';
  if (last.status === 'failed') return 'failed';
  const certificate =
    last.certificate === null ? last.status : describeCertificate({ kind: last.certificate, reason: last.reason });
  if (ageMs !== null && ageMs > limitMs) return `late: ${certificate}`;
  return contentAgeMs !== null && contentAgeMs > targetMs ? `older than its target: ${certificate}` : certificate;
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

function describe({ startedAt, status, walk, reason, durationMs, records, changed }: RunMark): string {
  const facts = [
    status,
    reason,
    walk === null ? null : `${walk} walk`,
    durationMs === null ? null : duration(durationMs),
    `${records} read`,
    `${changed} changed`,
  ];
  return `${startedAt.toISOString().slice(0, 19).replace('T', ' ')}: ${facts.filter((fact) => fact !== null).join(', ')}`;
}
