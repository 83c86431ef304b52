import type { Estate } from './live-estate.ts';

const TICK_MS = 1_000;

/** Changes each estate at the given rate a minute; returns the function that stops it. */
export function startChurn(estates: Iterable<Estate>, changesPerMinute: number): () => void {
  if (changesPerMinute <= 0) return () => undefined;
  const all = [...estates];
  let owed = 0;
  const timer = setInterval(() => {
    owed += (changesPerMinute * TICK_MS) / 60_000;
    const due = Math.floor(owed);
    owed -= due;
    for (const estate of all) estate.step(due);
  }, TICK_MS);
  // A sandbox that is never closed must not keep its process alive by its churn.
  timer.unref();
  return () => clearInterval(timer);
}
