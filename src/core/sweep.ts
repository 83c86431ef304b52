/**
 * Which rows a certified full walk may mark as listed no longer. Marking a row that is still there is the one mistake
 * nobody notices, so whatever is in doubt stays (docs/decisions.md D3).
 */

/** A live row of the listing that the walk did not contain. */
export interface MissingRow {
  /** Key columns in the order of the stream's key. */
  readonly key: readonly string[];
  readonly enterpriseProjectId: string | null;
}

/** Certified walks that agree in a shrink too large to be believed at once. */
export interface Agreement {
  readonly walks: number;
  readonly lastAt: number;
}

export interface SweepQuestion {
  readonly live: number;
  /** Live rows for each enterprise project; empty where the rows name none. */
  readonly liveByEnterprise: ReadonlyMap<string, number>;
  readonly missing: readonly MissingRow[];
  /** Keys that were missing from the certified walk before this one. */
  readonly missingBefore: ReadonlySet<string>;
  /** The list changed while it was walked. */
  readonly moved: boolean;
  /** Rejects whose key cannot be read: any missing row might be one of them. */
  readonly unreadable: number;
  /** The widest setting of enterprise projects that stored rows may have come from, and the one of this walk. */
  readonly scopeBefore: string | null;
  readonly scopeNow: string;
  readonly acceptShrink: boolean;
  readonly agreement: Agreement | null;
  readonly reconcileEveryMs: number;
  readonly now: number;
}

export interface SweepAnswer {
  readonly sweep: readonly MissingRow[];
  /** Keys in doubt: missing and not swept, to be remembered until the next certified walk. */
  readonly remember: readonly string[];
  /** More vanished than is believable: the certificate is withheld. */
  readonly suspicious: boolean;
  readonly agreement: Agreement | null;
}

/** Rows a list may lose at once without a second look, whatever its length. */
const FEW = 10;
/** Walks that have to agree, a reconcile period apart. */
const AGREEING_WALKS = 3;
/** The setting under which rows of every enterprise project are listed. */
export const WIDEST = 'all_granted_eps';

export function keyText(key: readonly string[]): string {
  return key.join('\u0001');
}

export function judgeSweep(question: SweepQuestion): SweepAnswer {
  const { missing, missingBefore, moved, unreadable, acceptShrink, agreement, reconcileEveryMs, now } = question;
  // An absence that proves nothing must not speak for the next walk either.
  const unproven = { sweep: [], remember: [], suspicious: false, agreement: null };
  if (missing.length === 0 || unreadable > 0) return unproven;
  // Under a narrower setting rows of other enterprise projects are not listed, and still there.
  const narrower =
    question.scopeBefore !== null && question.scopeBefore !== question.scopeNow && question.scopeNow !== WIDEST;
  if (narrower && !acceptShrink) return unproven;
  // While a list moves, a row can be absent from a walk and present again after it.
  // An empty answer is what a broken service gives as well, however short the list was.
  const empty = missing.length === question.live;
  const doubtful = (moved || empty) && !acceptShrink;
  const both = missing.filter(({ key }) => missingBefore.has(keyText(key)));
  // An empty answer agrees with everything, so it confirms nothing but another one.
  const again = empty && both.length < missing.length ? [] : both;
  if (acceptShrink || !isSuspicious(question, missing)) return settled(missing, doubtful ? again : missing);
  // Walks agree in the rows that all of them missed.
  const before = agreement !== null && isSuspicious(question, again) ? agreement : null;
  const common = before === null ? missing : again;
  const due = before === null || now - before.lastAt >= reconcileEveryMs;
  const agreed = due ? { walks: (before?.walks ?? 0) + 1, lastAt: now } : before;
  if (agreed.walks >= AGREEING_WALKS) return settled(missing, common);
  return { sweep: [], remember: common.map(({ key }) => keyText(key)), suspicious: true, agreement: agreed };
}

/** What is not swept stays in doubt until the next walk. */
function settled(missing: readonly MissingRow[], sweep: readonly MissingRow[]): SweepAnswer {
  const swept = new Set(sweep);
  const remember = missing.flatMap((row) => (swept.has(row) ? [] : [keyText(row.key)]));
  return { sweep, remember, suspicious: false, agreement: null };
}

/** More than half of the list, or an enterprise project as a whole: rather a lost permission than a clean-up. */
function isSuspicious({ live, liveByEnterprise }: SweepQuestion, missing: readonly MissingRow[]): boolean {
  if (missing.length > FEW && missing.length > live / 2) return true;
  const gone = new Map<string, number>();
  for (const { enterpriseProjectId } of missing) {
    if (enterpriseProjectId !== null) gone.set(enterpriseProjectId, (gone.get(enterpriseProjectId) ?? 0) + 1);
  }
  return [...gone].some(([project, count]) => count === liveByEnterprise.get(project));
}
