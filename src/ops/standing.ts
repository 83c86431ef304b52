import { describeCertificate } from '../core/certificate.ts';
import type { ScopeView } from './installation.ts';

export type Tone = 'good' | 'warn' | 'bad';

/** How a stream stands in a project: what was proven, how old that is, and how the last run that ended went. */
export function toneOf({ last, certifiedAt, ageMs, limitMs, contentAgeMs, targetMs }: ScopeView): Tone {
  if (last?.status === 'failed' || (ageMs !== null && ageMs > limitMs)) return 'bad';
  if (contentAgeMs !== null && contentAgeMs > targetMs) return 'warn';
  return certifiedAt === null || last?.certificate !== 'complete' ? 'warn' : 'good';
}

/** The same in words. */
export function standingOf({ last, ageMs, limitMs, contentAgeMs, targetMs }: ScopeView): string {
  if (last === null) return 'not read yet';
  if (last.status === 'failed') return 'failed';
  const certificate =
    last.certificate === null ? last.status : describeCertificate({ kind: last.certificate, reason: last.reason });
  if (ageMs !== null && ageMs > limitMs) return `late: ${certificate}`;
  return contentAgeMs !== null && contentAgeMs > targetMs ? `older than its target: ${certificate}` : certificate;
}

const RANK: Readonly<Record<Tone, number>> = { bad: 0, warn: 1, good: 2 };

/** What is wrong first; else as configured. */
export function worstFirst<S extends ScopeView>(scopes: readonly S[]): readonly S[] {
  return scopes.toSorted((a, b) => RANK[toneOf(a)] - RANK[toneOf(b)]);
}

/** One error that several tables of an account failed with: its cause is the account's, so it is told once. */
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

/** A page with more tables than this summarizes those that are well. */
const FEW = 12;
/** Each is some 7 KB of markup. */
const MOST_CARDS = 16;

/**
 * Tables that get a card: all of the chosen project, or of a small installation; else those with a trouble of their own, the
 * worst first.
 */
export function withCards<S extends ScopeView>(scopes: readonly S[], project: string | null): readonly S[] {
  if (project !== null) return worstFirst(scopes.filter(({ scope }) => scope.projectId === project));
  if (scopes.length <= FEW) return worstFirst(scopes);
  const explained = new Set<ScopeView>(sharedCauses(scopes).flatMap((cause) => cause.scopes));
  return worstFirst(scopes.filter((scope) => toneOf(scope) !== 'good' && !explained.has(scope))).slice(0, MOST_CARDS);
}
