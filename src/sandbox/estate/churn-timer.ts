import type { Estate } from './live-estate.ts';

const TICK_MS = 1_000;

/** Lets estates change by themselves, so many changes a minute each; returns what stops it. */
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
  // A sandbox that nobody closes must not keep a process alive by its churn.
  timer.unref();
  return () => clearInterval(timer);
}
