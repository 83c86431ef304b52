/**
 * Answers by key, each kept for so long after it was made; callers that come meanwhile share it, also while it is being made.
 * A failure is shared in the same way. What is over is dropped with the next call.
 */
export function createAnswerCache<A>(keptMs: number, make: (key: string) => Promise<A>): (key: string) => Promise<A> {
  const entries = new Map<string, { readonly answer: Promise<A>; doneAt: number }>();
  return (key) => {
    const now = performance.now();
    for (const [name, { doneAt }] of entries) if (now - doneAt > keptMs) entries.delete(name);
    const kept = entries.get(key);
    if (kept !== undefined) return kept.answer;
    const answer = make(key);
    const entry = { answer, doneAt: Number.POSITIVE_INFINITY };
    entries.set(key, entry);
    const done = () => {
      entry.doneAt = performance.now();
    };
    answer.then(done, done);
    return answer;
  };
}
