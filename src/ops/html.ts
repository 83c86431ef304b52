import { hash } from 'node:crypto';
import { age } from '../core/text.ts';

/** Finished HTML; all other values are escaped when put into a template. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | null | readonly Part[];

/** Builds HTML: literals are kept, values are escaped, so text from the API cannot become markup. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    literals.map((literal, index) => literal + (index < parts.length ? render(parts[index] ?? null) : '')).join(''),
  );
}

function render(part: Part): string {
  if (part === null) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return part.map(render).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** A rounded duration, with tenths of a second below ten seconds: `1.2 s`, `12 min`, `5 h`, `9 d`. */
export function duration(ms: number): string {
  return ms < 10_000 ? `${(Math.max(0, ms) / 1000).toFixed(1).replace(/\.0$/, '')} s` : age(ms);
}

export function since(at: Date, now: number): string {
  return `${duration(now - at.getTime())} ago`;
}

export function until(at: Date, now: number): string {
  return at.getTime() <= now ? 'now' : `in ${duration(at.getTime() - now)}`;
}

/** Light or dark as the browser prefers; one column on a phone. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1a1f29;--soft:#5b6472;--line:#dfe3e8;--good:#1a7f4b;--warn:#a05a00;--bad:#c02f2f;--idle:#9aa3af}
@media(prefers-color-scheme:dark){:root{--bg:#0f1319;--card:#181e27;--ink:#e7ebf1;--soft:#9aa5b4;--line:#2a323e;--good:#4cc38a;--warn:#f0b35a;--bad:#ff7b72;--idle:#5f6b7a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header,main{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.25rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;justify-content:space-between}
h1{font-size:1.25rem;margin:0}h2{font-size:1rem;margin:1.75rem 0 .5rem}
.soft,#fresh{color:var(--soft);font-size:.85rem}
.verdict{margin:.75rem 0 1rem;padding:.6rem .9rem;border:1px solid var(--line);border-left:4px solid var(--idle);background:var(--card);border-radius:6px}
.verdict.good{border-left-color:var(--good)}.verdict.warn{border-left-color:var(--warn)}.verdict.bad{border-left-color:var(--bad)}
.cards{display:grid;align-items:start;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.75rem .9rem;min-width:0}
.card h3{font:600 .95rem/1.4 ui-monospace,monospace;margin:0;overflow-wrap:anywhere}
.badge{display:inline-block;font-size:.8rem;font-weight:600}
.badge.off{color:var(--soft)}.badge.good,.good>b{color:var(--good)}.badge.warn,.warn>b{color:var(--warn)}.badge.bad,.bad>b{color:var(--bad)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem .75rem;margin:.5rem 0;font-size:.88rem}
dt{color:var(--soft)}dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.card p.soft{margin:0}
.groups{list-style:none;margin:0;padding:0}.groups li{padding:.3rem .7rem;border-left:4px solid var(--good);background:var(--card);margin-bottom:.25rem;overflow-wrap:anywhere}
.groups .off{border-left-color:var(--idle)}.groups .warn{border-left-color:var(--warn)}.groups .bad{border-left-color:var(--bad)}.groups span{color:var(--soft);font-size:.88rem}
.groups .good b{color:var(--good)}.groups .warn b{color:var(--warn)}.groups .bad b{color:var(--bad)}
a{color:inherit}
svg.strip{display:block;width:100%;height:26px}
.strip .ok{fill:var(--good)}.strip .part{fill:var(--warn)}.strip .fail{fill:var(--bad)}.strip .other{fill:var(--idle)}
.error{color:var(--bad);font-size:.85rem;overflow-wrap:anywhere;margin:.4rem 0 0}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;padding:.35rem .7rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font:.85em ui-monospace,monospace}
@media(max-width:40rem){thead{display:none}table,tbody,tr,td{display:block}tr{padding:.4rem .7rem;border-bottom:1px solid var(--line)}tr:last-child{border-bottom:0}
td,td.n{display:flex;justify-content:space-between;gap:1rem;padding:.1rem 0;border:0;text-align:right;white-space:normal}td::before{content:attr(data-label);color:var(--soft);flex:none}td span{min-width:0}}
`;

/** Reloads the content every ten seconds while the page is visible, and shows since when it could not. */
export const SCRIPT = `
const main = document.querySelector('main'), fresh = document.getElementById('fresh');
let last = Date.now();
async function update() {
  if (document.hidden) return;
  try {
    const response = await fetch('fragment' + location.search, { cache: 'no-store', signal: AbortSignal.timeout(8000) });
    main.innerHTML = await response.text();
    document.title = main.querySelector('[data-title]').dataset.title;
    last = Date.now();
    fresh.textContent = 'updated ' + new Date(last).toLocaleTimeString();
  } catch {
    fresh.textContent = 'no answer since ' + new Date(last).toLocaleTimeString();
  }
}
setInterval(update, 10000);
document.addEventListener('visibilitychange', update);
`;

/** Allows the browser exactly these two texts. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src '${fingerprint(STYLE)}'`,
  `script-src '${fingerprint(SCRIPT)}'`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function fingerprint(text: string): string {
  return `sha256-${hash('sha256', text, 'base64')}`;
}
