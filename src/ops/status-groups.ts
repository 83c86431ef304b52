import { counted } from '../core/text.ts';
import { type Html, html } from './html.ts';
import type { ScopeView } from './installation.ts';
import { type Tone, toneOf } from './standing.ts';
import { duration } from './time-text.ts';

/** One line for each project, with its cards behind a link. */
export function groupLines(scopes: readonly ScopeView[], project: string | null): Html {
  const others = scopes.filter(({ scope }) => scope.projectId !== project);
  const groups = [...Map.groupBy(others, ({ scope }) => scope.projectId).values()];
  return html`<h2>${project === null ? 'Projects' : 'Other projects'}</h2><ul class="groups">${groups.map(line)}</ul>`;
}

function line(views: readonly ScopeView[]): Html | null {
  const [first] = views;
  if (first === undefined) return null;
  const { account, region, projectId } = first.scope;
  const tones = views.map(toneOf);
  const count = (tone: Tone) => tones.filter((one) => one === tone).length;
  const [bad, warn] = [count('bad'), count('warn')];
  const tone: Tone = bad > 0 ? 'bad' : warn > 0 ? 'warn' : 'good';
  const ages = views.flatMap(({ contentAgeMs }) => contentAgeMs ?? []);
  const rows = views.reduce((sum, view) => sum + view.rows, 0);
  const facts = [
    bad > 0 ? `${bad} failed or late` : null,
    warn > 0 ? `${warn} not proven complete, or older than the target` : null,
    bad + warn === 0 ? `${counted(views.length, 'table')} complete and in time` : null,
    ages.length === 0 ? null : `oldest data ${duration(Math.max(...ages))}`,
    `${rows.toLocaleString('en-US')} rows`,
  ];
  return html`<li class="${tone}"><a href="?project=${projectId}">${account} · ${region} · ${projectId}</a> <span><b>${facts.filter((fact) => fact !== null).slice(0, 1)}</b>${facts
    .filter((fact) => fact !== null)
    .slice(1)
    .map((fact) => `, ${fact}`)}</span></li>`;
}
