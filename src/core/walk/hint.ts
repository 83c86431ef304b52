import type { Hint } from '../store.ts';

/**
 * Whether a list's own "latest update time" is worth anything. It may be the time of the server's own synchronization: it
 * is silent when it stood still although rows changed, restless when it moved although nothing did.
 */

const NONE: Hint = { silent: 0, restless: 0, right: 0 };

/** Times it has to be wrong in one way before that is believed. */
const BELIEVED = 3;
/** Times it has to be right for each time that it stood still while rows changed, before it is trusted again. */
const TRUSTED_AGAIN = 10;

/** What one look adds: whether the hint moved since the last one, and whether anything in the list did. */
export function judge(hint: Hint | null, hintMoved: boolean, changed: boolean): Hint | null {
  const before = hint ?? NONE;
  if (changed) return hintMoved ? { ...before, right: before.right + 1 } : { ...before, silent: before.silent + 1 };
  return hintMoved ? { ...before, restless: before.restless + 1 } : hint;
}

/** It moves without reason, so its moving is no reason to read on. */
export function isRestless(hint: Hint | null): boolean {
  return hint !== null && hint.restless >= BELIEVED && hint.restless > hint.right;
}

/**
 * It stood still while rows changed, so its standing still is no proof. One proven case is enough, and ten cases in which it
 * was right make up for it: a time that was written late once does not cost a full walk at every poll from then on.
 */
export function isSilent(hint: Hint | null): boolean {
  return hint !== null && hint.right < TRUSTED_AGAIN * hint.silent;
}

/** It moved at least once when rows had changed, so it is more than a constant. */
export function wasRight(hint: Hint | null): boolean {
  return hint !== null && hint.right > 0;
}

/** A full walk, made because the hint was not trusted, found nothing changed: the hint stood still for good reason. */
export function confirm(hint: Hint): Hint {
  return { ...hint, right: hint.right + 1 };
}
