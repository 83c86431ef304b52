import { describeCertificate } from '../core/certificate.ts';
import type { Refusal } from '../core/errors.ts';
import type { ScopeView, Selection } from './readings.ts';

/** `off`: the API does not offer the list here, so there is nothing to read and nothing to fix. */
export type Tone = 'good' | 'warn' | 'bad' | 'off';

/** The state of a stream in a project as a colour: from what was proven, its age, and the last finished run. */
export function toneOf({ last, certifiedAt, ageMs, limitMs, contentAgeMs, targetMs, unavailable }: ScopeView): Tone {
  if (unavailable !== null) return unavailable === 'not published' ? 'off' : 'warn';
  if (last?.status === 'failed' || (ageMs !== null && ageMs > limitMs)) return 'bad';
  if (contentAgeMs !== null && contentAgeMs > targetMs) return 'warn';
  return certifiedAt === null || last?.certificate !== 'complete' ? 'warn' : 'good';
}

/** The state of a stream in a project in words. */
export function standingOf({ last, ageMs, limitMs, contentAgeMs, targetMs, unavailable }: ScopeView): string {
  if (unavailable !== null) return unavailable === 'not published' ? 'not published here' : unavailable;
  if (last === null) return 'not read yet';
  if (last.status === 'failed') return 'failed';
  const certificate =
    last.certificate === null ? last.status : describeCertificate({ kind: last.certificate, reason: last.reason });
  if (ageMs !== null && ageMs > limitMs) return `late: ${certificate}`;
  return contentAgeMs !== null && contentAgeMs > targetMs ? `older than its target: ${certificate}` : certificate;
}

const RANK: Readonly<Record<Tone, number>> = { bad: 0, warn: 1, good: 2, off: 3 };

/** Problems first, otherwise in configured order. */
export function worstFirst<S extends ScopeView>(scopes: readonly S[]): readonly S[] {
  return scopes.toSorted((a, b) => RANK[toneOf(a)] - RANK[toneOf(b)]);
}

/** One error with which several tables of an account failed. Its cause is the account, so it is shown once. */
export interface SharedCause {
  readonly account: string;
  readonly error: string;
  readonly scopes: readonly ScopeView[];
}

export function sharedCauses(scopes: readonly ScopeView[]): readonly SharedCause[] {
  const failed = scopes.filter((scope) => toneOf(scope) === 'bad' && typeof scope.last?.error === 'string');
  return [...Map.groupBy(failed, ({ scope, last }) => `${scope.account}\n${last?.error}`).values()].flatMap((alike) => {
    const [first] = alike;
    const error = first?.last?.error ?? null;
    return first === undefined || error === null || alike.length < 2
      ? []
      : [{ account: first.scope.account, error, scopes: alike }];
  });
}

/** Tables of an account that cannot be read here, shown once. */
export interface Unavailable {
  readonly account: string;
  readonly refusal: Refusal;
  readonly scopes: readonly ScopeView[];
}

export function unavailableOf(scopes: readonly ScopeView[]): readonly Unavailable[] {
  const refused = scopes.filter(({ unavailable }) => unavailable !== null);
  return [...Map.groupBy(refused, ({ scope, unavailable }) => `${unavailable}\n${scope.account}`).values()].flatMap(
    (alike) => {
      const [first] = alike;
      const refusal = first?.unavailable ?? null;
      return first === undefined || refusal === null ? [] : [{ account: first.scope.account, refusal, scopes: alike }];
    },
  );
}

/** With more tables than this, the page summarizes those that are well. */
const SMALL_INSTALLATION = 12;
/** Bounds the size of the page: each card has about 7 KB of markup. */
export const MOST_CARDS = 24;

/**
 * Tables shown as cards: those of the chosen project and group; in a small installation all; otherwise those with a
 * problem of their own. At most `MOST_CARDS`, worst first.
 */
export function withCards<S extends ScopeView>(scopes: readonly S[], { project, group }: Selection): readonly S[] {
  if (project === null && group === null && scopes.length <= SMALL_INSTALLATION) return worstFirst(scopes);
  const chosen = scopes.filter(
    (view) => (project === null || view.scope.projectId === project) && (group === null || view.group === group),
  );
  if ((project !== null || group !== null) && chosen.length <= MOST_CARDS) return worstFirst(chosen);
  const explained = new Set<ScopeView>(sharedCauses(scopes).flatMap((cause) => cause.scopes));
  const isReported = (view: ScopeView) => view.unavailable !== null || explained.has(view);
  const troubled = chosen.filter((view) => ['bad', 'warn'].includes(toneOf(view)) && !isReported(view));
  return worstFirst(troubled).slice(0, MOST_CARDS);
}
